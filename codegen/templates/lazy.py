"""Lazy imports: the names of a package are imported on first use (PEP 562)."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def exports(
    namespace: "dict[str, Any]", modules: dict[str, str]
) -> "tuple[Callable[[str], Any], Callable[[], list[str]]]":
    """Return the `__getattr__` and `__dir__` of a package.

    Args:
        namespace: the package's globals.
        modules: the submodule that defines each name.
    """
    package = namespace["__name__"]

    def getattr_(name: str) -> "Any":
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = f"{package}.{modules[name]}"
        __import__(module)  # importing importlib for its import_module would cost more than the module itself
        value = getattr(sys.modules[module], name)
        namespace[name] = value  # later uses bypass __getattr__
        return value

    def dir_() -> list[str]:
        return sorted({*namespace, *modules})

    return getattr_, dir_
