# Generated from the files in schemas/ (codegen/package.py).
# Do not edit: change the source and run `python -m codegen generate`.
"""The classes of this folder; each one's module is imported on first use."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from choria_schemas.lifecycle.v1.alive import Alive
    from choria_schemas.lifecycle.v1.governor import Governor
    from choria_schemas.lifecycle.v1.provisioned import Provisioned
    from choria_schemas.lifecycle.v1.shutdown import Shutdown
    from choria_schemas.lifecycle.v1.startup import Startup
    from choria_schemas.lifecycle.v1.upgraded import Upgraded
else:
    from choria_schemas.lazy import exports

    __getattr__, __dir__ = exports(
        globals(),
        {'Alive': 'alive',
         'Governor': 'governor',
         'Provisioned': 'provisioned',
         'Shutdown': 'shutdown',
         'Startup': 'startup',
         'Upgraded': 'upgraded'},
    )

__all__ = ['Alive', 'Governor', 'Provisioned', 'Shutdown', 'Startup', 'Upgraded']
