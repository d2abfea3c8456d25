"""This node's identity, from Choria's configuration or from the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.config import node
from choria_lifecycle.config.choria.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Machine]:
    """Sets this machine's host name, and the names from DNS and facter; no project file of Choria's applies."""
    monkeypatch.chdir(tmp_path)

    def set_names(host: str, dns: str = "", fqdn: str = "") -> Machine:
        machine = Machine(hostname=lambda: host, reverse_dns=lambda _: dns, facter=lambda _: fqdn)
        monkeypatch.setattr(node, "Machine", lambda: machine)
        return machine

    return set_names


@pytest.mark.parametrize(
    ("names", "identity"),
    [
        (("n1.example.net", "other.example.net", "third.example.net"), "n1.example.net"),
        (("n1.local", "n1.example.net.", "third.example.net"), "n1.example.net"),
        (("n1", "localhost", "n1.example.net"), "n1.example.net"),
        (("n1", "", ""), "n1"),
    ],
)
def test_the_identity_is_derived_as_by_choria(
    machine: Callable[..., Machine], names: tuple[str, str, str], identity: str
) -> None:
    derived = machine(*names).identity
    assert lifecycle.identity(environ={}) == derived == identity


def test_an_identity_in_the_configuration_takes_precedence(tmp_path: Path, machine: Callable[..., Machine]) -> None:
    machine("n1.example.net")
    file = tmp_path / "client.conf"
    file.write_text("identity = n9.example.net\n")
    assert lifecycle.identity(file, environ={}) == "n9.example.net"
    file.write_text("collectives = mcollective\n")
    assert lifecycle.identity(str(file), environ={}) == "n1.example.net"


@pytest.mark.parametrize("servers", [{}, {"NATS_URL": "nats://127.0.0.1:4222"}])
def test_the_identity_does_not_depend_on_the_servers(
    tmp_path: Path, machine: Callable[..., Machine], servers: dict[str, str]
) -> None:
    machine("n1.example.net")
    (tmp_path / ".choriarc").write_text("identity = n9.example.net\n")
    assert lifecycle.identity(environ={"HOME": str(tmp_path), **servers}) == "n9.example.net"


def test_the_environment_is_that_of_the_process(
    tmp_path: Path, machine: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine("n1.example.net")
    (tmp_path / ".choriarc").write_text("identity = n9.example.net\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NATS_URL", "nats://127.0.0.1:4222")
    assert lifecycle.identity() == "n9.example.net"


def test_a_configuration_that_cannot_be_read_is_an_error(tmp_path: Path, machine: Callable[..., Machine]) -> None:
    machine("n1.example.net")
    with pytest.raises(lifecycle.ConfigError, match=r"missing\.conf"):
        lifecycle.identity(tmp_path / "missing.conf", environ={})
