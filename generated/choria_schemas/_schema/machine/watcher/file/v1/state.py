# Generated from schemas/choria/machine/watcher/file/v1/state.json,
# upstream blob 87a4ff6f1f110e880d461c3e1eba6b40b32f9f16.
# Do not edit: change the source and run `python -m codegen generate`.

from __future__ import annotations

from typing import Any


def schema() -> dict[str, Any]:
    return {'$schema': 'http://json-schema.org/draft-04/schema#',
            'id': 'https://choria.io/schemas/choria/machine/watcher/file/v1/state_notification.json',
            'title': 'io.choria.machine.watcher.file.v1.state',
            'type': 'object',
            'required': ['protocol',
                         'id',
                         'identity',
                         'version',
                         'timestamp',
                         'machine',
                         'name',
                         'type',
                         'path',
                         'previous_outcome'],
            'properties': {'protocol': {'type': 'string', 'enum': ['io.choria.machine.watcher.file.v1.state']},
                           'id': {'type': 'string'},
                           'identity': {'type': 'string'},
                           'version': {'type': 'string'},
                           'timestamp': {'type': 'integer'},
                           'machine': {'type': 'string'},
                           'name': {'type': 'string'},
                           'type': {'type': 'string', 'enum': ['file']},
                           'path': {'type': 'string'},
                           'previous_outcome': {'type': 'string',
                                                'enum': ['unknown', 'skipped', 'error', 'unchanged', 'changed']}}}
