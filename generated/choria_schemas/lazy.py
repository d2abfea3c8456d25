# Generated from codegen/templates/lazy.py.
# Do not edit: change the source and run `python -m codegen generate`.
"""Names of a package that are imported when they are first used (PEP 562)."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def exports(
    namespace: "dict[str, Any]", modules: dict[str, str]
) -> "tuple[Callable[[str], Any], Callable[[], list[str]]]":
    """The `__getattr__` and `__dir__` of a package.

    Args:
        namespace: The package's globals.
        modules: Each name with the module of the package that has it.
    """
    package = namespace["__name__"]

    def getattr_(name: str) -> "Any":
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = f"{package}.{modules[name]}"
        __import__(module)  # importlib, for its import_module, would cost more than the module itself
        value = getattr(sys.modules[module], name)
        namespace[name] = value  # the next use does not come here
        return value

    def dir_() -> list[str]:
        return sorted({*namespace, *modules})

    return getattr_, dir_
