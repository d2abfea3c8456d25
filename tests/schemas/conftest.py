"""The contracts, each with its examples of what Choria sends."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import pytest

from tests.bed import samples

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from choria_schemas.registry import Contract


CASES = [(contract, path) for contract in samples.ALL_CONTRACTS for path in samples.examples(contract)]


@pytest.fixture(params=CASES, ids=[f"{contract.protocol}-{path.stem}" for contract, path in CASES])
def case(request: pytest.FixtureRequest) -> tuple[Contract, Path]:
    """Each contract in turn, with each of its examples."""
    return request.param


@pytest.fixture
def contract(case: tuple[Contract, Path]) -> Contract:
    return case[0]


@pytest.fixture
def document(case: tuple[Contract, Path]) -> dict[str, Any]:
    """An event as Choria sends it under this contract, with its keys in Choria's order."""
    contract, path = case
    return json.loads(path.read_bytes()) if path.exists() else samples.example(contract.protocol)


@pytest.fixture
def event(contract: Contract, document: dict[str, Any]) -> Any:
    """That event as an instance of its class, and of the classes nested in it."""
    return _instance(contract.cls, document)


def _instance(kind: Any, value: Any) -> Any:
    if isinstance(value, list):
        [items] = [each for each in (kind, *get_args(kind)) if getattr(each, "__origin__", None) is list]
        return [_instance(get_args(items)[0], each) for each in value]
    [cls] = [each for each in (kind, *get_args(kind)) if dataclasses.is_dataclass(each)] or [None]
    if cls is None or not isinstance(value, dict):
        return value
    hints = get_type_hints(cls)
    return cls(**{name: _instance(hints[name], each) for name, each in value.items()})


@pytest.fixture
def sample() -> Callable[[str], dict[str, Any]]:
    """A function that returns an event as Choria sends it under a protocol."""
    return samples.example
