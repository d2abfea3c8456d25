# Generated from schemas/local/choria/lifecycle/v1/governor.json,
# which upstream does not publish.
# Do not edit: change the source and run `python -m codegen generate`.

from __future__ import annotations

from typing import Any


def schema() -> dict[str, Any]:
    return {'$schema': 'http://json-schema.org/draft-04/schema#',
            'id': 'urn:choria-lifecycle:schema:io.choria.lifecycle.v1.governor',
            'title': 'io.choria.lifecycle.v1.governor',
            'type': 'object',
            'required': ['protocol', 'id', 'identity', 'component', 'timestamp', 'governor', 'sequence', 'event_type'],
            'properties': {'protocol': {'type': 'string',
                                        'enum': ['choria:lifecycle:governor:1', 'io.choria.lifecycle.v1.governor']},
                           'id': {'type': 'string'},
                           'identity': {'type': 'string'},
                           'component': {'type': 'string'},
                           'timestamp': {'type': 'integer'},
                           'governor': {'type': 'string', 'minLength': 1},
                           'sequence': {'type': 'integer', 'minimum': 0, 'maximum': 18446744073709551615},
                           'event_type': {'type': 'string', 'enum': ['enter', 'exit', 'timeouts', 'eviction']}}}
