"""A fixture that writes and reads a configuration of Choria's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from choria_lifecycle.config.choria.configuration import read_configuration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from choria_lifecycle.config.choria.configuration import Configuration


@pytest.fixture
def configured(tmp_path: Path) -> Callable[..., Configuration]:
    """Return a function that reads a client.conf with the given keys."""

    def write(keys: Mapping[str, str], environ: Mapping[str, str] | None = None) -> Configuration:
        file = tmp_path / "client.conf"
        file.write_text("".join(f"{key} = {value}\n" for key, value in keys.items()))
        return read_configuration(environ=environ or {}, root=tmp_path, directory=tmp_path, file=file)

    return write
