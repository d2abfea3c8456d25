# Generated from schemas/local/choria/machine/watcher/ccm_manifest/v1/state.json,
# which upstream does not publish.
# Do not edit: change the source and run `python -m codegen generate`.

from __future__ import annotations

from typing import Any


def schema() -> dict[str, Any]:
    return {'$schema': 'http://json-schema.org/draft-04/schema#',
            'id': 'urn:choria-lifecycle:schema:io.choria.machine.watcher.ccm_manifest.v1.state',
            'title': 'io.choria.machine.watcher.ccm_manifest.v1.state',
            'type': 'object',
            'required': ['protocol',
                         'identity',
                         'id',
                         'version',
                         'timestamp',
                         'type',
                         'machine',
                         'name',
                         'previous_outcome',
                         'previous_run_time'],
            'properties': {'protocol': {'type': 'string', 'enum': ['io.choria.machine.watcher.ccm_manifest.v1.state']},
                           'identity': {'type': 'string'},
                           'id': {'type': 'string'},
                           'version': {'type': 'string'},
                           'timestamp': {'type': 'integer'},
                           'type': {'type': 'string', 'enum': ['ccm_manifest']},
                           'machine': {'type': 'string'},
                           'name': {'type': 'string'},
                           'previous_outcome': {'type': 'string',
                                                'enum': ['unknown', 'error', 'stable', 'changes', 'skipped']},
                           'previous_run_time': {'type': 'integer'}}}
