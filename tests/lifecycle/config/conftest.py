"""A machine and its files, as a test wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from choria_lifecycle.config.files import read
from choria_lifecycle.config.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from choria_lifecycle.config.files import Configuration


def _never(what: str) -> Callable[..., str]:
    def asked(*_: object) -> str:
        pytest.fail(f"{what} was asked")

    return asked


def a_machine(*, root: bool = False, facter: str | None = None, puppet: str | None = None) -> Machine:
    """A machine called n1.example.net; facter and puppet may not be asked unless they have an answer."""
    return Machine(
        hostname=lambda: "n1.example.net",
        reverse_dns=_never("DNS"),
        facter=(lambda _: facter) if facter is not None else _never("facter"),
        puppet=(lambda _: puppet) if puppet is not None else _never("puppet"),
        privileged=lambda: root,
    )


@pytest.fixture
def configured(tmp_path: Path) -> Callable[..., Configuration]:
    """Reads a client.conf that holds the given keys."""

    def write(keys: Mapping[str, str], environ: Mapping[str, str] | None = None) -> Configuration:
        file = tmp_path / "client.conf"
        file.write_text("".join(f"{key} = {value}\n" for key, value in keys.items()))
        return read(environ=environ or {}, root=tmp_path, directory=tmp_path, file=file)

    return write
