"""Choria itself: its broker, tokens and client, run by the Go program in this folder."""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import IO, TYPE_CHECKING, Any

from tests.bed.certificates import LOOPBACK
from tests.bed.golang import GoError, build
from tests.bed.ports import free_port

from .process import SECONDS, process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from .process import Lines

__all__ = ["Broker", "Choria", "Client", "GoError", "Keys", "choria", "streams", "write"]

SOURCE = Path(__file__).parent

_TOKEN_SECONDS = 3600.0

_STREAM = "plugin.choria.network.stream"
_KINDS = ("event", "machine", "advisory", "executor", "leader_election")


@dataclass(frozen=True, slots=True)
class Keys:
    """A pair of ed25519 keys, as made by `choria jwt keys`.

    Attributes:
        seed: the file of the private key.
        public: the public key, in hexadecimal.
    """

    seed: Path
    public: str


@dataclass(frozen=True, slots=True)
class Broker:
    """A running broker.

    Attributes:
        port: its port on the loopback interface.
        log: its log file, one JSON object per line, with the reason for each refused client.
        kill: end it with SIGKILL, and wait for its end.
    """

    port: int
    log: Path
    kill: Callable[[], None]

    def reasons(self) -> list[str]:
        """Return its warnings so far."""
        lines = [json.loads(line) for line in self.log.read_text("utf-8").splitlines()]
        return [line["msg"] for line in lines if line["level"] in ("warning", "error")]


class Client:
    """Choria's own client: its reports, and commands for it.

    Attributes:
        told: all its reports so far, in order.
    """

    def __init__(self, lines: Lines, stdin: IO[str]) -> None:
        self.told: list[dict[str, Any]] = []
        self._lines = lines
        self._stdin = stdin

    def until(self, *names: str) -> dict[str, Any]:
        """Wait for one of these reports, and return it.

        Raises:
            GoError: the client exited, or did not send one within a minute.
        """
        while True:
            self.told.append(self._lines.next())
            if any(name in self.told[-1] for name in names):
                return self.told[-1]

    def events(self, count: int) -> list[str]:
        """Wait until it has received this many events in total; return their subjects."""
        while len(found := [line["event"] for line in self.told if "event" in line]) < count:
            self.until("event")
        return found

    def ask(self, **command: str) -> bool:
        """Make it subscribe to a subject, or publish an event of a component; return True if the broker refuses."""
        self._stdin.write(json.dumps(command) + "\n")
        self._stdin.flush()
        return bool(self.until("refused")["refused"])


class Choria:
    """The Go program, built."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self._binary = binary
        self._folder = folder

    def keys(self, seed: Path) -> Keys:
        """Make a pair of keys, and write the private one."""
        [answer] = self._tokens({"work": "keys", "file": str(seed)})
        return Keys(seed, answer["public"])

    def client_token(
        self,
        file: Path,
        signing_key: Path,
        *,
        public_key: str,
        identity: str,
        permissions: Iterable[str] = (),
        publish: Iterable[str] = (),
        subscribe: Iterable[str] = (),
        org: str = "choria",
        validity: float = _TOKEN_SECONDS,
        valid_in: float = 0.0,
    ) -> Path:
        """Write a token as made by `choria jwt client`.

        Args:
            file: the file to write.
            signing_key: the issuer's seed, or a PEM file with an RSA key.
            public_key: the owner's.
            identity: the caller id.
            permissions: its permissions, by their names in the token.
            publish: additional subjects for publishing.
            subscribe: additional subjects for subscriptions.
            org: the organisation, by which a broker finds the issuer.
            validity: seconds until it expires; negative if it has expired.
            valid_in: seconds until it becomes valid.
        """
        self._tokens(
            {
                "work": "client",
                "file": str(file),
                "signing_key": str(signing_key),
                "public_key": public_key,
                "identity": identity,
                "permissions": dict.fromkeys(permissions, True),
                "publish": list(publish),
                "subscribe": list(subscribe),
                "org": org,
                "validity": validity,
                "valid_in": valid_in,
            }
        )
        return file

    def server_token(
        self, file: Path, signing_key: Path, *, public_key: str, identity: str, collectives: Iterable[str]
    ) -> Path:
        """Write a token as made by `choria jwt server`, valid for an hour."""
        self._tokens(
            {
                "work": "server",
                "file": str(file),
                "signing_key": str(signing_key),
                "public_key": public_key,
                "identity": identity,
                "collectives": list(collectives),
                "org": "choria",
                "validity": _TOKEN_SECONDS,
            }
        )
        return file

    @contextmanager
    def broker(self, settings: Mapping[str, object], *, environ: Mapping[str, str]) -> Iterator[Broker]:
        """Run a broker on a free port of the loopback interface.

        Args:
            settings: its configuration, without the settings that all brokers need.
            environ: its environment.
        """
        with self._broker(settings, environ) as (lines, log):
            yield Broker(lines.next()["port"], log, lines.kill)

    @contextmanager
    def cluster(
        self, settings: Mapping[str, object], *, size: int, environ: Mapping[str, str]
    ) -> Iterator[dict[str, Broker]]:
        """Run brokers b1, b2 and so on as a cluster with streams; the block begins while they are starting.

        The last one manages the streams. If all did, each would create them at once and some would give up: Choria does
        not retry a request that fails, and until a cluster has elected its leaders requests fail.

        Args:
            settings: the configuration that they share.
            size: the number of brokers.
            environ: their environment.
        """
        ports = [(free_port(), free_port()) for _ in range(size)]
        peers = {"plugin.choria.network.peers": ", ".join(f"{LOOPBACK}:{route}" for _, route in ports)}
        with ExitStack() as stack:
            brokers = {}
            for number, (port, route) in enumerate(ports, start=1):
                own = {
                    "identity": f"b{number}",
                    "plugin.choria.network.client_port": port,
                    "plugin.choria.network.peer_port": route,
                    f"{_STREAM}.manage_streams": int(number == size),
                }
                store = streams(Path(mkdtemp(dir=self._folder)), replicas=size)
                lines, log = stack.enter_context(self._broker({**settings, **peers, **own, **store}, environ))
                stack.callback(lines.kill)  # a cluster without its leader takes long to exit
                brokers[f"b{number}"] = Broker(port, log, lines.kill)
            yield brokers

    @contextmanager
    def _broker(self, settings: Mapping[str, object], environ: Mapping[str, str]) -> Iterator[tuple[Lines, Path]]:
        folder = Path(mkdtemp(dir=self._folder))
        log = folder / "broker.log"
        log.touch()
        common = {
            "identity": "localhost",
            "logfile": log,
            "loglevel": "debug",
            "plugin.choria.use_srv": "false",
            "plugin.choria.broker_network": "true",
            "plugin.choria.network.listen_address": "127.0.0.1",
            "plugin.choria.network.client_port": "-1",
            "plugin.choria.network.public_url": "localhost",
        }
        file = write(folder / "broker.conf", {**common, **settings})
        with process([self._binary, "serve", file], environ, folder) as (lines, _):
            yield lines, log

    @contextmanager
    def client(self, file: Path, *, environ: Mapping[str, str], folder: Path) -> Iterator[Client]:
        """Run Choria's client with a configuration; it retries the connection forever.

        Args:
            file: the configuration.
            environ: its environment.
            folder: its working directory.
        """
        with process([self._binary, "client", file], environ, folder) as (lines, stdin):
            yield Client(lines, stdin)

    def _tokens(self, *orders: dict[str, object]) -> list[dict[str, str]]:
        text = "".join(json.dumps(order) + "\n" for order in orders)
        done = subprocess.run([self._binary, "tokens"], input=text, capture_output=True, text=True, timeout=SECONDS)
        if done.returncode:
            raise GoError(done.stderr.strip())
        return [json.loads(line) for line in done.stdout.splitlines()]


@contextmanager
def choria() -> Iterator[Choria]:
    """Build the program in a temporary folder.

    Raises:
        GoError: the build failed.
    """
    with TemporaryDirectory(prefix="lifecycle-choria-") as name:
        binary = Path(name) / "broker"
        build(SOURCE, binary)
        yield Choria(binary, Path(name))


def streams(store: Path, *, replicas: int = 1) -> dict[str, object]:
    """Return the settings of a broker with streams; without a number of replicas it would wait for up to 69 s."""
    return {f"{_STREAM}.store": store} | {f"{_STREAM}.{kind}_replicas": replicas for kind in _KINDS}


def write(file: Path, settings: Mapping[str, object]) -> Path:
    """Write a configuration; a file called choria.conf would be a project's."""
    file.write_text("".join(f"{key} = {value}\n" for key, value in settings.items()), "utf-8")
    return file
