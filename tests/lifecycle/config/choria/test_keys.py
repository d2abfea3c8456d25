"""The keys; tests/interop compares them with Choria's."""

from __future__ import annotations

import time

import pytest

from choria_lifecycle.config.choria.keys import KEYS, PROVIDERS, Key, is_plugin_key, known_keys, suggest_key
from choria_lifecycle.config.choria.syntax import KINDS

_TYPES = {"string": str, "path_string": str, "bool": bool, "duration": float, "comma_split": tuple}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_a_key(key: Key) -> None:
    assert known_keys()[key.name] == (key.kind, key.choices)
    assert type(key.default) is _TYPES[key.kind]
    assert not key.choices or key.default in key.choices
    assert key.description.endswith(".")
    assert len(key.description) <= 80
    assert not key.variable or key.kind in {"string", "comma_split"}, "which every text is"


def test_the_only_secret() -> None:
    assert [key.name for key in KEYS.values() if key.secret] == ["plugin.nats.pass"]


def test_no_message_shows_a_secret_for_it_converts_and_has_no_choices() -> None:
    assert all(key.kind == "string" and not key.choices for key in KEYS.values() if key.secret)


def test_variables() -> None:
    assert {key.variable for key in KEYS.values() if key.variable} == {
        "CHORIA_SRV_DOMAIN",
        "CHORIA_FED_COLLECTIVE",
        "MCOLLECTIVE_NATS_USERNAME",
        "MCOLLECTIVE_NATS_PASSWORD",
        "MCOLLECTIVE_NATS_CREDENTIALS",
    }


def test_all_keys_of_choria() -> None:
    assert len(known_keys()) > 150
    assert {each.kind for each in known_keys().values()} == set(KINDS) - {"colon_split"}
    assert known_keys()["plugin.security.provider"].choices == PROVIDERS
    assert known_keys()["loglevel"].choices == ("debug", "info", "warn", "error", "fatal")
    assert known_keys()["plugin.choria.network.tls_timeout"].kind == "duration"
    assert all(name == name.lower() and " " not in name for name in known_keys())


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        # of Choria's own documentation
        ("plugin.choria.secutiry.client_anon_tls", "plugin.security.client_anon_tls"),
        ("plugin.choria.login.aasvc.login.url", "plugin.login.aaasvc.login.url"),
        # short
        ("middleware_hosts", "plugin.choria.middleware_hosts"),
        ("security.provider", "plugin.security.provider"),
        ("nats.user", "plugin.nats.user"),
        # in another place
        ("plugin.choria.security.provider", "plugin.security.provider"),
        ("plugin.choria.client_anon_tls", "plugin.security.client_anon_tls"),
        # nearly
        ("plugin.choria.usesrv", "plugin.choria.use_srv"),
        ("plugin.choria.middleware_host", "plugin.choria.middleware_hosts"),
        ("plugin.nats.password", "plugin.nats.pass"),
        ("plugin.nats.username", "plugin.nats.user"),
        ("plugin.security.file.cert", "plugin.security.file.certificate"),
        ("Plugin.Choria.Use_SRV", "plugin.choria.use_srv"),
        ("main_colective", "main_collective"),
        # MCollective's own, which mean something else
        ("securityprovider", ""),
        ("connector", ""),
        ("direct_addressing", ""),
        ("factsource", ""),
        ("plugin.choria.something", ""),
        ("x", ""),
        ("", ""),
    ],
)
def test_suggestions(written: str, wanted: str) -> None:
    assert suggest_key(written) == wanted


def test_a_long_key_gets_no_suggestion_at_once() -> None:
    begin = time.perf_counter()
    assert suggest_key("plugin.choria." + "use_srv" * 10_000) == ""
    assert time.perf_counter() - begin < 1


@pytest.mark.parametrize(
    ("key", "of_plugin"),
    [
        ("plugin.puppet.splay", True),
        ("plugin.choria_util.activate_agent", True),
        ("plugin.security.issuer.mine.public", True),
        ("plugin.choria.adapter.discovery.type", True),
        ("plugin.choria.network.gateway_remote.c1.urls", True),
        ("plugin.choria.network.leafnode_remote.c1.url", True),
        ("plugin.choria.network.mapping.a.source", True),
        ("plugin.choria.network.gateway_remotez", False),
        ("plugin.security.issuer.mine", False),
        ("plugin.choria.a", False),
        ("plugin.nats.a", False),
        ("plugin.login.a", False),
        ("a", False),
    ],
)
def test_keys_of_plugins(key: str, of_plugin: bool) -> None:
    assert is_plugin_key(key) is of_plugin
