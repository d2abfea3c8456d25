# Generated from schemas/choria/machine/v1/transition.json,
# upstream blob c83a793723a6f3446ae9c7073d76402e2cf5fb39.
# Do not edit: change the source and run `python -m codegen generate`.

from __future__ import annotations

from typing import Any


def schema() -> dict[str, Any]:
    return {'$schema': 'http://json-schema.org/draft-04/schema#',
            'id': 'https://choria.io/schemas/choria/machine/v1/transition_notification.json',
            'title': 'io.choria.machine.v1.transition',
            'type': 'object',
            'required': ['protocol',
                         'id',
                         'identity',
                         'version',
                         'timestamp',
                         'machine',
                         'transition',
                         'from_state',
                         'to_state'],
            'properties': {'protocol': {'type': 'string', 'enum': ['io.choria.machine.v1.transition']},
                           'id': {'type': 'string'},
                           'identity': {'type': 'string'},
                           'version': {'type': 'string'},
                           'timestamp': {'type': 'integer'},
                           'machine': {'type': 'string'},
                           'transition': {'type': 'string'},
                           'from_state': {'type': 'string'},
                           'to_state': {'type': 'string'}}}
