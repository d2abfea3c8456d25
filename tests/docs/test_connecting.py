"""docs/connecting.md agrees with the code: its files are read, its commands run, its servers connected to.

The commands on the page are run unchanged, on a simulated machine with the files of that part of the page: a temporary
folder, with broker.example.net as a server of the test bed.
"""

from __future__ import annotations

import ast
import errno
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import dns.asyncresolver
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

import choria_lifecycle as lifecycle
from choria_lifecycle import connection
from choria_lifecycle.cli.parameters import CONNECTION_FLAGS
from choria_lifecycle.cli.program import program
from choria_lifecycle.config import resolve
from choria_lifecycle.config.choria.configuration import read_configuration
from choria_lifecycle.config.choria.keys import KEYS
from choria_lifecycle.config.choria.machine import Machine
from choria_lifecycle.config.settings import Verify
from choria_lifecycle.config.table import CONNECT_TIMEOUT, SETTINGS
from choria_lifecycle.demo import embedded
from choria_lifecycle.doctor import doctor
from choria_lifecycle.nats import tls as nats_tls
from tests.bed.certificates import Authority
from tests.bed.choria import choria_broker, client_token, write_credentials
from tests.bed.dns import dns_server
from tests.bed.paths import ROOT
from tests.bed.puppet import write_ssldir
from tests.bed.servers import Operator, User, nkey, tls, users
from tests.bed.sources import tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from choria_lifecycle.config.choria.configuration import Configuration
    from tests.bed.certificates import IssuedCertificate

PAGE = (ROOT / "docs" / "connecting.md").read_text("utf-8")
PARTS = dict(re.findall(r"^##+ (.+?)\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE))
FILES = re.compile(r"^```\w*\n# (/\S+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)

BROKER = "broker.example.net"
URL = f"tls://{BROKER}:4222"
EVENT = lifecycle.startup(identity="n1.example.net", component="server", version="0.30.2")
PUPPET = Authority.create("Puppet CA: puppet.example.net", old_puppet=True)
OURS = Authority.create("Example CA")
SHOWN = OURS.issue(BROKER)
ISSUER = Ed25519PrivateKey.generate()


class Site:
    """A machine of the user alice, and the servers that stand for broker.example.net.

    Attributes:
        root: the folder that stands for /.
        home: the folder for /home/alice.
        names: the hosts in DNS, each with the port that stands for all of its ports.
        publisher: the arguments of `connect` for publishing.
    """

    def __init__(self, root: Path, patch: pytest.MonkeyPatch, stack: ExitStack) -> None:
        self.root = root
        self.home = root / "home" / "alice"
        self.home.mkdir(parents=True)
        self.names: dict[str, int] = {}
        self.publisher: dict[str, Any] = {"servers": URL}
        self.patch = patch
        self._stack = stack
        find = socket.getaddrinfo

        def getaddrinfo(host: str | bytes, port: object, *rest: Any, **named: Any) -> Any:
            name = host.decode() if isinstance(host, bytes) else host
            if name in self.names:
                return find("127.0.0.1", self.names[name], *rest, **named)
            if not name.startswith("127."):
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return find(host, port, *rest, **named)

        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        patch.setenv("HOME", str(self.home))
        patch.setenv("USER", "alice")
        patch.chdir(self.home)
        patch.delenv("PWD", raising=False)
        here = partial(resolve.choria_configuration, root=root, directory=self.home)
        for module in (resolve, connection, doctor):
            patch.setattr(module, "choria_configuration", here)
        self.machine = Machine(privileged=lambda: False, facter=lambda _: "", hostname=lambda: "n1.example.net")
        patch.setattr(resolve, "Machine", lambda: self.machine)

    def local(self, text: str) -> str:
        """Prefix the page's paths with the root."""
        return re.sub(r"(?<![\w~./])/(?=(?:etc|home|run|usr)/)", f"{self.root}/", text)

    def write(self, path: str, content: str | bytes, mode: int = 0o644) -> Path:
        file = self.root / path.removeprefix("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode)
        file.chmod(mode)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def enter(self, what: socket.socket) -> socket.socket:
        """Close the socket when the test ends."""
        return self._stack.enter_context(what)

    def pair(self, issued: IssuedCertificate, cert: str, key: str) -> dict[str, Path]:
        return {"cert": self.write(cert, issued.cert_pem), "key": self.write(key, issued.key_pem, 0o600)}

    def configuration(self) -> Configuration | None:
        return resolve.choria_configuration(environ=os.environ)

    def start(self, *config: str, host: str = BROKER) -> int:
        text = "\n".join([f"server_name: {host.partition('.')[0]}", *config])
        server = self._stack.enter_context(embedded.nats_server(text, jetstream=False))
        self.names[host] = server.port
        return server.port

    def start_tls(self, shown: IssuedCertificate = SHOWN, clients: Authority | None = None) -> None:
        folder = self.root / "server"
        folder.mkdir(exist_ok=True)
        self.start(tls(folder, shown, clients=clients))

    def start_choria(self) -> None:
        port = self.start()
        self.names[BROKER] = self._stack.enter_context(choria_broker(ISSUER, SHOWN, port)).port
        self.publisher = {"servers": f"nats://127.0.0.1:{port}"}

    def start_dns(self, zone: Any) -> None:
        server = self._stack.enter_context(dns_server(zone))
        found = dns.asyncresolver.Resolver(configure=False)
        found.nameservers, found.port = [server.address], server.port
        self.patch.setattr(dns.asyncresolver, "Resolver", lambda: found)

    def run(self, line: str) -> tuple[str, int]:
        """Run a command line; return its output and exit code."""
        words = shlex.split(re.sub(r"(?<=[ =])~(?=/)", str(self.home), self.local(line)))
        exported = words[0] == "export"
        with self.patch.context() as patch:
            while words and (exported or "=" in words[0]):
                if not exported or len(words) > 1:
                    (self.patch if exported else patch).setenv(*words[exported].split("=", 1))
                words = words[1 + exported :]
            if exported:
                return "", 0
            assert words[0] == "lifecycle"
            with self.publishing() if "--count" in words else ExitStack():
                result = CliRunner().invoke(program, words[1:])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.output.replace(str(self.root), ""), result.exit_code

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Publish repeatedly within the block, since nothing reports when a viewer has subscribed."""
        over = threading.Event()

        def publish() -> None:
            while not over.is_set():
                lifecycle.publish_once(EVENT, **self.publisher, environ={})

        thread = threading.Thread(target=publish)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(tmp_path, monkeypatch, stack)


# Parts of the page's output that differ from run to run.
VARIES = (
    (r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "TIME"),
    (r"\d\d:\d\d:\d\d \[", "CLOCK ["),
    (r"in \d+ ms", "in N ms"),
    (r"NATS \d+\.\d+\.\d+", "NATS V"),
    (r" \(tlsv1\w* alert [\w ]+\)", ""),  # with TLS 1.3 it often arrives too late
)


def plain(text: str) -> str:
    """Return the text for comparison, on one line, since the page wraps long lines."""
    for varying, fixed in VARIES:
        text = re.sub(varying, fixed, text)
    return " ".join(text.split())


def shown(text: str) -> re.Pattern[str]:
    """Return a pattern for an output on the page: a line of three dots stands for omitted lines."""
    parts = re.split(r"^ *\.\.\.$", text, flags=re.MULTILINE)
    return re.compile(r"\s?.*\s?".join(re.escape(plain(part)) for part in parts), re.DOTALL)


def lay_files(site: Site, part: str) -> None:
    """Write the files that a part of the page shows."""
    found = FILES.findall(PARTS[part])
    if part == "Kubernetes":
        text = re.search(r"^  client\.conf: \|\n((?:    .*\n)+)", PARTS[part], re.MULTILINE)
        found.append(("/etc/choria/client.conf", dedent(text[1])))
    for path, text in found:
        site.write(path, site.local(text))


def write_deployment(site: Site, part: str) -> None:
    """Write the files of a deployment, including the binary ones, as the page describes them."""
    lay_files(site, part)
    pair = None
    match part:
        case "In short" | "Where the brokers come from" | "Puppet or OpenVox":
            if part != "Puppet or OpenVox":
                lay_files(site, "Puppet or OpenVox")
            made = write_ssldir(site.home / ".puppetlabs/etc/puppet/ssl", PUPPET, "alice.mcollective")
            site.publisher |= {"ca": made.ca, "cert": made.certificate, "key": made.key}
        case "Your own certificate authority":
            pair = "alice.mcollective", "/etc/choria/tls/alice.pem", "/etc/choria/tls/alice.key"
        case "Kubernetes":
            pair = "events.mcollective", "/etc/choria/tls/tls.crt", "/etc/choria/tls/tls.key"
            site.write("/etc/choria/tls/ca.crt", OURS.pem)
        case "Tokens from an organisation issuer":
            write_tokens(site)
        case "AAA service":
            write_tokens(site)
        case "Plain NATS":
            site.publisher |= {"ca": site.write("/etc/nats/ca.pem", OURS.pem), "user": "billing", "password": "s3cret"}
            site.write("/home/alice/.nats-password", "s3cret\n", 0o600)
    if part in {"Your own certificate authority", "Tokens from an organisation issuer"}:
        site.write("/etc/choria/tls/ca.pem", OURS.pem)
    if pair:
        site.publisher |= site.pair(OURS.issue(pair[0]), *pair[1:]) | {"ca": site.write("/ca.pem", OURS.pem)}


def write_tokens(site: Site, issuer: Ed25519PrivateKey = ISSUER, **claims: Any) -> None:
    """Write tokens where the two deployments with tokens look for them."""
    write_credentials(site.home / ".config/choria", client_token(issuer, callerid="alice", **claims))
    token = client_token(issuer, callerid="up=alice", **claims)
    write_credentials(site.home / ".choria", token, token_name="token", seed_name="token.key")


def puppet_broker(site: Site) -> None:
    site.start_tls(PUPPET.issue(BROKER), PUPPET)


def no_certificate(site: Site) -> None:
    shutil.rmtree(site.home / ".puppetlabs")


def may_not_view(site: Site) -> None:
    (site.root / "server").mkdir()
    limited = users(User(name="CN=alice.mcollective", subscribe=["_INBOX.>"]))
    site.start(tls(site.root / "server", PUPPET.issue(BROKER), clients=PUPPET, mapped=True), limited)


def own_broker(site: Site) -> None:
    site.start_tls(clients=OURS)


def other_authority(site: Site) -> None:
    site.start_tls(PUPPET.issue(BROKER), OURS)


def other_clients(site: Site) -> None:
    site.start_tls(SHOWN, PUPPET)


def forbidden(site: Site) -> None:
    write_tokens(site, permissions=["streams_user"])
    site.start_choria()


def unknown_issuer(site: Site) -> None:
    write_tokens(site, Ed25519PrivateKey.generate())
    site.start_choria()


def expired(site: Site) -> None:
    write_tokens(site, expires=-60)


def certmanager(site: Site) -> None:
    keys = "plugin.security.provider = certmanager\nplugin.choria.ssldir = /etc/choria/ssl\n"
    site.write("/etc/choria/client.conf", keys)


def no_secret(site: Site) -> None:
    (site.root / "etc/choria/tls/ca.crt").unlink()


def in_dns(site: Site) -> None:
    """Start one of two brokers; the page names them in files of another part."""
    (site.root / "etc/choria/plugin.d/choria.cfg").unlink()
    records = [(20, 0, 4223, "spare.example.net"), (10, 0, 4222, BROKER)]
    site.start_dns({"_mcollective-server._tcp.example.net": records})
    puppet_broker(site)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        site.names["spare.example.net"] = closed.getsockname()[1]


def encrypted(site: Site, *config: str) -> None:
    (site.root / "server").mkdir()
    site.start(tls(site.root / "server", SHOWN), *config)


def passwords(site: Site) -> None:
    encrypted(site, (site.root / "etc/nats/nats-server.conf").read_text())


def creds(site: Site) -> None:
    operator = Operator()
    operator.creds(site.home / ".nats.creds")
    encrypted(site, operator.config)


def an_nkey(site: Site) -> None:
    other = User(name="billing", password="s3cret")
    encrypted(site, users(User(nkey=nkey(site.home / ".nats.nk")), other))


def a_token(site: Site) -> None:
    site.write("/home/alice/.nats.token", "s3cret\n", 0o600)
    site.publisher = {"servers": URL, "ca": site.root / "etc/nats/ca.pem", "token": "s3cret"}
    encrypted(site, 'authorization { token: "s3cret" }')


def certificates(site: Site) -> None:
    site.publisher = {"servers": URL, "ca": site.root / "etc/nats/ca.pem"}
    site.publisher |= site.pair(OURS.issue("alice"), "/home/alice/.nats/alice.pem", "/home/alice/.nats/alice.key")
    own_broker(site)


def nothing(site: Site) -> None:
    pass


def unreadable(site: Site) -> None:
    """Simulate a file that the user may not read; root, who may be running the tests, can read all files."""
    own = nats_tls.read_regular

    def contents(path: Path) -> bytes:
        if "private_keys" in path.parts:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return own(path)

    site.patch.setattr(nats_tls, "read_regular", contents)


def no_user(site: Site) -> None:
    site.patch.delenv("USER")


def root_without_puppet(site: Site) -> None:
    site.machine = replace(site.machine, privileged=lambda: True, puppet=lambda _: "")


def in_security_cfg(site: Site) -> None:
    lines = (site.root / "etc/choria/client.conf").read_text().splitlines(keepends=True)
    site.write("/etc/choria/client.conf", lines[0])
    site.write("/etc/choria/plugin.d/security.cfg", "".join(lines[1:]).replace("plugin.security.", ""))


def empty_authority(site: Site) -> None:
    site.write("/etc/choria/tls/ca.crt", "")


def other_key(site: Site) -> None:
    site.write("/etc/choria/tls/alice.key", OURS.issue("alice").key_pem, 0o600)


def encrypted_key(site: Site) -> None:
    path = site.root / "etc/choria/tls/alice.key"
    key = load_pem_private_key(path.read_bytes(), None)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")))


def two_ways(site: Site) -> None:
    for name, value in {"NATS_URL": URL, "NATS_CREDS": "x", "NATS_USER": "x", "NATS_PASSWORD": "x"}.items():
        site.patch.setenv(name, value)


def missing_user(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        site.names[BROKER] = closed.getsockname()[1]


def nowhere(site: Site) -> None:
    site.write("/etc/choria/plugin.d/choria.cfg", "use_srv = false\n")


def silent(site: Site) -> None:
    site.names[BROKER] = site.enter(socket.create_server(("127.0.0.1", 0))).getsockname()[1]


def other_name(site: Site) -> None:
    site.start_tls(PUPPET.issue("other.example.net"), PUPPET)


def old_certificate(site: Site) -> None:
    site.start_tls(PUPPET.issue(BROKER, expired=True), PUPPET)


def old_creds(site: Site) -> None:
    Operator().creds(site.home / ".nats.creds", expires=-60)


# The setup that each command on the page needs besides the files, in the order of the page.
EXAMPLES: dict[str, list[Callable[[Site], None]]] = {
    "In short": [puppet_broker],
    "Where the brokers come from": [in_dns],
    "Puppet or OpenVox": [puppet_broker, no_certificate, may_not_view],
    "Your own certificate authority": [own_broker, other_authority],
    "Tokens from an organisation issuer": [Site.start_choria, forbidden, unknown_issuer],
    "AAA service": [Site.start_choria, expired],
    "Kubernetes": [certmanager, own_broker, no_secret],
    "Plain NATS": [passwords, creds, an_nkey, a_token, certificates],
    "TLS": [nothing],
}


@pytest.mark.parametrize(
    ("part", "number"), [(part, number) for part, needs in EXAMPLES.items() for number in range(len(needs))]
)
def test_commands_print_what_the_page_shows(site: Site, part: str, number: int) -> None:
    blocks = CONSOLE.findall(PARTS[part])
    write_deployment(site, part)
    EXAMPLES[part][number](site)
    for line in [line for block in blocks[:number] for line in block.splitlines() if line.startswith("$ export")]:
        site.run(line[2:])
    steps = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", blocks[number], re.MULTILINE)
    assert "".join(f"$ {command}\n{output}" for command, output in steps) == blocks[number]
    for command, output in steps:
        said, _ = site.run(command)
        assert shown(output).fullmatch(plain(said)), f"{command}\n{said}"


PUPPETS, OWN, TOKENS = "Puppet or OpenVox", "Your own certificate authority", "Tokens from an organisation issuer"

# The cause of each row in the table of errors, in the order of the page: the deployment, the fault, the command.
ERRORS: list[tuple[str, Callable[[Site], object], str]] = [
    (PUPPETS, no_certificate, "lifecycle view"),
    (PUPPETS, unreadable, "lifecycle view"),
    (PUPPETS, no_user, "lifecycle view"),
    (PUPPETS, root_without_puppet, "lifecycle view"),
    (OWN, in_security_cfg, "lifecycle view"),
    ("Kubernetes", empty_authority, "lifecycle view"),
    (OWN, other_key, "lifecycle view"),
    (OWN, encrypted_key, "lifecycle view"),
    ("Plain NATS", two_ways, "lifecycle view"),
    (PUPPETS, missing_user, "lifecycle view"),
    (PUPPETS, nowhere, "lifecycle view"),
    (PUPPETS, silent, "lifecycle view --timeout 100ms"),
    (OWN, other_authority, "lifecycle view"),
    (PUPPETS, other_name, "lifecycle view"),
    (PUPPETS, old_certificate, "lifecycle view"),
    (OWN, other_clients, "lifecycle view"),
    (PUPPETS, Site.start, "lifecycle view"),
    (TOKENS, unknown_issuer, "lifecycle view"),
    (TOKENS, expired, "lifecycle view"),
    ("Plain NATS", old_creds, f"NATS_CREDS=~/.nats.creds lifecycle view --server {URL}"),
    (PUPPETS, may_not_view, "lifecycle view"),
    (TOKENS, Site.start_choria, "lifecycle emit shutdown --component billing"),
]
ROWS = re.findall(r"^\| `([^`]+)` \| (\d) \| [^|]+ \| [^|]+ \|$", PARTS["Errors"], re.MULTILINE)


@pytest.mark.parametrize("number", range(len(ERRORS)))
def test_errors_are_those_of_the_table(site: Site, number: int) -> None:
    part, harm, command = ERRORS[number]
    message, code = ROWS[number]
    write_deployment(site, part)
    harm(site)
    said, ended = site.run(command)
    expected = ".*".join(map(re.escape, f"lifecycle: error: {message}\n".split("\u2026")))
    assert re.search(f"^{expected}\\Z", said, re.MULTILINE), said
    assert ended == int(code)


def test_a_check_with_errors_ends_with_1_although_it_was_admitted(site: Site) -> None:
    write_deployment(site, TOKENS)
    forbidden(site)
    assert site.run("lifecycle config check")[1] == 1


def test_every_error_is_covered() -> None:
    assert len(ROWS) == len(ERRORS) == len(re.findall(r"^\| `", PARTS["Errors"], re.MULTILINE))


def files(folder: str, cert: str, key: str, ca: str) -> dict[str, str]:
    return {"cert": f"{folder}/{cert}", "key": f"{folder}/{key}", "ca": f"{folder}/{ca}"}


SSLDIR = "/home/alice/.puppetlabs/etc/puppet/ssl"


@pytest.mark.parametrize(
    ("part", "provider", "name", "verify", "expected"),
    [
        (
            PUPPETS,
            "puppet",
            "alice.mcollective",
            Verify.COMMON_NAME,
            files(SSLDIR, "certs/alice.mcollective.pem", "private_keys/alice.mcollective.pem", "certs/ca.pem"),
        ),
        (OWN, "file", "alice.mcollective", Verify.FULL, files("/etc/choria/tls", "alice.pem", "alice.key", "ca.pem")),
        (
            TOKENS,
            "choria",
            "alice",
            Verify.FULL,
            {
                "jwt": "/home/alice/.config/choria/token.jwt",
                "seed": "/home/alice/.config/choria/private.key",
                "ca": "/etc/choria/tls/ca.pem",
            },
        ),
        (
            "AAA service",
            "file",
            "alice.mcollective",
            Verify.NOTHING,
            {"jwt": "/home/alice/.choria/token", "seed": "/home/alice/.choria/token.key"},
        ),
        (
            "Kubernetes",
            "file",
            "alice.mcollective",
            Verify.FULL,
            files("/etc/choria/tls", "tls.crt", "tls.key", "ca.crt"),
        ),
    ],
)
def test_files_mean_what_the_page_says(
    site: Site, part: str, provider: str, name: str, verify: Verify, expected: dict[str, str]
) -> None:
    write_deployment(site, part)
    configuration = site.configuration()
    assert configuration is not None
    assert configuration.get("plugin.security.provider") == provider
    # Except where the page documents the behaviour of Puppet's module itself.
    assert {problem.severity for problem in configuration.problems} <= ({"note"} if part == PUPPETS else set())
    settings = resolve.resolve(configuration=configuration, environ=os.environ)
    assert settings.servers == (f"nats://{BROKER}:4222",)
    assert (settings.tls, settings.name, settings.verify) == (True, name, verify)
    found = {kind: getattr(settings, kind) for kind in ("cert", "key", "ca", "jwt", "seed")}
    assert {kind: str(path).replace(str(site.root), "") for kind, path in found.items() if path} == expected
    for path in expected.values():
        assert (site.root / path[1:]).exists()
    trusting = resolve.resolve(configuration=configuration, environ={**os.environ, "NATS_CA": "/ca.pem"})
    assert trusting.verify is (Verify.FULL if verify is Verify.NOTHING else verify)
    if part == TOKENS:
        (site.root / "etc/choria/tls/ca.pem").unlink()
        alone = resolve.resolve(configuration=configuration, environ=os.environ)
        assert (alone.verify, alone.ca) == (Verify.NOTHING, None)
    if part == "Kubernetes":
        mounted = re.findall(r"mountPath: ([^,} ]+)", PARTS[part])
        assert mounted == ["/etc/choria/client.conf", str(Path(expected["cert"]).parent)]
        assert {Path(path).name for path in expected.values()} <= set(re.findall(r"[\w.]+", PARTS[part]))


def test_a_service_connects_with_copies_of_the_nodes_certificate(site: Site) -> None:
    write_deployment(site, PUPPETS)
    write_ssldir(site.root / "etc/puppetlabs/puppet/ssl", PUPPET, "n1.example.net")
    puppet_broker(site)
    copying = re.search(r"^    cd .*\n(?:    install .*\n)+", PARTS[PUPPETS], re.MULTILINE)
    owner = f" -o {os.getuid()} "  # the user billing does not exist here, and only root may change a file's owner
    subprocess.run(["sh", "-euc", site.local(copying[0]).replace(" -o billing ", owner)], check=True, timeout=20)

    unit = dict(FILES.findall(PARTS[PUPPETS]))["/etc/systemd/system/billing.service.d/choria.conf"]
    [user] = re.findall(r"^User=(.+)$", unit, re.MULTILINE)
    given = " ".join(re.findall(r"^Environment=(.+)$", site.local(unit), re.MULTILINE))
    variables = dict(each.split("=", 1) for each in given.split())
    copies = {Path(path) for path in variables.values()}
    assert set((site.root / "etc/billing/ssl").iterdir()) == copies
    assert {path.stat().st_mode & 0o777 for path in copies} == {0o600}

    # The variables that systemd sets with User=, and none of alice's.
    for name, value in {"USER": user, "LOGNAME": user, "HOME": str(site.root / "home" / user), **variables}.items():
        site.patch.setenv(name, value)
    said, ended = site.run("lifecycle config check")
    assert ended == 0, said
    assert f"ok       connection: to nats://{BROKER}:4222, with TLS, as billing.mcollective" in said
    assert "the certificate of CN=n1.example.net" in said
    said, ended = site.run("lifecycle view --count 1")
    assert (ended, "[startup] n1.example.net" in said) == (0, True), said


def test_the_initial_files(site: Site) -> None:
    rows = re.findall(r"^\| \d \| `(.+?)` \| (yes|no)\b", PARTS["Precedence"], re.MULTILINE)
    assert rows[0] == ("--config FILE", "yes")
    for path, plugins in reversed(rows):
        named = path == "--config FILE"
        file = site.local("/etc/named.conf" if named else path.replace("~/", "/home/alice/"))
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).touch()
        (Path(file).parent / "plugin.d").mkdir(exist_ok=True)
        (Path(file).parent / "plugin.d" / "choria.cfg").touch()
        found = read_configuration(
            environ=os.environ, root=site.root, directory=site.root, file=Path(file) if named else None
        )
        assert str(found.initial) == file
        assert len(found.files) == (2 if plugins == "yes" else 1)


SYNTAX = re.findall(r"^\| `([^`]+)` \| `([\w.]+)` = `([^`]+)` \| [^|]+ \|$", PARTS["Precedence"], re.MULTILINE)


@pytest.mark.parametrize(("line", "key", "value"), SYNTAX)
def test_lines_mean_what_the_page_says(site: Site, line: str, key: str, value: str) -> None:
    file = site.write("/etc/choria/client.conf", f"{line}\n")
    found = read_configuration(environ={"HOME": "/home/alice"}, root=site.root, directory=site.root, file=file).get(key)
    assert (list(found) if isinstance(found, tuple) else found) == json.loads(value)


def test_the_rules_of_precedence(site: Site) -> None:
    assert len(SYNTAX) == 9
    write_deployment(site, PUPPETS)

    def servers(server: str | None = None, config: str | None = None, **variables: str) -> tuple[str, ...]:
        environ = {**os.environ, **variables}
        configuration = resolve.choria_configuration(server, config=config and site.local(config), environ=environ)
        return resolve.resolve(server, configuration=configuration, environ=environ).servers

    file = "/etc/choria/client.conf"
    assert servers() == (f"nats://{BROKER}:4222",)
    assert servers(NATS_URL="a") == servers(NATS_URL="a", config=file) == ("nats://a:4222",)
    assert servers("b", NATS_URL="a") == servers("b", file) == ("nats://b:4222",)
    assert resolve.choria_configuration("b", environ=os.environ) is None
    assert servers(CHORIA_FED_COLLECTIVE="x") == ()
    for each in ("client.conf", "plugin.d/choria.cfg"):
        (site.root / "etc/choria" / each).unlink()
    assert site.configuration() is None
    site.write("/home/alice/choria.conf", "plugin.choria.middleware_hosts = a:1\n")
    assert servers() == ("nats://127.0.0.1:4222",)
    site.write("/etc/choria/client.conf", "\n")
    assert servers() == ("nats://a:1",)


def test_all_keys_are_listed() -> None:
    part = PARTS["All keys and variables"]
    found: dict[str, tuple[str, Any, str]] = {}
    for keys, kind, default, variable in re.findall(
        r"^\| (`.+`) \| (\w+) \| (.*)\| (.*)\|$", part.partition("An empty variable")[0], re.MULTILINE
    ):
        empty = () if kind == "comma_split" else ""
        value = json.loads(default.strip(" `")) if default.strip() else empty
        found |= dict.fromkeys(re.findall(r"`([^`]+)`", keys), (kind, value, variable.strip(" `")))
    assert found == {key.name: (key.kind, key.default, key.variable) for key in KEYS.values()}


def test_all_settings_are_listed() -> None:
    def code(text: str) -> str:
        return f"`{text}` " if text else ""

    part = PARTS["All keys and variables"].partition("| argument |")[2].partition("\n\n")[0]
    wanted = [
        f"| `{spec.name}` | {code(spec.variable)}| {code(CONNECTION_FLAGS.get(spec.name, ''))}| {spec.description} | "
        f"{spec.fallback}{' ' if spec.fallback else ''}|"
        for spec in SETTINGS.values()
        if spec.argument
    ]
    rows = part.splitlines()[2:]
    assert rows == wanted, "the rows of docs/connecting.md, in the order of config/table.py, are:\n" + "\n".join(wanted)
    assert f"within `--timeout`, {CONNECT_TIMEOUT:g} seconds by default," in " ".join(PAGE.split())


def test_all_variables_are_listed() -> None:
    sources = {path for path in Path(lifecycle.__file__).parent.rglob("*.py") if "cli" not in path.parts}
    sources = {path for path in sources if path.name != "embedded.py"}  # runs a server, and connects to none
    constants = {
        node.value
        for source in sources
        for node in ast.walk(tree(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    } - {"CHORIA_EVENTS", "CHORIA_LEADER_ELECTION"}  # of streams and buckets
    variable = re.compile(r"(NATS|MCOLLECTIVE|CHORIA|INSECURE)(_[A-Z]+)+|HOME|HOMEDRIVE|HOMEDIR|PWD|USER|USERNAME")
    part = PARTS["All keys and variables"]
    tables = "".join(part.partition(head)[2].partition("\n\n")[0] for head in ("| argument |", "| variable | what"))
    assert set(re.findall(r"`([A-Z_]+)`", tables)) == {text for text in constants if variable.fullmatch(text)}


def test_flags_and_links_exist() -> None:
    flags = {
        name
        for command in ("view", "emit")
        for parameter in import_module(f"choria_lifecycle.cli.{command}").command.params
        for name in parameter.opts
    }
    text = re.sub(r"^    choria (.*\n)+?\n", "", PAGE, flags=re.MULTILINE)
    for others in ("--event-viewer", "--publish", "--validity"):  # the flags of choria jwt client
        text = text.replace(f"`{others}`", "")
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)) <= flags | {"--environment", "--configprint"}
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target


def test_every_example_is_run() -> None:
    assert {part: len(CONSOLE.findall(text)) for part, text in PARTS.items() if CONSOLE.search(text)} == {
        part: len(needs) for part, needs in EXAMPLES.items()
    }
