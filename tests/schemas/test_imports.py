"""What an import loads: a type nothing outside the standard library, the registry no type."""

from __future__ import annotations

import subprocess
import sys
from importlib import resources

import pytest

from choria_schemas.registry import CONTRACTS


def loaded_by(statement):
    """The modules that a statement adds to those of a bare interpreter."""
    program = f"import sys; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def foreign(modules):
    """Those outside the standard library and this package."""
    roots = {module.partition(".")[0] for module in modules}
    return roots - set(sys.stdlib_module_names) - {"choria_schemas"}


def of_ours(modules):
    return {module for module in modules if module.startswith("choria_schemas")}


def test_one_type_loads_that_type_and_the_standard_library():
    loaded = loaded_by("from choria_schemas.lifecycle.v1 import Startup")
    assert foreign(loaded) == set()
    assert of_ours(loaded) == {
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
def test_the_ways_in_load_no_type_validator_or_schema(module):
    loaded = loaded_by(f"import {module}")
    assert foreign(loaded) == set()
    assert not {
        name
        for name in of_ours(loaded)
        if "_validate" in name or "_schema." in name or name.endswith((".startup", ".state"))
    }


def test_a_schema_loads_no_validator():
    loaded = loaded_by("import choria_schemas; choria_schemas.schema('io.choria.lifecycle.v1.startup')")
    assert foreign(loaded) == set()
    assert "choria_schemas._validate" not in loaded


def test_the_package_says_that_it_is_typed():
    assert resources.files("choria_schemas").joinpath("py.typed").is_file()
