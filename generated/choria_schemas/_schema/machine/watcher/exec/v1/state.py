# Generated from schemas/choria/machine/watcher/exec/v1/state.json,
# upstream blob a95d34cbe506f494e8d4dc1ebb768395654c158b.
# Do not edit: change the source and run `python -m codegen generate`.

from __future__ import annotations

from typing import Any


def schema() -> dict[str, Any]:
    return {'$schema': 'http://json-schema.org/draft-04/schema#',
            'id': 'https://choria.io/schemas/choria/machine/watcher/exec/v1/state_notification.json',
            'title': 'io.choria.machine.watcher.exec.v1.state',
            'type': 'object',
            'required': ['protocol',
                         'id',
                         'identity',
                         'version',
                         'timestamp',
                         'machine',
                         'name',
                         'type',
                         'command',
                         'previous_outcome',
                         'previous_run_time'],
            'properties': {'protocol': {'type': 'string', 'enum': ['io.choria.machine.watcher.exec.v1.state']},
                           'id': {'type': 'string'},
                           'identity': {'type': 'string'},
                           'version': {'type': 'string'},
                           'timestamp': {'type': 'integer'},
                           'machine': {'type': 'string'},
                           'name': {'type': 'string'},
                           'type': {'type': 'string', 'enum': ['exec']},
                           'command': {'type': 'string'},
                           'previous_outcome': {'type': 'string', 'enum': ['unknown', 'skipped', 'error', 'success']},
                           'previous_run_time': {'type': 'integer'}}}
