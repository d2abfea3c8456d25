"""The contents of Puppet's ssl folder are usable and have Puppet's modes."""

from __future__ import annotations

import ssl
from stat import S_IMODE
from typing import TYPE_CHECKING

from cryptography import x509

from .certificates import Authority
from .puppet import write_ssldir

if TYPE_CHECKING:
    from pathlib import Path

PUPPET = Authority.create("Puppet CA: puppet.example")


def test_layout(tmp_path: Path) -> None:
    layout = write_ssldir(tmp_path / "ssl", PUPPET, "rip.mcollective")
    modes = {
        str(path.relative_to(tmp_path)): oct(S_IMODE(path.stat().st_mode)) for path in (tmp_path / "ssl").rglob("*")
    }
    assert modes == {
        "ssl/certs": "0o755",
        "ssl/certs/ca.pem": "0o644",
        "ssl/certs/rip.mcollective.pem": "0o644",
        "ssl/private_keys": "0o750",
        "ssl/private_keys/rip.mcollective.pem": "0o640",
    }
    assert S_IMODE(layout.ssldir.stat().st_mode) == 0o771
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(layout.ca)
    context.load_cert_chain(layout.certificate, layout.key)
    certificate = x509.load_pem_x509_certificate(layout.certificate.read_bytes())
    assert certificate.subject.rfc4514_string() == "CN=rip.mcollective"


def test_two_names_in_one_folder_and_a_certificate_of_choice(tmp_path: Path) -> None:
    write_ssldir(tmp_path, PUPPET, "rip.mcollective")
    expired = PUPPET.issue("web1.example", expired=True)
    layout = write_ssldir(tmp_path, PUPPET, "web1.example", issued=expired)
    assert layout.certificate.read_bytes() == expired.cert_pem
    assert layout.key.read_bytes() == expired.key_pem
    assert len(list((tmp_path / "private_keys").iterdir())) == 2
