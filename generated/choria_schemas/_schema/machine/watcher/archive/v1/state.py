# Generated from schemas/local/choria/machine/watcher/archive/v1/state.json,
# which upstream does not publish.
# Do not edit: change the source and run `python -m codegen generate`.

from __future__ import annotations

from typing import Any


def schema() -> dict[str, Any]:
    return {'$schema': 'http://json-schema.org/draft-04/schema#',
            'id': 'urn:choria-lifecycle:schema:io.choria.machine.watcher.archive.v1.state',
            'title': 'io.choria.machine.watcher.archive.v1.state',
            'type': 'object',
            'required': ['protocol',
                         'identity',
                         'id',
                         'version',
                         'timestamp',
                         'type',
                         'machine',
                         'name',
                         'source',
                         'creates',
                         'previous_outcome',
                         'previous_run_time'],
            'properties': {'protocol': {'type': 'string', 'enum': ['io.choria.machine.watcher.archive.v1.state']},
                           'identity': {'type': 'string'},
                           'id': {'type': 'string'},
                           'version': {'type': 'string'},
                           'timestamp': {'type': 'integer'},
                           'type': {'type': 'string', 'enum': ['archive']},
                           'machine': {'type': 'string'},
                           'name': {'type': 'string'},
                           'source': {'type': 'string'},
                           'creates': {'type': 'string'},
                           'previous_outcome': {'type': 'string',
                                                'enum': ['unknown',
                                                         'skipped',
                                                         'error',
                                                         'verified',
                                                         'downloaded',
                                                         'verify_failed',
                                                         'no_creates',
                                                         'no_checksums']},
                           'previous_run_time': {'type': 'integer'}}}
