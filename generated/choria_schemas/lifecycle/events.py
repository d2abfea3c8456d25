# Generated from the files in schemas/ (codegen/package.py).
# Do not edit: change the source and run `python -m codegen generate`.
"""The events of choria_schemas.lifecycle."""

from typing import Literal, TypeAlias

import choria_schemas.lifecycle.v1.alive
import choria_schemas.lifecycle.v1.governor
import choria_schemas.lifecycle.v1.provisioned
import choria_schemas.lifecycle.v1.shutdown
import choria_schemas.lifecycle.v1.startup
import choria_schemas.lifecycle.v1.upgraded

__all__ = ['LifecycleEvent', 'LifecycleEventType']

LifecycleEvent: TypeAlias = (
    choria_schemas.lifecycle.v1.alive.Alive
    | choria_schemas.lifecycle.v1.governor.Governor
    | choria_schemas.lifecycle.v1.provisioned.Provisioned
    | choria_schemas.lifecycle.v1.shutdown.Shutdown
    | choria_schemas.lifecycle.v1.startup.Startup
    | choria_schemas.lifecycle.v1.upgraded.Upgraded
)
"""An event of a contract in choria_schemas.lifecycle."""

LifecycleEventType: TypeAlias = Literal[
    'alive',
    'governor',
    'provisioned',
    'shutdown',
    'startup',
    'upgraded',
]
"""The name of an event type: the last part of its protocol, in every version."""
