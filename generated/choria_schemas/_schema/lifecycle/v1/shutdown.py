# Generated from schemas/choria/lifecycle/v1/shutdown.json,
# upstream blob 05d08bf35844efce38b51221496f751ff328e66d.
# Do not edit: change the source and run `python -m codegen generate`.

from __future__ import annotations

from typing import Any


def schema() -> dict[str, Any]:
    return {'$schema': 'http://json-schema.org/draft-04/schema#',
            'id': 'https://choria.io/schemas/choria/lifecycle/v1/shutdown.json',
            'title': 'io.choria.lifecycle.v1.shutdown',
            'type': 'object',
            'required': ['protocol', 'id', 'identity', 'component', 'timestamp'],
            'properties': {'protocol': {'type': 'string',
                                        'enum': ['choria:lifecycle:shutdown:1', 'io.choria.lifecycle.v1.shutdown']},
                           'id': {'type': 'string'},
                           'identity': {'type': 'string'},
                           'component': {'type': 'string'},
                           'timestamp': {'type': 'integer'}}}
