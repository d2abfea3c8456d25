"""Which files are read, and in which precedence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from choria_lifecycle.config.choria.configuration import find_initial_file, read_configuration
from choria_lifecycle.config.choria.keys import KEYS
from choria_lifecycle.errors import ConfigError
from tests.bed.configurations import ETC, PLUGIN, RC, build, found, load, names

SECRET = "s3cret"

OLD_RC = "home/.mcollective"
LOCAL = "usr/local/etc/choria/client.conf"
PUPPET = "etc/puppetlabs/mcollective/client.cfg"
WINDOWS = "ProgramData/choria/etc/client.conf"


@pytest.mark.parametrize(
    ("present", "initial"),
    [
        ((RC, OLD_RC, ETC, LOCAL, PUPPET), RC),
        ((OLD_RC, ETC, LOCAL, PUPPET), OLD_RC),
        ((ETC, LOCAL, PUPPET), ETC),
        ((LOCAL, PUPPET), LOCAL),
        ((PUPPET,), PUPPET),
        ((), None),
        ((WINDOWS, ".choriarc", "work/choria.conf", "etc/choria/server.conf"), None),
    ],
)
def test_the_initial_file(present: tuple[str, ...], initial: str | None, tmp_path: Path) -> None:
    configuration = load(tmp_path, dict.fromkeys(present, ""))
    assert configuration.initial == (tmp_path / initial if initial else None)
    assert find_initial_file({"HOME": str(tmp_path / "home")}, tmp_path) == configuration.initial


@pytest.mark.parametrize(
    ("present", "initial"),
    [
        ((RC, WINDOWS, ETC), RC),
        ((OLD_RC, WINDOWS, ETC), OLD_RC),
        ((WINDOWS, ETC), WINDOWS),
        ((ETC, LOCAL, PUPPET), None),
    ],
)
def test_the_initial_file_of_windows(present: tuple[str, ...], initial: str | None, tmp_path: Path) -> None:
    build(tmp_path, dict.fromkeys(present, ""))
    environ = {"HOME": "/nowhere", "HOMEDRIVE": str(tmp_path), "HOMEDIR": "/home"}
    assert find_initial_file(environ, tmp_path, windows=True) == (tmp_path / initial if initial else None)
    del environ["HOMEDRIVE"]
    assert find_initial_file(environ, tmp_path, windows=True) == (tmp_path / WINDOWS if WINDOWS in present else None)


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}])
def test_without_home_its_files_are_not_looked_for(environ: dict[str, str], tmp_path: Path) -> None:
    build(tmp_path, {".choriarc": "", ".mcollective": "", ETC: ""})
    assert find_initial_file(environ, tmp_path) == tmp_path / ETC


def test_a_named_file_replaces_all_others(tmp_path: Path) -> None:
    configuration = load(
        tmp_path, {RC: "identity = rc", ETC: "identity = etc", "a": "identity = a"}, file=tmp_path / "a"
    )
    assert configuration.get("identity") == "a"
    assert names(configuration, tmp_path) == ["a"]


@pytest.mark.parametrize("file", ["a.conf", "./a.conf", "../work/a.conf"])
def test_a_named_file_is_relative_to_the_working_directory(file: str, tmp_path: Path) -> None:
    configuration = load(tmp_path, {"work/a.conf": "", "work/plugin.d/choria.cfg": "use_srv = no"}, file=Path(file))
    assert configuration.initial == tmp_path / "work/a.conf"
    assert configuration.get("plugin.choria.use_srv") is False


def test_without_files_the_defaults_apply(tmp_path: Path) -> None:
    configuration = load(tmp_path, {})
    assert configuration.initial is None
    assert configuration.files == configuration.problems == ()
    assert configuration.raw == {}
    assert set(configuration.values) == set(KEYS)
    derived = {"collectives": ("mcollective",), "main_collective": "mcollective"}
    assert {key: configuration.get(key) for key in KEYS} == {key.name: key.default for key in KEYS.values()} | derived
    assert {configuration.origin(key) for key in KEYS} == {"default"}
    assert not any(configuration.is_set(key) for key in KEYS)


ALL = {
    ETC: "main_collective = 1\n",
    f"{PLUGIN}/choria.cfg": "srv_domain = 2\n",
    "choria.conf": "main_collective = 3\nplugin.choria.srv_domain = 3\n",
    "a/choria.conf": "main_collective = 4\nplugin.choria.srv_domain = 4\n",
    "a/b/choria.conf": "main_collective = 5\nplugin.choria.srv_domain = 5\n",
    "a/b/c/choria.conf": "main_collective = 6\n",
}


@pytest.mark.parametrize(
    ("without", "directory", "main", "domain"),
    [
        (6, "work", "", ""),
        (5, "a/b", "1", ""),
        (4, "a/b", "1", "2"),
        (3, "a/b", "3", "3"),
        (2, "a/b", "4", "4"),
        (0, "a/b", "5", "5"),
        (0, "a/b/c", "6", "5"),
        (0, "a", "4", "4"),
        (0, "work", "3", "3"),
    ],
)
def test_precedence_of_files(without: int, directory: str, main: str, domain: str, tmp_path: Path) -> None:
    files = dict(list(ALL.items())[: len(ALL) - without])
    configuration = load(tmp_path, files, directory=directory)
    assert configuration.get("main_collective") == (main or "mcollective")
    assert configuration.get("plugin.choria.srv_domain") == domain
    for key, number in (("main_collective", main), ("plugin.choria.srv_domain", domain)):
        origin = configuration.origin(key).removeprefix(f"{tmp_path}/").partition(":")[0]
        assert origin == (list(ALL)[int(number) - 1] if number else "default")
        assert configuration.is_set(key) is bool(number)
    environ = {"CHORIA_SRV_DOMAIN": "from.environment"}
    told = load(tmp_path, files, directory=directory, environ=environ)
    assert told.values["plugin.choria.srv_domain"] == ("from.environment", "environment CHORIA_SRV_DOMAIN")
    assert told.is_set("plugin.choria.srv_domain")


def test_files_are_listed_in_ascending_precedence(tmp_path: Path) -> None:
    files = {f"{PLUGIN}/a.cfg": "", f"{PLUGIN}/b.cfg": "", f"{PLUGIN}/choria.a.cfg": "", **ALL}
    assert names(load(tmp_path, files, directory="a/b"), tmp_path) == [
        ETC,
        *(f"{PLUGIN}/{name}.cfg" for name in ("a", "b", "choria.a", "choria")),
        "choria.conf",
        "a/choria.conf",
        "a/b/choria.conf",
    ]


def test_projects_outside_of_the_root_are_read_from_the_top(tmp_path: Path) -> None:
    files = {f"root/{ETC}": "", "choria.conf": "identity = 1\ncollectives = a", "work/choria.conf": "identity = 2"}
    build(tmp_path, files)
    configuration = read_configuration(environ={}, root=tmp_path / "root", directory=tmp_path / "work")
    assert configuration.get("identity") == "2"
    assert configuration.get("collectives") == ("a",)


def test_the_directory_is_the_one_of_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(tmp_path, {ETC: "", "a/b/choria.conf": "identity = ab", "a/choria.conf": "collectives = a"})
    (tmp_path / "link").symlink_to(tmp_path / "a/b")
    monkeypatch.chdir(tmp_path / "link")
    assert read_configuration(environ={}, root=tmp_path).get("collectives") == ("a",)
    for pwd, collectives in (("link", "mcollective"), ("a/b", "a"), ("a", "a"), ("nowhere", "a")):
        configuration = read_configuration(environ={"PWD": str(tmp_path / pwd)}, root=tmp_path)
        assert (configuration.get("identity"), configuration.get("collectives")) == ("ab", (collectives,))


def test_without_a_directory_there_are_no_projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(tmp_path, {ETC: "identity = a"})
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert read_configuration(environ={"PWD": str(gone)}, root=tmp_path).get("identity") == "a"


def test_projects_do_not_make_a_client(tmp_path: Path) -> None:
    configuration = load(tmp_path, {"choria.conf": "identity = a", "work/choria.conf": "identity = b"})
    assert configuration.initial is None
    assert configuration.files == ()
    assert configuration.get("identity") == ""
    assert [problem[:2] for problem in found(configuration, tmp_path)] == [
        ("note", "choria.conf"),
        ("note", "work/choria.conf"),
    ]
    assert all("config=" in problem.message for problem in configuration.problems)


@pytest.mark.parametrize("key", [key for key in KEYS.values() if key.variable], ids=lambda key: key.variable)
@pytest.mark.parametrize("file", ["", "{key} = from, a file"])
def test_a_variable_applies_whether_or_not_a_file_has_its_key(key: Any, file: str, tmp_path: Path) -> None:
    files = {ETC: file.format(key=key.name)}
    in_file = ("from", "a file") if key.kind == "comma_split" else "from, a file"
    assert load(tmp_path, files, environ={key.variable: ""}).get(key.name) == (in_file if file else key.default)
    value = load(tmp_path, files, environ={key.variable: " a, b"}).values[key.name]
    assert value.value == (("a", "b") if key.kind == "comma_split" else " a, b")
    assert value.origin == f"environment {key.variable}"


def test_a_variable_that_is_not_utf_8(tmp_path: Path) -> None:
    environ = {"CHORIA_SRV_DOMAIN": "a\udcff.example"}
    load(tmp_path, {}, environ=environ).get("plugin.choria.srv_domain").encode()


def test_a_server_without_certificates_has_its_token_beside_its_configuration(tmp_path: Path) -> None:
    server = "plugin.choria.security.server"
    text = "plugin.security.server_anon_tls = yes\n"
    configuration = load(tmp_path, {ETC: f"{text}{server}.seed_file = /s"})
    assert configuration.values[f"{server}.token_file"] == (str(tmp_path / "etc/choria/server.jwt"), "default")
    assert configuration.get(f"{server}.seed_file") == "/s"
    assert load(tmp_path, {ETC: text}).get(f"{server}.seed_file") == str(tmp_path / "etc/choria/server.seed")


def test_a_named_file_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"cannot read {tmp_path}/a.conf: No such file or directory"):
        load(tmp_path, {ETC: ""}, file=tmp_path / "a.conf")


def test_an_invalid_file_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*a\\x00b"):
        load(tmp_path, {ETC: ""}, file=Path("a\0b"))


@pytest.mark.parametrize("place", [ETC, RC])
def test_a_directory_for_an_initial_file(place: str, tmp_path: Path) -> None:
    (tmp_path / place).mkdir(parents=True)
    with pytest.raises(ConfigError, match=f"cannot read {tmp_path / place}: it is a directory; name a file"):
        load(tmp_path, {})


def test_no_secret_of_the_environment_is_shown(tmp_path: Path) -> None:
    configuration = load(tmp_path, {}, environ={"MCOLLECTIVE_NATS_PASSWORD": SECRET})
    assert configuration.get("plugin.nats.pass") == SECRET
    assert SECRET not in f"{configuration} {configuration.values} {configuration.problems}"
