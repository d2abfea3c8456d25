# Generated from schemas/choria/lifecycle/v1/upgraded.json,
# upstream blob 2d7f49037dd25b7d221823927bf23ac5cf5f08c7.
# Do not edit: change the source and run `python -m codegen generate`.

from __future__ import annotations

from typing import Any


def schema() -> dict[str, Any]:
    return {'$schema': 'http://json-schema.org/draft-04/schema#',
            'id': 'https://choria.io/schemas/choria/lifecycle/v1/upgraded.json',
            'title': 'io.choria.lifecycle.v1.upgraded',
            'type': 'object',
            'required': ['protocol', 'id', 'identity', 'component', 'version', 'new_version', 'timestamp'],
            'properties': {'protocol': {'type': 'string',
                                        'enum': ['choria:lifecycle:upgraded:1', 'io.choria.lifecycle.v1.upgraded']},
                           'id': {'type': 'string'},
                           'identity': {'type': 'string'},
                           'component': {'type': 'string'},
                           'version': {'type': 'string'},
                           'new_version': {'type': 'string'},
                           'timestamp': {'type': 'integer'}}}
