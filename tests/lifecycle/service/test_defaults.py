"""The default version is that of the caller's distribution; the default identity is the one that Choria derives."""

from __future__ import annotations

import importlib
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from choria_lifecycle.config.choria.machine import Machine
from choria_lifecycle.errors import OptionError
from choria_lifecycle.service import defaults
from choria_lifecycle.service.defaults import local_identity, version_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MODULE = "from choria_lifecycle import Service\n\ndef service(*a, **o):\n    return Service('billing', *a, **o)\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the import path, for installing packages."""
    modules = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - modules:
        if name.partition(".")[0] in {"acme_billing", "acme"}:
            del sys.modules[name]


def install(site: Path, distribution: str, version: str, *files: str, top: str | None = None) -> None:
    """Install a distribution as pip does."""
    for file in files:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).write_text(MODULE)
    info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))
    if top is not None:
        (info / "top_level.txt").write_text(f"{top}\n")
    importlib.invalidate_caches()


def made_by(module: str, *arguments: str) -> str:
    return str(importlib.import_module(module).service(*arguments).version)


@pytest.mark.parametrize("distribution", ["acme_billing", "acme-billing", "something-else"])
@pytest.mark.parametrize("module", ["acme_billing", "acme_billing.web", "acme_billing.deep.down"])
def test_the_version_is_that_of_the_callers_distribution(site: Path, distribution: str, module: str) -> None:
    files = ["acme_billing/__init__.py", "acme_billing/web.py", "acme_billing/deep/__init__.py"]
    install(site, distribution, "1.4.2", *files, "acme_billing/deep/down.py")
    assert made_by(module) == "1.4.2"
    assert made_by(module, "2") == "2"


def test_a_top_level_module(site: Path) -> None:
    install(site, "something-else", "3.1", "acme_billing.py", top="acme_billing")
    assert made_by("acme_billing") == "3.1"


def test_distributions_that_share_a_namespace_package(site: Path) -> None:
    for number, name in enumerate(("aaa", "mmm", "zzz")):
        install(site, f"acme-{name}", f"{number}.0", f"acme/{name}/__init__.py", f"acme/{name}/web.py")
    assert [made_by(f"acme.{name}.web") for name in ("aaa", "mmm", "zzz")] == ["0.0", "1.0", "2.0"]


def test_a_distribution_named_like_the_namespace_package(site: Path) -> None:
    install(site, "acme", "9.9.9", "acme/core.py")
    install(site, "acme-billing", "1.4.2", "acme/billing/__init__.py")
    assert (made_by("acme.billing"), made_by("acme.core")) == ("1.4.2", "9.9.9")


def test_a_distribution_without_the_file_is_not_used(site: Path) -> None:
    install(site, "acme-billing", "9.9.9", "acme_billing/other.py")
    (site / "acme_billing" / "__init__.py").write_text(MODULE)
    with pytest.raises(OptionError, match='no installed distribution provides "acme_billing"'):
        made_by("acme_billing")


@pytest.mark.parametrize("known", ["editable", "without a list"])
def test_a_distribution_without_a_list_of_its_files(site: Path, known: str) -> None:
    """Debian packages have no list; the list of an editable install lacks the package's files."""
    (site / "acme_billing.py").write_text(MODULE)
    install(site, "something-else", "1.4.2", top="acme_billing")
    info = site / "something_else-1.4.2.dist-info"
    if known == "editable":
        (info / "RECORD").write_text("__editable__.pth,,\n")
        (info / "direct_url.json").write_text('{"dir_info":{"editable":true},"url":"file:///src"}')
    else:
        (info / "RECORD").unlink()
    assert made_by("acme_billing") == "1.4.2"


def test_an_uninstalled_module(site: Path) -> None:
    (site / "acme_billing.py").write_text(MODULE)
    with pytest.raises(OptionError) as caught:
        made_by("acme_billing")
    assert str(caught.value) == (
        "no installed distribution provides \"acme_billing\": pass its version, as in version='1.4.2'"
    )
    assert caught.value.missing == ("version",)


@pytest.mark.parametrize("module", [{}, {"__name__": "__main__"}, {"__name__": "__main__", "__spec__": None}])
def test_an_uninstalled_script(module: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=r"pass its version, as in version='1\.4\.2'"):
        version_of(module)


def test_a_program_run_as_a_module_or_by_its_path(site: Path) -> None:
    install(site, "something-else", "1.4.2", "acme_billing/__init__.py", "acme_billing/run.py")
    program = "import sys\nfrom choria_lifecycle import OptionError, Service\ntry:\n    print(Service('b').version)\n"
    (site / "acme_billing" / "run.py").write_text(f"{program}except OptionError as error:\n    print(error)\n")
    for arguments, output in (
        (["-m", "acme_billing.run"], "1.4.2"),
        (["acme_billing/run.py"], 'no installed distribution provides "__main__"'),
    ):
        ran = subprocess.run([sys.executable, *arguments], cwd=site, capture_output=True, text=True, timeout=20)
        assert (ran.stdout.startswith(output), ran.stderr) == (True, ""), ran.stdout


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets this machine's host name, and the names from DNS and facter."""

    def set_names(host: str, dns: str = "", fqdn: str = "") -> None:
        machine = Machine(hostname=lambda: host, reverse_dns=lambda _: dns, facter=lambda _: fqdn)
        for module in (defaults, importlib.import_module("choria_lifecycle.config.resolve")):
            monkeypatch.setattr(module, "Machine", lambda: machine)

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
@pytest.mark.usefixtures("no_choria")
def test_the_identity_is_derived_as_by_choria(
    machine: Callable[..., None], names: tuple[str, str, str], identity: str
) -> None:
    machine(*names)
    assert local_identity(None, {"NATS_URL": "nats://127.0.0.1:4222"}) == identity


@pytest.fixture
def no_choria(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_an_identity_in_the_configuration_takes_precedence(tmp_path: Path, machine: Callable[..., None]) -> None:
    machine("n1.example.net")
    file = tmp_path / "client.conf"
    file.write_text("identity = n9.example.net\n")
    assert local_identity(file, {}) == "n9.example.net"
    file.write_text("collectives = mcollective\n")
    assert local_identity(str(file), {}) == "n1.example.net"


def test_the_identity_does_not_depend_on_the_servers(tmp_path: Path, machine: Callable[..., None]) -> None:
    machine("n1.example.net")
    file = tmp_path / ".choriarc"
    file.write_text("identity = n9.example.net\n")
    for environ in ({}, {"NATS_URL": "nats://127.0.0.1:4222"}):
        assert local_identity(None, {"HOME": str(tmp_path), **environ}) == "n9.example.net"


def test_a_missing_configuration_does_not_fail_the_identity(tmp_path: Path, machine: Callable[..., None]) -> None:
    machine("n1.example.net")
    assert local_identity(tmp_path / "missing.conf", {}) == "n1.example.net"
