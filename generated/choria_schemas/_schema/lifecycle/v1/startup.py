# Generated from schemas/choria/lifecycle/v1/startup.json,
# upstream blob 3ec2b91046095d794fd8cf8c7ed6ff23c1fcbf46.
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
