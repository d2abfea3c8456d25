# Generated from schemas/choria/lifecycle/v1/startup.json, upstream commit c7cbce1b7a9b1f58e91bee8ded1ffc5038c163e8.
# Do not edit: change the source and run `python -m codegen generate`.

from __future__ import annotations

from typing import Any


def schema() -> dict[str, Any]:
    return {'$schema': 'http://json-schema.org/draft-04/schema#',
            'id': 'https://choria.io/schemas/choria/lifecycle/v1/startup.json',
            'title': 'io.choria.lifecycle.v1.startup',
            'type': 'object',
            'required': ['protocol', 'id', 'identity', 'component', 'version', 'timestamp'],
            'properties': {'protocol': {'type': 'string',
                                        'enum': ['choria:lifecycle:startup:1', 'io.choria.lifecycle.v1.startup']},
                           'id': {'type': 'string'},
                           'identity': {'type': 'string'},
                           'component': {'type': 'string'},
                           'version': {'type': 'string'},
                           'timestamp': {'type': 'integer'}}}
