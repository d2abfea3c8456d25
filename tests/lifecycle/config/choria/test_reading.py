"""Values and problems of configuration files, without secrets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from choria_lifecycle.config.choria.reading import DEFAULT, ConfigReader, Problem, Value, exists
from choria_lifecycle.errors import ConfigError
from tests.bed.configurations import ETC, PLUGIN, RC, build, found, load, names

SECRET = "s3cret"


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


def test_a_later_file_overrides_only_its_own_keys(tmp_path: Path) -> None:
    build(tmp_path, {"a.conf": "identity = a\nttl = 5\n", "b.conf": "identity = b\n"})
    reader = ConfigReader("")
    for name in ("a.conf", "b.conf"):
        reader.read(tmp_path / name)
    assert reader.values["identity"] == Value("b", f"{tmp_path}/b.conf:1")
    assert reader.raw["ttl"] == Value("5", f"{tmp_path}/a.conf:2")
    assert reader.values["plugin.choria.use_srv"].origin == DEFAULT
    assert reader.files == [tmp_path / "a.conf", tmp_path / "b.conf"]
    assert reader.problems == []


def test_a_reported_place_is_safe_to_show() -> None:
    reader = ConfigReader("")
    reader.report("note", "a\x1b[2J", "words")
    assert reader.problems == [Problem("note", r"a\x1b[2J", "words")]


def test_a_value_shows_only_its_origin() -> None:
    assert repr(Value(SECRET, "client.conf:1")) == "Value(origin='client.conf:1')"


def test_a_path_that_cannot_be_seen_counts_as_existing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    assert {name: exists(tmp_path / name) for name in ("file", "loop", "missing", "file/below", "a\0b")} == {
        "file": True,
        "loop": True,
        "missing": False,
        "file/below": False,
        "a\0b": False,
    }
