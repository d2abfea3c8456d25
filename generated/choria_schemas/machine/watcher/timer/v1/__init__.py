# Generated from the files in schemas/ (codegen/package.py).
# Do not edit: change the source and run `python -m codegen generate`.
"""The classes of this folder; each one's module is imported on first use."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from choria_schemas.machine.watcher.timer.v1.state import TimerState
else:
    from choria_schemas.lazy import exports

    __getattr__, __dir__ = exports(
        globals(),
        {'TimerState': 'state'},
    )

__all__ = ['TimerState']
