"""The table of settings agrees with the types that checkers see, and with what is shown and resolved."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import choria_lifecycle
from choria_lifecycle.config.choria.keys import KEYS
from choria_lifecycle.config.resolve import resolve
from choria_lifecycle.config.settings import ConnectionOptions, ConnectionSettings
from choria_lifecycle.config.table import CREDENTIALS, SETTINGS, SettingSpec
from choria_lifecycle.errors import ConfigError

ARGUMENTS = [spec for spec in SETTINGS.values() if spec.argument and spec.name != "servers"]
WITH_VARIABLE = [spec for spec in ARGUMENTS if spec.variable]
FIELDS = {field.name: field for field in fields(ConnectionSettings)}
# The settings that are given together.
OTHERS = {"user": "password", "password": "user", "cert": "key", "key": "cert"}


def named(specs: list[SettingSpec]) -> Any:
    return pytest.mark.parametrize("spec", specs, ids=lambda spec: spec.name)


def test_every_attribute_is_in_the_table() -> None:
    assert set(SETTINGS) == set(FIELDS) - {"origins"}


def test_every_argument_is_in_the_table() -> None:
    assert {spec.name for spec in ARGUMENTS} == set(ConnectionOptions.__annotations__) - {"config"}


def test_every_setting_is_used_to_connect() -> None:
    package = Path(choria_lifecycle.__file__).parent
    sources = [*package.joinpath("nats").glob("*.py"), package / "config" / "settings.py"]
    used = {name for path in sources for name in re.findall(r"\b(?:self|settings)\.(\w+)", path.read_text("utf-8"))}
    assert set(SETTINGS) - used == set(), "use these in nats/"


def test_no_repr_shows_a_secret() -> None:
    assert {name for name, field in FIELDS.items() if not field.repr} - {"origins"} == {
        name for name, spec in SETTINGS.items() if spec.redacted
    }


def test_files_are_paths() -> None:
    for name, field in FIELDS.items():
        assert ("Path" in str(field.type)) == (name != "origins" and SETTINGS[name].kind == "file"), name
    for spec in ARGUMENTS:
        assert ("PathLike" in str(ConnectionOptions.__annotations__[spec.name])) == (spec.kind == "file"), spec.name


def test_the_types_document_every_setting_with_its_default() -> None:
    for documented, specs in ((ConnectionOptions, ARGUMENTS), (ConnectionSettings, SETTINGS.values())):
        text = f"{inspect.getdoc(documented)}\n"
        entries = dict(re.findall(r"^    (\w+): ((?:.+\n)(?:        .+\n)*)", text, re.MULTILINE))
        assert set(entries) - {"config", "origins"} == {spec.name for spec in specs}
        if documented is ConnectionOptions:
            for spec in specs:
                assert spec.default in " ".join(entries[spec.name].split()).replace("`", ""), spec.name


def test_keys_of_choria_exist_and_are_as_secret() -> None:
    for spec in SETTINGS.values():
        if spec.choria_key:
            key = KEYS[spec.choria_key]
            assert key.variable
            assert key.secret == spec.redacted


@named(WITH_VARIABLE)
def test_a_setting_comes_from_its_argument_else_from_its_variable(spec: SettingSpec) -> None:
    environ = {
        spec.variable: "here",
        **{SETTINGS[OTHERS[name]].variable: "x" for name in [spec.name] if name in OTHERS},
    }
    settings = resolve(environ=environ)
    assert getattr(settings, spec.name) == (Path("here") if spec.kind == "file" else "here")
    assert settings.origins[spec.name] == f"environment {spec.variable}"
    settings = resolve(environ=environ, **{spec.name: "there"})
    assert str(getattr(settings, spec.name)) == "there"
    assert settings.origins[spec.name] == f"argument {spec.name}"
    assert resolve(environ=dict.fromkeys(environ, "")) == ConnectionSettings()


@named([spec for spec in CREDENTIALS if spec.argument])
def test_an_empty_credential_is_refused(spec: SettingSpec) -> None:
    with pytest.raises(ConfigError, match=f"^{spec.name} is empty; leave it out to use the environment$"):
        resolve(environ={each.variable: "x" for each in WITH_VARIABLE}, **{spec.name: ""})


def test_every_way_to_authenticate_asks_a_question_if_it_is_refused() -> None:
    methods = {spec.method for spec in CREDENTIALS}
    assert methods == {spec.method for spec in CREDENTIALS if spec.refused}


def test_the_prefix_of_jetstream() -> None:
    environ = {"NATS_JS_DOMAIN": "hub"}
    assert ConnectionSettings().js_api == "$JS.API"
    assert resolve(environ=environ).js_api == resolve(environ={}, js_domain="hub").js_api == "$JS.hub.API"
    for prefix in ("choria.streams", "choria.streams."):
        settings = resolve(environ=environ, js_prefix=prefix)
        assert (settings.js_api, settings.js_domain) == ("choria.streams", None)
        assert "js_domain" not in settings.origins


@pytest.mark.parametrize(
    ("options", "environ", "message"),
    [
        (
            {"js_domain": "hub", "js_prefix": "a"},
            {},
            "js_domain= and js_prefix= exclude each other: a domain has a prefix of its own",
        ),
        (
            {"js_domain": "a.b"},
            {},
            '"a.b" is not a valid JetStream domain (argument js_domain): it must not contain blanks, dots, * or >',
        ),
        ({}, {"NATS_JS_DOMAIN": ">"}, '">" is not a valid JetStream domain (environment NATS_JS_DOMAIN)'),
        (
            {"js_prefix": "a..b"},
            {},
            '"a..b" is not a valid prefix of JetStream\'s API: use a subject without wildcards, such as choria.streams',
        ),
    ],
)
def test_a_domain_or_prefix_that_cannot_be_used(options: Any, environ: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(environ=environ, **options)
    assert str(caught.value).startswith(message)
