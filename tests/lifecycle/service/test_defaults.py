"""The default version is that of the caller's distribution; the default identity is the one that Choria derives."""

from __future__ import annotations

import importlib
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from choria_lifecycle.config import node
from choria_lifecycle.config.choria.machine import Machine
from choria_lifecycle.errors import OptionError
from choria_lifecycle.service import defaults
from choria_lifecycle.service.defaults import local_identity, version_of

if TYPE_CHECKING:
    from collections.abc import Iterator
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


def test_the_identity_of_a_service_is_this_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(hostname=lambda: "n1.example.net")
    for module in (defaults, node):
        monkeypatch.setattr(module, "Machine", lambda: machine)
    file = tmp_path / "client.conf"
    assert local_identity(file, {}) == "n1.example.net"  # the file is missing, which connecting reports
    file.write_text("identity = n9.example.net\n")
    assert local_identity(file, {}) == "n9.example.net"
