"""The modules that an import loads: types need only the standard library, and the registry loads no type."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module, resources

import pytest

from choria_schemas.registry import CONTRACTS


def loaded_by(statement):
    """Return the modules that a statement loads in a fresh interpreter."""
    program = f"import sys; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before))"
    completed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(completed.stdout.split())


def foreign(modules):
    """Return the top-level packages outside the standard library and this package."""
    roots = {module.partition(".")[0] for module in modules}
    return roots - set(sys.stdlib_module_names) - {"choria_schemas"}


def own(modules):
    return {module for module in modules if module.startswith("choria_schemas")}


def test_one_type_loads_that_type_and_the_standard_library():
    loaded = loaded_by("from choria_schemas.lifecycle.v1 import Startup")
    assert foreign(loaded) == set()
    assert own(loaded) == {
        "choria_schemas",
        "choria_schemas.lazy",
        "choria_schemas.lifecycle",
        "choria_schemas.lifecycle.v1",
        "choria_schemas.lifecycle.v1.startup",
    }
    assert not loaded & {"json", "importlib.resources", "pathlib", "asyncio", "urllib"}


def test_all_types_load_nothing_outside_the_standard_library():
    modules = sorted({contract.cls.__module__ for contract in CONTRACTS.values()})
    loaded = loaded_by(f"import {', '.join(modules)}")
    assert foreign(loaded) == set()
    assert set(modules) <= loaded


@pytest.mark.parametrize("module", ["choria_schemas", "choria_schemas.registry", "choria_schemas.lifecycle.v1"])
def test_entry_modules_load_no_type_validator_or_schema(module):
    loaded = loaded_by(f"import {module}")
    assert foreign(loaded) == set()
    assert not {
        name
        for name in own(loaded)
        if "_validate" in name or "_schema." in name or name.endswith((".startup", ".state"))
    }


def test_a_schema_loads_no_validator():
    loaded = loaded_by("import choria_schemas; choria_schemas.schema('io.choria.lifecycle.v1.startup')")
    assert foreign(loaded) == set()
    assert "choria_schemas._validate" not in loaded


PACKAGES = ["choria_schemas", *sorted({contract.cls.__module__.rpartition(".")[0] for contract in CONTRACTS.values()})]


@pytest.mark.parametrize("package", PACKAGES)
def test_dir_is_the_public_interface(package):
    module = import_module(package)
    assert dir(module) == sorted(module.__all__)
    for name in module.__all__:
        assert getattr(module, name) is not None


def test_the_package_has_a_typed_marker():
    assert resources.files("choria_schemas").joinpath("py.typed").is_file()
