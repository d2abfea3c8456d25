from __future__ import annotations

import pytest

from choria_lifecycle.config.resolve import resolve
from choria_lifecycle.doctor.rules import check_settings

SECRET = "m4rkerm4rker"


@pytest.mark.parametrize(
    ("server", "given", "warned"),
    [
        ("broker.example.net", {"user": "u", "password": SECRET}, True),
        ("broker.example.net", {"token": SECRET}, True),
        ("broker.example.net", {}, False),
        ("tls://broker.example.net", {"token": SECRET}, False),
        ("localhost", {"token": SECRET}, False),
    ],
)
def test_a_password_in_the_clear(server: str, given: dict[str, str], warned: bool) -> None:
    checks = list(check_settings(resolve(server, environ={}, **given)))
    assert [check[:3] for check in checks if check.subject == "tls"] == [("warning", "settings", "tls")] * warned
    assert SECRET not in repr(checks)
