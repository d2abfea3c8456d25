"""Annotations at run time: frameworks such as pydantic, IPython and Sphinx resolve those of all public names."""

from __future__ import annotations

import inspect
import subprocess
import sys
import typing
from contextlib import suppress
from functools import cached_property

import pydantic
import pytest

import choria_lifecycle as lifecycle
import choria_schemas
import choria_schemas.registry

if typing.TYPE_CHECKING:
    from collections.abc import Callable

PACKAGES = (lifecycle, lifecycle.codec, lifecycle.testing, choria_schemas, choria_schemas.registry)
CLASSES = {contract.cls for contract in choria_schemas.registry.CONTRACTS.values()}


def public_interface() -> dict[str, object]:
    """Return everything with annotations that is public, or that a public annotation mentions, by its name."""
    found: dict[str, object] = {}
    waiting: list[object] = [getattr(package, name) for package in PACKAGES for name in package.__all__]
    waiting += CLASSES
    while waiting:
        item = waiting.pop()
        if isinstance(item, type):
            waiting += [base for base in item.__mro__ if base is not item]
            waiting += [function for name, member in vars(item).items() if (function := method(name, member))]
        if not isinstance(item, type) and not inspect.isfunction(item):
            waiting += parts(item)
            continue
        name = f"{item.__module__}.{item.__qualname__}"
        if name.startswith("choria_") and name not in found:
            found[name] = item
            with suppress(NameError):  # the test of this item fails
                waiting += typing.get_type_hints(item).values()
    return dict(sorted(found.items()))


def method(name: str, member: object) -> object:
    """Return the function of a public method or property, else None."""
    if name.startswith("_") and not name.endswith("__"):
        return None
    match member:
        case property():
            return member.fget
        case cached_property():
            return member.func
        case staticmethod() | classmethod():
            return member.__func__
    return member if inspect.isfunction(member) else None


def parts(annotation: object) -> list[object]:
    """Return the parts of an annotation such as `Iterable[X] | None`; Callable has a list of parameters."""
    return list(annotation) if isinstance(annotation, list) else list(typing.get_args(annotation))


PUBLIC = public_interface()


@pytest.mark.parametrize("name", PUBLIC)
def test_annotations_resolve(name: str) -> None:
    typing.get_type_hints(PUBLIC[name], include_extras=True)


def test_the_interface_includes_methods_and_what_they_return() -> None:
    assert {
        "choria_lifecycle.connection.connect",
        "choria_lifecycle.middleware.middleware.Middleware.__init__",
        "choria_lifecycle.middleware.middleware.Middleware.events",
        "choria_lifecycle.middleware.middleware.Middleware.server",
        "choria_lifecycle.middleware.subscription.Subscription.__aenter__",
        "choria_lifecycle.middleware.subscription.Events",
        "choria_lifecycle.middleware.bucket.Bucket.write",
        "choria_lifecycle.config.settings.ConnectionOptions",
        "choria_lifecycle.service.service.Service.__aexit__",
        "choria_lifecycle.support.clock.Clock.sleep_until",
        "choria_lifecycle.testing.announcements.Announcements.wait",
        "choria_schemas._contract.Contract.violations",
    } <= set(PUBLIC)
    assert {f"{cls.__module__}.{cls.__name__}" for cls in CLASSES} <= set(PUBLIC)


@pytest.mark.parametrize("function", [lifecycle.encode, lifecycle.describe, lifecycle.event_time, lifecycle.subject])
def test_pydantic_validates_calls(function: Callable[..., object]) -> None:
    event = lifecycle.startup(identity="n1", component="c", version="1")
    checked = pydantic.validate_call(function)
    assert checked(event) == function(event)
    with pytest.raises(pydantic.ValidationError):
        checked(1)


def test_the_classes_of_machine_events_are_imported_when_annotations_are_resolved() -> None:
    code = (
        "import sys, typing, choria_lifecycle as l; l.parse, l.encode, l.codec.decode, l.testing.assert_valid; "
        "print('choria_schemas.machine.v1.transition' in sys.modules); typing.get_type_hints(l.encode); "
        "print('choria_schemas.machine.v1.transition' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\nTrue\n"
