# Generated from schemas/choria/machine/watcher/schedule/v1/state.json,
# upstream blob 5711bd8096511d747beea1aadc4bc8e4e007cbcb.
# Do not edit: change the source and run `python -m codegen generate`.

from __future__ import annotations

from typing import Any


def schema() -> dict[str, Any]:
    return {'$schema': 'http://json-schema.org/draft-04/schema#',
            'id': 'https://choria.io/schemas/choria/machine/watcher/schedule/v1/state_notification.json',
            'title': 'io.choria.machine.watcher.schedule.v1.state',
            'type': 'object',
            'required': ['protocol', 'id', 'identity', 'version', 'timestamp', 'machine', 'name', 'type', 'state'],
            'properties': {'protocol': {'type': 'string', 'enum': ['io.choria.machine.watcher.schedule.v1.state']},
                           'id': {'type': 'string'},
                           'identity': {'type': 'string'},
                           'version': {'type': 'string'},
                           'timestamp': {'type': 'integer'},
                           'machine': {'type': 'string'},
                           'name': {'type': 'string'},
                           'type': {'type': 'string', 'enum': ['schedule']},
                           'state': {'type': 'string', 'enum': ['unknown', 'skipped', 'off', 'on']}}}
