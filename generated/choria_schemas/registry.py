# Generated from the files in schemas/ (codegen/package.py).
# Do not edit: change the source and run `python -m codegen generate`.
"""All contracts by protocol, in every spelling.

Classes, validators and schemas are imported on first use, not by importing this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from choria_schemas._contract import Contract

__all__ = ['CONTRACTS', 'Contract', 'UPSTREAM_COMMIT', 'UPSTREAM_REPOSITORY']

UPSTREAM_REPOSITORY: Final = 'https://github.com/choria-io/schemas'
"""The git repository of upstream's schemas."""

UPSTREAM_COMMIT: Final = 'c7cbce1b7a9b1f58e91bee8ded1ffc5038c163e8'
"""The commit of that repository from which the schemas were taken."""

_ALL: Final = (
    Contract(
        protocol='io.choria.lifecycle.v1.alive',
        protocols=('io.choria.lifecycle.v1.alive', 'choria:lifecycle:alive:1'),
        schema_id='https://choria.io/schemas/choria/lifecycle/v1/alive.json',
        path='choria/lifecycle/v1/alive.json',
        source=UPSTREAM_COMMIT,
        fields=(
            'protocol', 'id', 'identity', 'component', 'timestamp', 'version',
        ),
        bounds=(),
        corrections=(),
        class_name='Alive',
    ),
    Contract(
        protocol='io.choria.lifecycle.v1.governor',
        protocols=('io.choria.lifecycle.v1.governor', 'choria:lifecycle:governor:1'),
        schema_id='urn:choria-lifecycle:schema:io.choria.lifecycle.v1.governor',
        path='choria/lifecycle/v1/governor.json',
        source='local',
        fields=(
            'protocol', 'id', 'identity', 'component', 'timestamp', 'governor', 'sequence', 'event_type',
        ),
        bounds=(('governor', 'minLength', 1), ('sequence', 'minimum', 0), ('sequence', 'maximum', 18446744073709551615)),
        corrections=(),
        class_name='Governor',
    ),
    Contract(
        protocol='io.choria.lifecycle.v1.provisioned',
        protocols=('io.choria.lifecycle.v1.provisioned', 'choria:lifecycle:provisioned:1'),
        schema_id='https://choria.io/schemas/choria/lifecycle/v1/provisioned.json',
        path='choria/lifecycle/v1/provisioned.json',
        source=UPSTREAM_COMMIT,
        fields=(
            'protocol', 'id', 'identity', 'component', 'timestamp',
        ),
        bounds=(),
        corrections=(),
        class_name='Provisioned',
    ),
    Contract(
        protocol='io.choria.lifecycle.v1.shutdown',
        protocols=('io.choria.lifecycle.v1.shutdown', 'choria:lifecycle:shutdown:1'),
        schema_id='https://choria.io/schemas/choria/lifecycle/v1/shutdown.json',
        path='choria/lifecycle/v1/shutdown.json',
        source=UPSTREAM_COMMIT,
        fields=(
            'protocol', 'id', 'identity', 'component', 'timestamp',
        ),
        bounds=(),
        corrections=(),
        class_name='Shutdown',
    ),
    Contract(
        protocol='io.choria.lifecycle.v1.startup',
        protocols=('io.choria.lifecycle.v1.startup', 'choria:lifecycle:startup:1'),
        schema_id='https://choria.io/schemas/choria/lifecycle/v1/startup.json',
        path='choria/lifecycle/v1/startup.json',
        source=UPSTREAM_COMMIT,
        fields=(
            'protocol', 'id', 'identity', 'component', 'timestamp', 'version',
        ),
        bounds=(),
        corrections=(),
        class_name='Startup',
    ),
    Contract(
        protocol='io.choria.lifecycle.v1.upgraded',
        protocols=('io.choria.lifecycle.v1.upgraded', 'choria:lifecycle:upgraded:1'),
        schema_id='https://choria.io/schemas/choria/lifecycle/v1/upgraded.json',
        path='choria/lifecycle/v1/upgraded.json',
        source=UPSTREAM_COMMIT,
        fields=(
            'protocol', 'id', 'identity', 'component', 'timestamp', 'version', 'new_version',
        ),
        bounds=(),
        corrections=(),
        class_name='Upgraded',
    ),
    Contract(
        protocol='io.choria.machine.v1.transition',
        protocols=('io.choria.machine.v1.transition',),
        schema_id='https://choria.io/schemas/choria/machine/v1/transition_notification.json',
        path='choria/machine/v1/transition.json',
        source=UPSTREAM_COMMIT,
        fields=(
            'protocol', 'identity', 'id', 'version', 'timestamp', 'machine', 'transition', 'from_state', 'to_state',
        ),
        bounds=(),
        corrections=(
            (
                '/additionalProperties',
                'All other events allow unknown fields; a field added by a newer Choria must not make its '
                'transitions invalid.',
                'false',
            ),
        ),
        class_name='Transition',
    ),
    Contract(
        protocol='io.choria.machine.watcher.archive.v1.state',
        protocols=('io.choria.machine.watcher.archive.v1.state',),
        schema_id='urn:choria-lifecycle:schema:io.choria.machine.watcher.archive.v1.state',
        path='choria/machine/watcher/archive/v1/state.json',
        source='local',
        fields=(
            'protocol', 'identity', 'id', 'version', 'timestamp', 'type', 'machine', 'name', 'source', 'creates',
            'previous_outcome', 'previous_run_time',
        ),
        bounds=(),
        corrections=(),
        class_name='ArchiveState',
    ),
    Contract(
        protocol='io.choria.machine.watcher.ccm_manifest.v1.state',
        protocols=('io.choria.machine.watcher.ccm_manifest.v1.state',),
        schema_id='urn:choria-lifecycle:schema:io.choria.machine.watcher.ccm_manifest.v1.state',
        path='choria/machine/watcher/ccm_manifest/v1/state.json',
        source='local',
        fields=(
            'protocol', 'identity', 'id', 'version', 'timestamp', 'type', 'machine', 'name', 'previous_outcome',
            'previous_run_time',
        ),
        bounds=(),
        corrections=(),
        class_name='CcmManifestState',
    ),
    Contract(
        protocol='io.choria.machine.watcher.exec.v1.state',
        protocols=('io.choria.machine.watcher.exec.v1.state',),
        schema_id='https://choria.io/schemas/choria/machine/watcher/exec/v1/state_notification.json',
        path='choria/machine/watcher/exec/v1/state.json',
        source=UPSTREAM_COMMIT,
        fields=(
            'protocol', 'identity', 'id', 'version', 'timestamp', 'type', 'machine', 'name', 'command',
            'previous_outcome', 'previous_run_time',
        ),
        bounds=(),
        corrections=(),
        class_name='ExecState',
    ),
    Contract(
        protocol='io.choria.machine.watcher.expression.v1.state',
        protocols=('io.choria.machine.watcher.expression.v1.state',),
        schema_id='urn:choria-lifecycle:schema:io.choria.machine.watcher.expression.v1.state',
        path='choria/machine/watcher/expression/v1/state.json',
        source='local',
        fields=(
            'protocol', 'identity', 'id', 'version', 'timestamp', 'type', 'machine', 'name', 'previous_outcome',
        ),
        bounds=(),
        corrections=(),
        class_name='ExpressionState',
    ),
    Contract(
        protocol='io.choria.machine.watcher.file.v1.state',
        protocols=('io.choria.machine.watcher.file.v1.state',),
        schema_id='https://choria.io/schemas/choria/machine/watcher/file/v1/state_notification.json',
        path='choria/machine/watcher/file/v1/state.json',
        source=UPSTREAM_COMMIT,
        fields=(
            'protocol', 'identity', 'id', 'version', 'timestamp', 'type', 'machine', 'name', 'path', 'previous_outcome',
        ),
        bounds=(),
        corrections=(),
        class_name='FileState',
    ),
    Contract(
        protocol='io.choria.machine.watcher.gossip.v1.state',
        protocols=('io.choria.machine.watcher.gossip.v1.state',),
        schema_id='urn:choria-lifecycle:schema:io.choria.machine.watcher.gossip.v1.state',
        path='choria/machine/watcher/gossip/v1/state.json',
        source='local',
        fields=(
            'protocol', 'identity', 'id', 'version', 'timestamp', 'type', 'machine', 'name', 'previous_subject',
            'previous_payload', 'previous_gossip',
        ),
        bounds=(),
        corrections=(),
        class_name='GossipState',
    ),
    Contract(
        protocol='io.choria.machine.watcher.httpswitch.v1.state',
        protocols=('io.choria.machine.watcher.httpswitch.v1.state',),
        schema_id='urn:choria-lifecycle:schema:io.choria.machine.watcher.httpswitch.v1.state',
        path='choria/machine/watcher/httpswitch/v1/state.json',
        source='local',
        fields=(
            'protocol', 'identity', 'id', 'version', 'timestamp', 'type', 'machine', 'name', 'status', 'is_on',
            'annotations',
        ),
        bounds=(),
        corrections=(),
        class_name='HttpswitchState',
    ),
    Contract(
        protocol='io.choria.machine.watcher.kv.v1.state',
        protocols=('io.choria.machine.watcher.kv.v1.state',),
        schema_id='urn:choria-lifecycle:schema:io.choria.machine.watcher.kv.v1.state',
        path='choria/machine/watcher/kv/v1/state.json',
        source='local',
        fields=(
            'protocol', 'identity', 'id', 'version', 'timestamp', 'type', 'machine', 'name', 'state', 'bucket', 'key',
            'mode',
        ),
        bounds=None,
        corrections=(),
        class_name='KvState',
    ),
    Contract(
        protocol='io.choria.machine.watcher.machines.v1.state',
        protocols=('io.choria.machine.watcher.machines.v1.state',),
        schema_id='urn:choria-lifecycle:schema:io.choria.machine.watcher.machines.v1.state',
        path='choria/machine/watcher/machines/v1/state.json',
        source='local',
        fields=(
            'protocol', 'identity', 'id', 'version', 'timestamp', 'type', 'machine', 'name', 'machines',
            'previous_outcome', 'previous_run_time',
        ),
        bounds=(),
        corrections=(),
        class_name='MachinesState',
    ),
    Contract(
        protocol='io.choria.machine.watcher.metric.v1.state',
        protocols=('io.choria.machine.watcher.metric.v1.state',),
        schema_id='urn:choria-lifecycle:schema:io.choria.machine.watcher.metric.v1.state',
        path='choria/machine/watcher/metric/v1/state.json',
        source='local',
        fields=(
            'protocol', 'identity', 'id', 'version', 'timestamp', 'type', 'machine', 'name', 'metrics',
        ),
        bounds=None,
        corrections=(),
        class_name='MetricState',
    ),
    Contract(
        protocol='io.choria.machine.watcher.nagios.v1.state',
        protocols=('io.choria.machine.watcher.nagios.v1.state',),
        schema_id='https://choria.io/schemas/choria/machine/watcher/nagios/v1/state.json',
        path='choria/machine/watcher/nagios/v1/state.json',
        source=UPSTREAM_COMMIT,
        fields=(
            'protocol', 'identity', 'id', 'version', 'timestamp', 'type', 'machine', 'name', 'plugin', 'status',
            'status_code', 'output', 'check_time', 'perfdata', 'runtime', 'history', 'annotations',
        ),
        bounds=None,
        corrections=(
            (
                '/definitions/perfdata/type',
                'Go sends null if there is no performance data, such as before the first check.',
                '"array"',
            ),
            (
                '/properties/annotations/type',
                'Go sends null for a machine without annotations.',
                '"object"',
            ),
            (
                '/properties/status/enum',
                'Choria adds two states to those of Nagios: NOTCHECKED, sent before the first check, and SKIPPED.',
                '["OK", "CRITICAL", "WARNING", "UNKNOWN"]',
            ),
            (
                '/properties/status_code/maximum',
                '4 is SKIPPED, 5 is NOTCHECKED.',
                '3',
            ),
        ),
        class_name='NagiosState',
    ),
    Contract(
        protocol='io.choria.machine.watcher.plugins.v1.state',
        protocols=('io.choria.machine.watcher.plugins.v1.state',),
        schema_id='urn:choria-lifecycle:schema:io.choria.machine.watcher.plugins.v1.state',
        path='choria/machine/watcher/plugins/v1/state.json',
        source='local',
        fields=(
            'protocol', 'identity', 'id', 'version', 'timestamp', 'type', 'machine', 'name', 'plugins',
            'previous_outcome', 'previous_run_time',
        ),
        bounds=(),
        corrections=(),
        class_name='PluginsState',
    ),
    Contract(
        protocol='io.choria.machine.watcher.schedule.v1.state',
        protocols=('io.choria.machine.watcher.schedule.v1.state',),
        schema_id='https://choria.io/schemas/choria/machine/watcher/schedule/v1/state_notification.json',
        path='choria/machine/watcher/schedule/v1/state.json',
        source=UPSTREAM_COMMIT,
        fields=(
            'protocol', 'identity', 'id', 'version', 'timestamp', 'type', 'machine', 'name', 'state',
        ),
        bounds=(),
        corrections=(
            (
                '/properties/type/enum',
                "Schedule watchers send their own type; upstream's enum, copied from the file watcher, rejects "
                'all their events.',
                '["file"]',
            ),
        ),
        class_name='ScheduleState',
    ),
    Contract(
        protocol='io.choria.machine.watcher.timer.v1.state',
        protocols=('io.choria.machine.watcher.timer.v1.state',),
        schema_id='urn:choria-lifecycle:schema:io.choria.machine.watcher.timer.v1.state',
        path='choria/machine/watcher/timer/v1/state.json',
        source='local',
        fields=(
            'protocol', 'identity', 'id', 'version', 'timestamp', 'type', 'machine', 'name', 'state', 'timer',
        ),
        bounds=(),
        corrections=(),
        class_name='TimerState',
    ),
)

CONTRACTS: Final[Mapping[str, Contract]] = MappingProxyType(
    {spelling: contract for contract in _ALL for spelling in contract.protocols}
)
"""Each contract under every spelling of its protocol."""
