# Generated from schemas/choria/lifecycle/v1/provisioned.json,
# upstream blob 3ff5c09d67abdad3a8711c867f3af56de68213d6.
# Do not edit: change the source and run `python -m codegen generate`.

from __future__ import annotations

from typing import Any


def schema() -> dict[str, Any]:
    return {'$schema': 'http://json-schema.org/draft-04/schema#',
            'id': 'https://choria.io/schemas/choria/lifecycle/v1/provisioned.json',
            'title': 'io.choria.lifecycle.v1.provisioned',
            'type': 'object',
            'required': ['protocol', 'id', 'identity', 'component', 'timestamp'],
            'properties': {'protocol': {'type': 'string',
                                        'enum': ['choria:lifecycle:provisioned:1',
                                                 'io.choria.lifecycle.v1.provisioned']},
                           'id': {'type': 'string'},
                           'identity': {'type': 'string'},
                           'component': {'type': 'string'},
                           'timestamp': {'type': 'integer'}}}
