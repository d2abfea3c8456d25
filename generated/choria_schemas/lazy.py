# Generated from codegen/templates/lazy.py.
# Do not edit: change the source and run `python -m codegen generate`.
"""Lazy imports: the names of a package are imported on first use (PEP 562)."""

import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any


def exports(
    namespace: dict[str, Any],
    modules: Mapping[str, str],
    submodules: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the `__getattr__` and `__dir__` of a package.

    Args:
        namespace: the package's globals, with `__all__`.
        modules: the submodule that defines each name.
        submodules: the submodule that each name stands for.
    """
    package = namespace["__name__"]
    paths = {**modules, **submodules}

    def getattr_(name: str) -> Any:
        if name not in paths:
            # With its name and object, Python suggests a similar name.
            raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=sys.modules[package])
        path = f"{package}.{paths[name]}"
        __import__(path)  # importing importlib for its import_module would cost more than the module itself
        module = sys.modules[path]
        value = module if name in submodules else getattr(module, name)
        namespace[name] = value  # later uses bypass __getattr__
        return value

    def dir_() -> list[str]:
        return list(namespace["__all__"])

    return getattr_, dir_
