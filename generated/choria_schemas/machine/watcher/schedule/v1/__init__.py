# Generated from the files in schemas/ (codegen/package.py).
# Do not edit: change the source and run `python -m codegen generate`.
"""Every class of this folder; the module of a class is imported when its name is first used."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from choria_schemas.machine.watcher.schedule.v1.state import ScheduleState
else:
    from choria_schemas.lazy import exports

    __getattr__, __dir__ = exports(globals(), {'ScheduleState': 'state'})

__all__ = ['ScheduleState']
