"""The identity that is derived for a machine without one, in Choria's order."""

from __future__ import annotations

import os
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from choria_lifecycle.config.choria import machine
from choria_lifecycle.config.choria.machine import Machine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("hostname", "dns", "facter", "expected"),
    [
        ("n1.example.net", "other", "other", "n1.example.net"),
        ("a.b.c.d", "other", "other", "a.b.c.d"),
        ("n1.local", "n1.example.net", "other", "n1.example.net"),
        ("n1", "n1.example.net.", "other", "n1.example.net"),
        ("n1", "localhost", "n1.facts.net", "n1.facts.net"),
        ("n1", "", "n1.facts.net", "n1.facts.net"),
        ("n1", "", "", "n1"),
        ("n1", "localhost", "", "n1"),
    ],
)
def test_order(hostname: str, dns: str, facter: str, expected: str) -> None:
    asked: list[str] = []

    def reverse(host: str) -> str:
        asked.append(host)
        return dns

    found = Machine(hostname=lambda: hostname, reverse_dns=reverse, facter=lambda fact: facter)
    assert found.identity == expected
    assert asked == ([] if hostname.count(".") > 1 else [hostname])


def test_slow_queries_are_avoided() -> None:
    def never(_: str) -> str:
        pytest.fail("asked")

    assert Machine(hostname=lambda: "n", reverse_dns=lambda _: "n.example.net", facter=never).identity


def test_this_machine_has_one() -> None:
    assert Machine(facter=lambda _: "").identity


def test_reverse_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [address])
    monkeypatch.setattr(socket, "gethostbyaddr", lambda ip: (f"host-of-{ip}", [], []))
    assert Machine().reverse_dns("n1") == "host-of-192.0.2.1"

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "no")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert Machine().reverse_dns("n1") == ""


@pytest.mark.skipif(os.name != "posix", reason="the stand-in is a shell script")
def test_facter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    program = tmp_path / "facter"
    for script, answer in (
        ('test "$1" = networking.fqdn && echo n1.facts.net', "n1.facts.net"),
        ("exit 1", ""),
        ("exec sleep 60", ""),
    ):
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setattr(machine, "_TOOL_TIMEOUT", 0.5 if "sleep" in script else 5.0)
        assert Machine().facter("networking.fqdn") == answer
    program.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Machine().facter("networking.fqdn") == ""


def test_facter_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise subprocess.SubprocessError

    monkeypatch.setattr(subprocess, "run", broken)
    assert Machine().facter("networking.fqdn") == ""
