"""Server certificates without alternative names, accepted or refused as by Choria's own rule for common names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.config.settings import ConnectionSettings, Verify
from choria_lifecycle.demo import embedded
from choria_lifecycle.nats import NatsTransport
from tests.bed.certificates import Authority

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("verify", "name", "options", "accepted"),
    [
        (Verify.COMMON_NAME, "localhost", {"san": False}, True),
        (Verify.COMMON_NAME, "LocalHost", {"san": False}, True),
        (Verify.COMMON_NAME, "other", {"names": ["localhost"]}, True),
        (Verify.COMMON_NAME, "other", {"san": False}, False),
        (Verify.COMMON_NAME, "*", {"san": False}, False),
        (Verify.FULL, "localhost", {"san": False}, False),
        (Verify.FULL, "other", {"names": ["localhost"]}, True),
    ],
)
async def test_common_names(verify: Verify, name: str, options: dict[str, Any], accepted: bool, tmp_path: Path) -> None:
    authority = Authority.create("common names")
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    authority.issue(name, **options).write(tmp_path, "server")
    config = f'tls {{ cert_file: "{tmp_path}/server.pem", key_file: "{tmp_path}/server.key" }}'
    with embedded.nats_server(config, jetstream=False) as server:
        settings = ConnectionSettings(
            servers=(f"tls://localhost:{server.port}",), tls=True, verify=verify, ca=tmp_path / "ca.pem"
        )
        if accepted:
            await (await NatsTransport.open(settings, 5)).close()
            return
        with pytest.raises(lifecycle.ConnectionFailed, match="Hostname mismatch"):
            await NatsTransport.open(settings, 5)
