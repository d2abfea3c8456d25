"""A simulated machine whose name, facts and files the test decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from choria_lifecycle.config.choria.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["make_machine"]


def _never(what: str) -> Callable[..., str]:
    def asked(*_: object) -> str:
        pytest.fail(f"{what} was asked")

    return asked


def make_machine(*, root: bool = False, facter: str | None = None, puppet: str | None = None) -> Machine:
    """Return a machine called n1.example.net; calling facter or puppet fails unless an answer is given."""
    return Machine(
        hostname=lambda: "n1.example.net",
        reverse_dns=_never("DNS"),
        facter=(lambda _: facter) if facter is not None else _never("facter"),
        puppet=(lambda _: puppet) if puppet is not None else _never("puppet"),
        privileged=lambda: root,
    )
