"""Which files are read, their precedence, and the problems reported in them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from choria_lifecycle.config.choria.configuration import Configuration, Problem, find_initial_file, read_configuration
from choria_lifecycle.config.choria.keys import KEYS
from choria_lifecycle.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRET = "s3cret"

RC = "home/.choriarc"
OLD_RC = "home/.mcollective"
ETC = "etc/choria/client.conf"
LOCAL = "usr/local/etc/choria/client.conf"
PUPPET = "etc/puppetlabs/mcollective/client.cfg"
WINDOWS = "ProgramData/choria/etc/client.conf"
PLUGIN = "etc/choria/plugin.d"


def build(root: Path, files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def load(
    root: Path,
    files: Mapping[str, str | bytes],
    *,
    environ: Mapping[str, str] | None = None,
    directory: str = "work",
    **options: Any,
) -> Configuration:
    build(root, files)
    (root / directory).mkdir(parents=True, exist_ok=True)
    home = {"HOME": str(root / "home")}
    return read_configuration(environ=home | dict(environ or {}), root=root, directory=root / directory, **options)


def found(configuration: Configuration, root: Path) -> list[tuple[str, str, str]]:
    """Return the problems, with places relative to the root."""
    return [(severity, place.removeprefix(f"{root}/"), message) for severity, place, message in configuration.problems]


def names(configuration: Configuration, root: Path) -> list[str]:
    return [str(file.relative_to(root)) for file in configuration.files]


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


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("collectives = a,b\ncollectives = c", "collectives", ("c",)),
        ("plugin.choria.use_srv = no\nplugin.choria.use_srv = maybe", "plugin.choria.use_srv", False),
        ("plugin.choria.use_srv = maybe", "plugin.choria.use_srv", False),
        ("plugin.security.provider = fyle", "plugin.security.provider", "fyle"),
        ("plugin.choria.srv_domain = a\nplugin.choria.srv_domain =", "plugin.choria.srv_domain", "a"),
        ("plugin.choria.network.connect_timeout = 1m", "plugin.choria.network.connect_timeout", 60.0),
        ("plugin.choria.network.connect_timeout = 5\n" * 2 + "plugin.choria.network.connect_timeout = x", "", 5.0),
        ("plugin.choria.ssldir = ~/ssl", "plugin.choria.ssldir", "/home/me/ssl"),
        ("plugin.nats.credentials = ~/a", "plugin.nats.credentials", "~/a"),
        ("plugin.security.provider = choria", "collectives", ("choria",)),
        ("plugin.security.provider = choria", "main_collective", "choria"),
        ("plugin.security.provider = choria\ncollectives = mcollective", "collectives", ("mcollective",)),
        ("collectives = b, a", "main_collective", "b"),
        ("collectives = b\nmain_collective = c", "main_collective", "c"),
    ],
)
def test_values(text: str, key: str, value: Any, tmp_path: Path) -> None:
    configuration = load(tmp_path, {ETC: text}, environ={"HOME": "/home/me"})
    assert configuration.get(key or "plugin.choria.network.connect_timeout") == value


def test_a_server_without_certificates_has_its_token_beside_its_configuration(tmp_path: Path) -> None:
    server = "plugin.choria.security.server"
    text = "plugin.security.server_anon_tls = yes\n"
    configuration = load(tmp_path, {ETC: f"{text}{server}.seed_file = /s"})
    assert configuration.values[f"{server}.token_file"] == (str(tmp_path / "etc/choria/server.jwt"), "default")
    assert configuration.get(f"{server}.seed_file") == "/s"
    assert load(tmp_path, {ETC: text}).get(f"{server}.seed_file") == str(tmp_path / "etc/choria/server.seed")


def test_raw_has_the_effective_text_of_every_key(tmp_path: Path) -> None:
    files = {
        ETC: "a = 1\nplugin.choria.use_srv = yes\nplugin.b.c = 1\nnothing =",
        f"{PLUGIN}/choria.cfg": "use_srv = maybe\n",
        f"{PLUGIN}/b.cfg": "c = 2\n",
        "work/choria.conf": "\na = 3",
    }
    configuration = load(tmp_path, files)
    assert {key: value.value for key, value in configuration.raw.items()} == {
        "a": "3",
        "plugin.choria.use_srv": "maybe",
        "plugin.b.c": "2",
    }
    assert configuration.raw["a"].origin == f"{tmp_path}/work/choria.conf:2"


IN_ETC = "{root}/etc/choria/client.conf"


@pytest.mark.parametrize(
    ("name", "text", "severity", "message"),
    [
        ("", "nonsense", "warning", 'not a setting, without "=": write key = value, or # before a comment'),
        (
            "",
            "identity =",
            "warning",
            "no value, so the line has no effect; give it a value or remove the line",
        ),
        ("", "direct_addressing = 1", "note", "direct_addressing is not a key of Choria, which ignores it; remove it"),
        (
            "",
            "plugin.choria.secutiry.client_anon_tls = true",
            "warning",
            (
                "plugin.choria.secutiry.client_anon_tls is not a key of Choria, which ignores it; "
                "did you mean plugin.security.client_anon_tls?"
            ),
        ),
        (
            "",
            "plugin.choria.login.aasvc.login.url = http://localhost",
            "warning",
            (
                "plugin.choria.login.aasvc.login.url is not a key of Choria, which ignores it; "
                "did you mean plugin.login.aaasvc.login.url?"
            ),
        ),
        (
            "",
            "middleware_hosts = a:1",
            "warning",
            "middleware_hosts is not a key of Choria, which ignores it; did you mean plugin.choria.middleware_hosts?",
        ),
        ("", "plugin.puppet.splay = 1", "", ""),
        ("", "plugin.security.issuer.a.public = ff", "", ""),
        (
            "",
            "plugin.choria.use_srv = maybe",
            "warning",
            'plugin.choria.use_srv = "maybe" is neither true nor false; Choria reads it as false',
        ),
        ("", "ttl = 1m", "warning", 'ttl = "1m" is not an integer; Choria ignores it'),
        (
            "",
            "plugin.choria.network.tls_timeout = 5S",
            "warning",
            (
                'plugin.choria.network.tls_timeout = "5S" is not a duration: write seconds, or a number with a unit, '
                "such as 30s, 2m or 1h30m; Choria ignores it"
            ),
        ),
        (
            "",
            "loglevel = trace",
            "warning",
            'loglevel = "trace" is not one of debug, info, warn, error, fatal; choose one of them',
        ),
        (
            "",
            "plugin.security.provider = File",
            "error",
            (
                'plugin.security.provider = "File" is not one of puppet, file, pkcs11, certmanager, choria; '
                "choose one of them"
            ),
        ),
        (
            "",
            "plugin.choria.middleware_hosts = a:1,",
            "warning",
            "plugin.choria.middleware_hosts has an empty item; remove the extra comma",
        ),
        (
            "",
            "plugin.choria.network.connect_timeout = 3m",
            "error",
            "plugin.choria.network.connect_timeout is 180 seconds; it must be more than 0 and at most 120",
        ),
        (
            "",
            "plugin.choria.network.connect_timeout = 0",
            "error",
            "plugin.choria.network.connect_timeout is 0 seconds; it must be more than 0 and at most 120",
        ),
        (
            "",
            "plugin.security.client_anon_tls = true",
            "error",
            (
                "plugin.security.client_anon_tls needs plugin.choria.security.request_signer.service = true, "
                "or plugin.choria.security.request_signer.url: set one of them"
            ),
        ),
        (
            "",
            "plugin.nats.user = a",
            "warning",
            "plugin.nats.user and plugin.nats.pass take effect only together: set both or neither",
        ),
        (
            "security.cfg",
            "provider = file",
            "warning",
            (
                "plugin.security.provider has no effect here, "
                "because in plugin.d only choria.cfg sets Choria's own keys; "
                f"set it under its full name in {IN_ETC}"
            ),
        ),
        (
            "nats.cfg",
            "pass = x",
            "warning",
            (
                "plugin.nats.pass has no effect here, because in plugin.d only choria.cfg sets Choria's own keys; "
                f"set it under its full name in {IN_ETC}"
            ),
        ),
        (
            "nats.cfg",
            "password = x",
            "warning",
            (f"password is not a key of Choria, which ignores it; did you mean plugin.nats.pass? Set that in {IN_ETC}"),
        ),
        ("puppet.cfg", "splay = true", "", ""),
        ("security.cfg", "issuer.a.public = ff", "", ""),
        (
            "choria.cfg",
            "plugin.choria.use_srv = no",
            "warning",
            (
                "plugin.choria.use_srv is not a key of Choria, which ignores it; "
                "did you mean use_srv, its short name here?"
            ),
        ),
        (
            "choria.cfg",
            "plugin.security.provider = file",
            "warning",
            f"plugin.security.provider has no effect here; set it in {IN_ETC}",
        ),
        (
            "choria.cfg",
            "security.provider = file",
            "warning",
            (
                "security.provider is not a key of Choria, which ignores it; "
                f"did you mean plugin.security.provider? Set that in {IN_ETC}"
            ),
        ),
        (
            "choria.cfg",
            "middleware_host = a:1",
            "warning",
            (
                "middleware_host is not a key of Choria, which ignores it; "
                "did you mean middleware_hosts, its short name here?"
            ),
        ),
        (
            "choria.cfg",
            "identity = a",
            "warning",
            f"identity has no effect here; set it in {IN_ETC}",
        ),
        ("choria.cfg", "use_srv = no", "", ""),
        ("choria.cfg", "nonsense", "warning", 'not a setting, without "=": write key = value, or # before a comment'),
    ],
)
def test_problems_of_a_line(name: str, text: str, severity: str, message: str, tmp_path: Path) -> None:
    place = f"{PLUGIN}/{name}" if name else ETC
    configuration = load(tmp_path, {ETC: "", place: f"\n{text}\n"})
    expected = [(severity, f"{place}:2", message.format(root=tmp_path))] if severity else []
    assert found(configuration, tmp_path) == expected


def test_problems_are_ordered_by_file_and_line(tmp_path: Path) -> None:
    files = {ETC: "x = 1\nx\nttl = x\n", f"{PLUGIN}/choria.cfg": "x =\n", "work/choria.conf": "x\n"}
    assert [place for _, place, _ in found(load(tmp_path, files), tmp_path)] == [
        *(f"{ETC}:{number}" for number in (1, 2, 3)),
        f"{PLUGIN}/choria.cfg:1",
        "work/choria.conf:1",
    ]


def test_a_key_twice_in_a_file(tmp_path: Path) -> None:
    files = {ETC: "identity = a\ncollectives = a\nidentity = b\n", "work/choria.conf": "identity = c"}
    [problem] = load(tmp_path, files).problems
    assert problem == Problem(
        "note", f"{tmp_path}/{ETC}:3", "identity is already set in line 1; remove that line, this one counts"
    )


def test_after_many_unknown_keys_nothing_is_suggested(tmp_path: Path) -> None:
    configuration = load(tmp_path, {ETC: "plugin.choria.usesrv = 1\n" * 200})
    severities = [problem.severity for problem in configuration.problems]
    assert severities == ["warning"] * 50 + ["note"] * 150


@pytest.mark.parametrize(
    ("home", "is_read"),
    [
        ("home", True),
        ("etc", False),
        ("etc/", False),
        ("e", False),
        ("etc/choria/client.conf", False),
        ("etc/choria/client.conf/", True),
        ("etc/../etc", True),
        ("/", False),
        ("", True),
    ],
)
def test_plugins_are_not_read_where_the_path_begins_with_home(home: str, is_read: bool, tmp_path: Path) -> None:
    files = {ETC: "", f"{PLUGIN}/choria.cfg": "use_srv = no", f"{PLUGIN}/puppet.cfg": "a = 1"}
    environ = {"HOME": home if home in {"", "/"} else f"{tmp_path}/{home}"}
    configuration = load(tmp_path, files, environ=environ)
    assert configuration.get("plugin.choria.use_srv") is not is_read
    assert ("plugin.puppet.a" in configuration.raw) is is_read
    assert [problem.place for problem in configuration.problems] == ([] if is_read else [str(tmp_path / PLUGIN)])
    if not is_read:
        assert "begins with the home directory" in configuration.problems[0].message


def test_another_plugin_d_in_the_home_directory_is_no_problem(tmp_path: Path) -> None:
    assert load(tmp_path, {RC: "", "home/plugin.d/README": "", "home/plugin.d/x.py": ""}).problems == ()


@pytest.mark.parametrize("name", ["a.conf", "choria.conf"])
def test_conf_in_plugin_d_is_not_read(name: str, tmp_path: Path) -> None:
    for others in ({}, {f"{PLUGIN}/{name[:-5]}.cfg": ""}):
        configuration = load(tmp_path, {ETC: "", f"{PLUGIN}/{name}": "use_srv = no", **others})
        assert configuration.get("plugin.choria.use_srv") is True
        wanted = f"not read: Choria reads *.cfg here; rename it to {name[:-5]}.cfg"
        assert found(configuration, tmp_path) == [("warning", f"{PLUGIN}/{name}", wanted)]


def test_other_files_in_plugin_d_are_ignored(tmp_path: Path) -> None:
    files = {f"{PLUGIN}/{name}": "nonsense" for name in ("choria", "choria.cfg.bak", "choria.CFG", "x/y.cfg")}
    (tmp_path / PLUGIN).mkdir(parents=True)
    (tmp_path / PLUGIN / "gone.cfg").symlink_to(tmp_path / "nowhere")
    configuration = load(tmp_path, {ETC: "", **files})
    assert configuration.problems == ()
    assert names(configuration, tmp_path) == [ETC]


@pytest.mark.parametrize("place", [ETC, f"{PLUGIN}/choria.cfg", f"{PLUGIN}/a.cfg", "work/choria.conf"])
def test_a_file_that_cannot_be_read_is_an_error(place: str, tmp_path: Path) -> None:
    build(tmp_path, {ETC: ""})
    path = tmp_path / place
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(path)
    with pytest.raises(ConfigError, match=f"cannot read {path}: .*; Choria would not start either"):
        load(tmp_path, {})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("place", [ETC, "etc/choria", f"{PLUGIN}/choria.cfg", PLUGIN, "work/choria.conf", "work"])
def test_a_file_without_permission_is_an_error(place: str, tmp_path: Path) -> None:
    build(tmp_path, {ETC: "", f"{PLUGIN}/choria.cfg": "", "work/choria.conf": ""})
    (tmp_path / place).chmod(0)
    try:
        with pytest.raises(ConfigError, match="Permission denied"):
            load(tmp_path, {})
    finally:
        (tmp_path / place).chmod(0o700)


def test_a_plugin_d_that_cannot_be_listed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: object) -> list[str]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "listdir", fail)
    with pytest.raises(ConfigError, match=f"cannot read {tmp_path / PLUGIN}: Permission denied"):
        load(tmp_path, {ETC: "", f"{PLUGIN}/choria.cfg": ""})


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


@pytest.mark.parametrize("place", [f"{PLUGIN}/a.cfg", "work/choria.conf"])
def test_a_directory_for_another_file(place: str, tmp_path: Path) -> None:
    (tmp_path / place).mkdir(parents=True)
    configuration = load(tmp_path, {ETC: ""})
    assert names(configuration, tmp_path) == [ETC]
    [problem] = configuration.problems
    assert problem[:2] == ("warning", str(tmp_path / place))


@pytest.mark.parametrize("place", [ETC, f"{PLUGIN}/a.cfg", "work/choria.conf"])
def test_a_file_may_have_a_mebibyte(place: str, tmp_path: Path) -> None:
    comments = "#" * 31 + "\n"
    load(tmp_path, {ETC: "", place: comments * 32_768})
    with pytest.raises(ConfigError, match=f"{tmp_path / place} has more than 1048576 bytes"):
        load(tmp_path, {place: comments * 32_768 + "#"})


def test_the_null_device_is_an_empty_file(tmp_path: Path) -> None:
    configuration = load(tmp_path, {ETC: "identity = a"}, file=Path("/dev/null"))
    assert configuration.get("identity") == ""
    assert configuration.files == (Path("/dev/null"),)


@pytest.mark.parametrize("place", [ETC, f"{PLUGIN}/choria.cfg", "work/choria.conf"])
def test_a_file_that_is_not_utf_8_is_read_with_replacements(place: str, tmp_path: Path) -> None:
    prefix = "" if place.endswith("cfg") else "plugin.choria."
    text = f"{prefix}use_srv = no\n{prefix}srv_domain = \xfcber\n".encode("latin-1")
    configuration = load(tmp_path, {ETC: "", place: text})
    assert configuration.get("plugin.choria.srv_domain") == "\ufffdber"
    assert configuration.get("plugin.choria.use_srv") is False
    [problem] = found(configuration, tmp_path)
    assert problem[:2] == ("warning", f"{place}:2")
    assert "UTF-8" in problem[2]


def test_a_path_with_terminal_escapes_is_shown_as_text(tmp_path: Path) -> None:
    configuration = load(tmp_path, {"a\x1b[2J\nb/c.conf": "nonsense"}, file=tmp_path / "a\x1b[2J\nb/c.conf")
    [problem] = configuration.problems
    assert problem.place == f"{tmp_path}/a\\x1b[2J\\nb/c.conf:1"


LEAKS = [
    f"plugin.nats.pass = {SECRET}",
    f"plugin.nats.pass {SECRET}",
    f"plugin.nats.pass: {SECRET}",
    f"plugin.nats.pass: {SECRET}=x",
    f"plugin.nats.pass {SECRET} = {SECRET}",
    f"plugin.nats.password = {SECRET}",
    f"Plugin.Nats.Pass = {SECRET}",
    f"password = {SECRET}",
    f"plugin.choria.network.peer_password = {SECRET}",
    f"{SECRET}",
    f"{SECRET} =",
    f"= {SECRET}",
    f"plugin.nats.pass = x\nplugin.nats.pass = {SECRET}",
    f"plugin.nats.pass = {SECRET},,",
    f"collectives = {SECRET},",
]


@pytest.mark.parametrize("text", LEAKS)
@pytest.mark.parametrize("place", [ETC, f"{PLUGIN}/choria.cfg", f"{PLUGIN}/nats.cfg", "work/choria.conf"])
def test_no_secret_is_shown(text: str, place: str, tmp_path: Path) -> None:
    configuration = load(tmp_path, {ETC: "", place: text})
    shown = [
        repr(configuration),
        str(configuration),
        repr(configuration.values),
        repr(dict(configuration.raw).values()),
    ]
    assert not any(SECRET in each for each in (*shown, *map(str, configuration.problems)))


def test_no_secret_of_the_environment_is_shown(tmp_path: Path) -> None:
    configuration = load(tmp_path, {}, environ={"MCOLLECTIVE_NATS_PASSWORD": SECRET})
    assert configuration.get("plugin.nats.pass") == SECRET
    assert SECRET not in f"{configuration} {configuration.values} {configuration.problems}"
