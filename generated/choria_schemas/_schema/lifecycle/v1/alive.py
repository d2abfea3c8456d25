# Generated from schemas/choria/lifecycle/v1/alive.json,
# upstream blob 781222a4ccc92162025be0cc8b43a42f51516b0b.
# Do not edit: change the source and run `python -m codegen generate`.

from __future__ import annotations

from typing import Any


def schema() -> dict[str, Any]:
    return {'$schema': 'http://json-schema.org/draft-04/schema#',
            'id': 'https://choria.io/schemas/choria/lifecycle/v1/alive.json',
            'title': 'io.choria.lifecycle.v1.alive',
            'type': 'object',
            'required': ['protocol', 'id', 'identity', 'component', 'version', 'timestamp'],
            'properties': {'protocol': {'type': 'string',
                                        'enum': ['choria:lifecycle:alive:1', 'io.choria.lifecycle.v1.alive']},
                           'id': {'type': 'string'},
                           'identity': {'type': 'string'},
                           'component': {'type': 'string'},
                           'version': {'type': 'string'},
                           'timestamp': {'type': 'integer'}}}
