# Generated from the files in schemas/ (codegen/package.py).
# Do not edit: change the source and run `python -m codegen generate`.
"""The events of choria_schemas.machine."""

from typing import TypeAlias

import choria_schemas.machine.v1.transition
import choria_schemas.machine.watcher.archive.v1.state
import choria_schemas.machine.watcher.ccm_manifest.v1.state
import choria_schemas.machine.watcher.exec.v1.state
import choria_schemas.machine.watcher.expression.v1.state
import choria_schemas.machine.watcher.file.v1.state
import choria_schemas.machine.watcher.gossip.v1.state
import choria_schemas.machine.watcher.httpswitch.v1.state
import choria_schemas.machine.watcher.kv.v1.state
import choria_schemas.machine.watcher.machines.v1.state
import choria_schemas.machine.watcher.metric.v1.state
import choria_schemas.machine.watcher.nagios.v1.state
import choria_schemas.machine.watcher.plugins.v1.state
import choria_schemas.machine.watcher.schedule.v1.state
import choria_schemas.machine.watcher.timer.v1.state

__all__ = ['MachineEvent']

MachineEvent: TypeAlias = (
    choria_schemas.machine.v1.transition.Transition
    | choria_schemas.machine.watcher.archive.v1.state.ArchiveState
    | choria_schemas.machine.watcher.ccm_manifest.v1.state.CcmManifestState
    | choria_schemas.machine.watcher.exec.v1.state.ExecState
    | choria_schemas.machine.watcher.expression.v1.state.ExpressionState
    | choria_schemas.machine.watcher.file.v1.state.FileState
    | choria_schemas.machine.watcher.gossip.v1.state.GossipState
    | choria_schemas.machine.watcher.httpswitch.v1.state.HttpswitchState
    | choria_schemas.machine.watcher.kv.v1.state.KvState
    | choria_schemas.machine.watcher.machines.v1.state.MachinesState
    | choria_schemas.machine.watcher.metric.v1.state.MetricState
    | choria_schemas.machine.watcher.nagios.v1.state.NagiosState
    | choria_schemas.machine.watcher.plugins.v1.state.PluginsState
    | choria_schemas.machine.watcher.schedule.v1.state.ScheduleState
    | choria_schemas.machine.watcher.timer.v1.state.TimerState
)
"""An event of a contract in choria_schemas.machine."""
