"""The ssl folder of a Puppet agent, as Puppet lays it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from .certificates import Authority, IssuedCertificate

__all__ = ["SslFolder", "write_ssldir"]


@dataclass(frozen=True, slots=True)
class SslFolder:
    """The paths in an ssl folder.

    Attributes:
        ssldir: the folder, Puppet's setting of that name.
        ca: the authority's certificate.
        certificate: the certificate of the node or user.
        key: its key.
    """

    ssldir: Path
    ca: Path
    certificate: Path
    key: Path


def write_ssldir(
    folder: Path, authority: Authority, certname: str, *, issued: IssuedCertificate | None = None
) -> SslFolder:
    """Write the contents of Puppet's ssldir, with Puppet's modes.

    Args:
        folder: the ssldir; created if missing. It may hold several certnames.
        authority: the authority for certs/ca.pem; for an intermediate one, the file includes its chain.
        certname: the name of certs/`certname`.pem and private_keys/`certname`.pem.
        issued: the certificate and key; by default a new one of the authority, with `certname` as its common name.
    """
    issued = issued or authority.issue(certname)
    layout = SslFolder(
        ssldir=folder,
        ca=folder / "certs" / "ca.pem",
        certificate=folder / "certs" / f"{certname}.pem",
        key=folder / "private_keys" / f"{certname}.pem",
    )
    # The modes of Puppet's settings ssldir, certdir, privatekeydir, hostcert, localcacert and hostprivkey.
    for path, mode in ((folder, 0o771), (layout.ca.parent, 0o755), (layout.key.parent, 0o750)):
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
    for path, content, mode in (
        (layout.ca, authority.pem, 0o644),
        (layout.certificate, issued.cert_pem, 0o644),
        (layout.key, issued.key_pem, 0o640),
    ):
        path.touch(mode=mode)
        path.chmod(mode)
        path.write_bytes(content)
    return layout
