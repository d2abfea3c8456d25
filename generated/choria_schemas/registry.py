# Generated from the files in schemas/ (codegen/package.py).
# Do not edit: change the source and run `python -m codegen generate`.
"""Every contract by its protocol, in each spelling.

Importing this imports no class, no validator and no schema; each is imported on first use.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from choria_schemas._contract import Contract

__all__ = ['CONTRACTS', 'Contract', 'UPSTREAM_COMMIT', 'UPSTREAM_REPOSITORY']

UPSTREAM_REPOSITORY: Final = 'https://github.com/choria-io/schemas'
"""Where upstream's schemas come from."""

UPSTREAM_COMMIT: Final = 'c7cbce1b7a9b1f58e91bee8ded1ffc5038c163e8'
"""The commit they were taken at."""

_ALL: Final = (
    Contract(
        protocol='io.choria.lifecycle.v1.alive',
        protocols=('io.choria.lifecycle.v1.alive', 'choria:lifecycle:alive:1'),
        schema_id='https://choria.io/schemas/choria/lifecycle/v1/alive.json',
        path='choria/lifecycle/v1/alive.json',
        source='c7cbce1b7a9b1f58e91bee8ded1ffc5038c163e8',
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
        bounds=(('governor', 'minLength', 1), ('sequence', 'minimum', 0)),
        corrections=(),
        class_name='Governor',
    ),
    Contract(
        protocol='io.choria.lifecycle.v1.provisioned',
        protocols=('io.choria.lifecycle.v1.provisioned', 'choria:lifecycle:provisioned:1'),
        schema_id='https://choria.io/schemas/choria/lifecycle/v1/provisioned.json',
        path='choria/lifecycle/v1/provisioned.json',
        source='c7cbce1b7a9b1f58e91bee8ded1ffc5038c163e8',
        bounds=(),
        corrections=(),
        class_name='Provisioned',
    ),
    Contract(
        protocol='io.choria.lifecycle.v1.shutdown',
        protocols=('io.choria.lifecycle.v1.shutdown', 'choria:lifecycle:shutdown:1'),
        schema_id='https://choria.io/schemas/choria/lifecycle/v1/shutdown.json',
        path='choria/lifecycle/v1/shutdown.json',
        source='c7cbce1b7a9b1f58e91bee8ded1ffc5038c163e8',
        bounds=(),
        corrections=(),
        class_name='Shutdown',
    ),
    Contract(
        protocol='io.choria.lifecycle.v1.startup',
        protocols=('io.choria.lifecycle.v1.startup', 'choria:lifecycle:startup:1'),
        schema_id='https://choria.io/schemas/choria/lifecycle/v1/startup.json',
        path='choria/lifecycle/v1/startup.json',
        source='c7cbce1b7a9b1f58e91bee8ded1ffc5038c163e8',
        bounds=(),
        corrections=(),
        class_name='Startup',
    ),
    Contract(
        protocol='io.choria.lifecycle.v1.upgraded',
        protocols=('io.choria.lifecycle.v1.upgraded', 'choria:lifecycle:upgraded:1'),
        schema_id='https://choria.io/schemas/choria/lifecycle/v1/upgraded.json',
        path='choria/lifecycle/v1/upgraded.json',
        source='c7cbce1b7a9b1f58e91bee8ded1ffc5038c163e8',
        bounds=(),
        corrections=(),
        class_name='Upgraded',
    ),
    Contract(
        protocol='io.choria.machine.v1.transition',
        protocols=('io.choria.machine.v1.transition',),
        schema_id='https://choria.io/schemas/choria/machine/v1/transition_notification.json',
        path='choria/machine/v1/transition.json',
        source='c7cbce1b7a9b1f58e91bee8ded1ffc5038c163e8',
        bounds=(),
        corrections=(
            ('/additionalProperties', 'All other events are open; a field that a newer Choria adds must not make its transitions invalid.'),
        ),
        class_name='Transition',
    ),
    Contract(
        protocol='io.choria.machine.watcher.exec.v1.state',
        protocols=('io.choria.machine.watcher.exec.v1.state',),
        schema_id='https://choria.io/schemas/choria/machine/watcher/exec/v1/state_notification.json',
        path='choria/machine/watcher/exec/v1/state.json',
        source='c7cbce1b7a9b1f58e91bee8ded1ffc5038c163e8',
        bounds=(),
        corrections=(),
        class_name='ExecState',
    ),
    Contract(
        protocol='io.choria.machine.watcher.file.v1.state',
        protocols=('io.choria.machine.watcher.file.v1.state',),
        schema_id='https://choria.io/schemas/choria/machine/watcher/file/v1/state_notification.json',
        path='choria/machine/watcher/file/v1/state.json',
        source='c7cbce1b7a9b1f58e91bee8ded1ffc5038c163e8',
        bounds=(),
        corrections=(),
        class_name='FileState',
    ),
    Contract(
        protocol='io.choria.machine.watcher.nagios.v1.state',
        protocols=('io.choria.machine.watcher.nagios.v1.state',),
        schema_id='https://choria.io/schemas/choria/machine/watcher/nagios/v1/state.json',
        path='choria/machine/watcher/nagios/v1/state.json',
        source='c7cbce1b7a9b1f58e91bee8ded1ffc5038c163e8',
        bounds=None,
        corrections=(
            ('/definitions/perfdata/type', 'Go sends null where there is no performance data, for one before the first check.'),
            ('/properties/annotations/type', 'Go sends null for a machine that sets no annotations.'),
            ('/properties/status/enum', 'NOTCHECKED is sent before the first check, and SKIPPED is the other state that Nagios itself does not have.'),
            ('/properties/status_code/maximum', '4 stands for SKIPPED, 5 for NOTCHECKED.'),
        ),
        class_name='NagiosState',
    ),
    Contract(
        protocol='io.choria.machine.watcher.schedule.v1.state',
        protocols=('io.choria.machine.watcher.schedule.v1.state',),
        schema_id='https://choria.io/schemas/choria/machine/watcher/schedule/v1/state_notification.json',
        path='choria/machine/watcher/schedule/v1/state.json',
        source='c7cbce1b7a9b1f58e91bee8ded1ffc5038c163e8',
        bounds=(),
        corrections=(
            ('/properties/type/enum', "Schedule watchers send their own type; with upstream's copy from the file watcher none of their events is valid."),
        ),
        class_name='ScheduleState',
    ),
)

CONTRACTS: Final[Mapping[str, Contract]] = MappingProxyType(
    {spelling: contract for contract in _ALL for spelling in contract.protocols}
)
"""Each contract under every spelling of its protocol."""
