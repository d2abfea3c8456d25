# Generated from schemas/local/choria/machine/watcher/metric/v1/state.json,
# which upstream does not publish.
# Do not edit: change the source and run `python -m codegen generate`.

from __future__ import annotations

from typing import Any


def schema() -> dict[str, Any]:
    return {'$schema': 'http://json-schema.org/draft-04/schema#',
            'id': 'urn:choria-lifecycle:schema:io.choria.machine.watcher.metric.v1.state',
            'title': 'io.choria.machine.watcher.metric.v1.state',
            'type': 'object',
            'required': ['protocol', 'identity', 'id', 'version', 'timestamp', 'type', 'machine', 'name', 'metrics'],
            'properties': {'protocol': {'type': 'string', 'enum': ['io.choria.machine.watcher.metric.v1.state']},
                           'identity': {'type': 'string'},
                           'id': {'type': 'string'},
                           'version': {'type': 'string'},
                           'timestamp': {'type': 'integer'},
                           'type': {'type': 'string', 'enum': ['metric']},
                           'machine': {'type': 'string'},
                           'name': {'type': 'string'},
                           'metrics': {'type': 'object',
                                       'required': ['labels', 'metrics', 'time'],
                                       'properties': {'labels': {'type': ['object', 'null'],
                                                                 'additionalProperties': {'type': 'string'}},
                                                      'metrics': {'type': 'object',
                                                                  'additionalProperties': {'type': 'number'}},
                                                      'time': {'type': 'integer',
                                                               'minimum': -9223372036854775808,
                                                               'maximum': 9223372036854775807}}}}}
