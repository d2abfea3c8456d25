"""The private nats-server: lookup, start, failures and end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from importlib import metadata
from typing import TYPE_CHECKING

import pytest

from choria_lifecycle.demo import embedded
from choria_lifecycle.errors import ConfigError, ConnectionFailed, MissingExtra

if TYPE_CHECKING:
    from pathlib import Path


def answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            return connection.recv(5) == b"INFO "
    except OSError:
        return False


def executable(path: Path, script: str = "exit 3") -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_the_server_runs_until_the_block_ends() -> None:
    with embedded.nats_server() as server:
        assert server.url == f"nats://127.0.0.1:{server.port}"
        assert answers(server.port)
        home = server.log.parent
    assert server.process.returncode is not None
    assert not answers(server.port)
    assert not home.exists()


def test_two_servers_run_at_once() -> None:
    with embedded.nats_server(jetstream=False) as one, embedded.nats_server(jetstream=False) as two:
        assert one.port != two.port


def test_an_exception_stops_the_server() -> None:
    with pytest.raises(KeyboardInterrupt), embedded.nats_server(jetstream=False) as server:
        raise KeyboardInterrupt
    assert server.process.returncode is not None


def test_the_server_may_have_ended_before_the_block() -> None:
    with embedded.nats_server(jetstream=False) as server:
        server.kill()
    assert server.process.returncode == -signal.SIGKILL


def test_a_server_that_ignores_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_STOP_SECONDS", 0.1)
    with embedded.nats_server(jetstream=False) as server:
        server.process.send_signal(signal.SIGSTOP)
        os.waitpid(server.process.pid, os.WUNTRACED)
    assert server.process.returncode == -signal.SIGKILL


def test_a_given_store_is_kept(tmp_path: Path) -> None:
    with embedded.nats_server(store=tmp_path):
        pass
    assert (tmp_path / "jetstream").is_dir()


def test_the_configuration_is_used() -> None:
    with (
        embedded.nats_server("max_payload: 4242", jetstream=False) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=2) as connection,
    ):
        assert b'"max_payload":4242' in connection.recv(4096)


def test_a_broken_configuration_is_reported() -> None:
    with pytest.raises(ConnectionFailed, match=r"ended: .*Parse error"), embedded.nats_server("max_payload: {"):
        pytest.fail("started")


def test_a_program_that_cannot_be_run_is_reported(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF and nothing more")
    broken.chmod(0o755)
    environ = {"NATS_SERVER_BIN": str(broken), "PATH": os.environ["PATH"]}
    with pytest.raises(ConfigError, match=f"cannot run {broken}"), embedded.nats_server(environ=environ):
        pytest.fail("started")


def test_a_port_in_use_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConnectionFailed, match="ended"), embedded.nats_server(port=port, jetstream=False):
            pytest.fail("started")


def test_a_server_that_never_answers_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(embedded, "_START_SECONDS", 0.1)
    silent = executable(tmp_path / "silent", "exec sleep 60")
    environ = {"NATS_SERVER_BIN": str(silent), "PATH": os.environ["PATH"]}
    with pytest.raises(ConnectionFailed, match="did not answer"), embedded.nats_server(environ=environ):
        pytest.fail("started")


def test_the_binary_is_looked_up_in_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    chosen = executable(tmp_path / "chosen")
    (tmp_path / "bin").mkdir()
    on_path = executable(tmp_path / "bin" / "nats-server")
    path = str(tmp_path / "bin")
    assert embedded.find_binary({"NATS_SERVER_BIN": str(chosen), "PATH": path}) == chosen
    assert embedded.find_binary({"NATS_SERVER_BIN": "", "PATH": path}) == on_path
    assert embedded.find_binary({"PATH": str(tmp_path)}).stem == "nats-server"
    with pytest.raises(ConfigError, match="NATS_SERVER_BIN"):
        embedded.find_binary({"NATS_SERVER_BIN": str(tmp_path / "nonesuch"), "PATH": path})

    def missing(_: str) -> None:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "files", missing)
    with pytest.raises(MissingExtra, match=r"choria-lifecycle\[demo\]"):
        embedded.find_binary({"PATH": str(tmp_path)})


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_the_server_ends_with_a_killed_parent() -> None:
    program = (
        "import sys\n"
        "from choria_lifecycle.demo import embedded\n"
        "with embedded.nats_server(jetstream=False) as server:\n"
        "    print(server.process.pid, server.port, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdin is not None
    assert parent.stdout is not None
    with parent.stdin, parent.stdout:
        pid, port = map(int, parent.stdout.readline().split())
        handle = os.pidfd_open(pid)
        parent.kill()
        parent.wait()
        signalled = __import__("select").select([handle], [], [], 10)[0]
        os.close(handle)
    assert signalled
    assert not answers(port)


def test_ctrl_c_does_not_reach_the_server() -> None:
    with embedded.nats_server(jetstream=False) as server:
        assert os.getpgid(server.process.pid) != os.getpgid(0)
