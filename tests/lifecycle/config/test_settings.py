"""Contradictions between settings, and what their text shows."""

from __future__ import annotations

from typing import Any

import pytest

from choria_lifecycle.config.resolve import resolve
from choria_lifecycle.errors import ConfigError

SECRET = "s3cret"


@pytest.mark.parametrize(
    "options",
    [
        {"user": "u"},
        {"password": "p"},
        {"cert": "c"},
        {"key": "k"},
        {"creds": "c", "nkey": "n"},
        {"creds": "c", "user": "u", "password": "p"},
        {"token": "t", "nkey": "n"},
        {"environ": {"NATS_CREDS": "c", "NATS_USER": "u", "NATS_PASSWORD": "p"}},
        {"environ": {"NATS_PASSWORD": "p"}},
    ],
)
def test_contradictions(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        resolve(**{"environ": {}, **options})


def test_secrets_are_not_shown() -> None:
    for settings in (resolve(user="u", password=SECRET, environ={}), resolve(token=SECRET, environ={})):
        assert SECRET not in repr(settings)
        assert SECRET not in str(settings)
