from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.config.choria import machine
from tests.bed.samples import BASE, OPTIONS, every_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

COMMON = ["--identity", "n1.example.net", "--component", "backup", "--id", "abc", "--timestamp", 1795348800]


@pytest.mark.parametrize("form", lifecycle.Format)
@every_type
def test_dry_run_prints_subject_and_payload(name: str, form: lifecycle.Format, run: Callable[..., Result]) -> None:
    own = {option: value for option, value in OPTIONS[name].items() if option not in BASE}
    flags = [argument for option, value in own.items() for argument in (f"--{option.replace('_', '-')}", value)]
    result = run("emit", name, *COMMON, "--dry-run", *flags, "--format", form)
    assert (result.exit_code, result.stderr) == (0, "")
    subject, payload = result.stdout.splitlines()
    assert subject == f"choria.lifecycle.event.{name}.backup"
    assert lifecycle.detect_format(payload) is form
    event = lifecycle.parse(payload)
    assert (lifecycle.event_type(event), event.identity, event.id, event.timestamp) == (
        name,
        "n1.example.net",
        "abc",
        1795348800,
    )
    assert {option: getattr(event, option) for option in own} == own


def test_the_default_identity_is_the_one_that_choria_derives(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine.Machine, "identity", "derived.example.net")
    result = run("emit", "shutdown", "--component", "backup", "--dry-run")
    assert json.loads(result.stdout.splitlines()[1])["identity"] == "derived.example.net"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["startup", "--component", "c"], "cannot create the startup event: missing version"),
        (["startup"], "missing component, version"),
        (["shutdown", "--component", "c", "--version", "1"], "version belongs to "),
        (["shutdown", "--component", "a.b"], "must be one token of the subject"),
        (["shutdown", "--component", "c", "--identity", "a\nb"], "control characters"),
        (
            ["governor", "--component", "c", "--governor", "G", "--event-type", "win"],
            "'enter', 'exit', 'timeouts', 'eviction'",
        ),
        (["governor", "--component", "c", "--governor", "G", "--event-type", "exit", "--sequence", "-1"], "negative"),
        (["startup", "--timestamp", "noon"], "'noon' is not a valid integer"),
        (["restart"], "'restart' is not one of 'alive'"),
        ([], "TYPE"),
    ],
)
def test_invalid_options_are_refused(arguments: list[str], reason: str, run: Callable[..., Result]) -> None:
    identity_option = [] if "--identity" in arguments else ["--identity", "n1"]
    result = run("emit", *arguments, *identity_option)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Usage: lifecycle emit ")
    assert reason in result.stderr


def test_a_refused_connection_exits_with_3(run: Callable[..., Result], unused_tcp_port: int) -> None:
    url = f"nats://127.0.0.1:{unused_tcp_port}"
    result = run("emit", "shutdown", "--identity", "n1", "--component", "c", "--server", url)
    assert result.exit_code == 3
    assert result.stderr.startswith(f"lifecycle: error: cannot connect to {url}: connection refused. Is the server ")


def test_contradictory_settings_are_refused(run: Callable[..., Result]) -> None:
    result = run("emit", "shutdown", "--identity", "n1", "--component", "c", "--user", "me")
    assert result.exit_code == 2
    assert "password" in result.stderr
