# Generated from schemas/local/choria/machine/watcher/httpswitch/v1/state.json,
# which upstream does not publish.
# Do not edit: change the source and run `python -m codegen generate`.

from __future__ import annotations

from typing import Any


def schema() -> dict[str, Any]:
    return {'$schema': 'http://json-schema.org/draft-04/schema#',
            'id': 'urn:choria-lifecycle:schema:io.choria.machine.watcher.httpswitch.v1.state',
            'title': 'io.choria.machine.watcher.httpswitch.v1.state',
            'type': 'object',
            'required': ['protocol',
                         'identity',
                         'id',
                         'version',
                         'timestamp',
                         'type',
                         'machine',
                         'name',
                         'status',
                         'is_on',
                         'annotations'],
            'properties': {'protocol': {'type': 'string', 'enum': ['io.choria.machine.watcher.httpswitch.v1.state']},
                           'identity': {'type': 'string'},
                           'id': {'type': 'string'},
                           'version': {'type': 'string'},
                           'timestamp': {'type': 'integer'},
                           'type': {'type': 'string', 'enum': ['httpswitch']},
                           'machine': {'type': 'string'},
                           'name': {'type': 'string'},
                           'status': {'type': 'string', 'enum': ['unknown', 'on', 'off']},
                           'is_on': {'type': 'boolean'},
                           'annotations': {'type': 'object', 'additionalProperties': {'type': 'string'}}}}
