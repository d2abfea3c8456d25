"""Certificate authorities and certificates, valid and invalid, for the TLS tests.

Authorities are cached for the session: the same arguments return the same authority. Keys are on the curve P-256, which
is quick to generate; the one RSA key is generated once.
"""

from __future__ import annotations

import ipaddress
import ssl
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Iterable

    Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

__all__ = ["LOOPBACK", "Authority", "IssuedCertificate", "server_context"]

LOOPBACK = "127.0.0.1"

_DAY = timedelta(days=1)
_EXTENDED = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """A certificate and its key.

    Attributes:
        cert_pem: the certificate, followed by the intermediate ones, without the root.
        key_pem: its key, PKCS#8, unencrypted.
    """

    cert_pem: bytes
    key_pem: bytes = field(repr=False)

    def write(self, folder: Path, stem: str) -> tuple[Path, Path]:
        """Write `stem`.pem and `stem`.key; return both paths."""
        cert, key = folder / f"{stem}.pem", folder / f"{stem}.key"
        cert.write_bytes(self.cert_pem)
        key.touch(mode=0o600)
        key.write_bytes(self.key_pem)
        return cert, key


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority.

    Attributes:
        certificate: its own certificate.
        key: its key.
        old_puppet: the default for `issue`.
        chain: its certificate and those above it, without the root; empty for a root.
    """

    certificate: x509.Certificate
    key: Key = field(repr=False)
    old_puppet: bool
    chain: tuple[x509.Certificate, ...] = ()

    @classmethod
    def create(cls, name: str, *, old_puppet: bool = False, expired: bool = False) -> Authority:
        """Return a root authority.

        Args:
            name: its common name, "Puppet CA: ..." for Puppet's.
            old_puppet: its certificate, and by default all that it issues, lack what RFC 5280 requires and old Puppet
                authorities omitted: the authority's key usage, the critical flags, and both key identifiers. OpenSSL
                refuses such a chain only under VERIFY_X509_STRICT, the default of Python 3.13.
            expired: it expired yesterday.
        """
        return _create(name, old_puppet, expired)

    @property
    def pem(self) -> bytes:
        """The authority's own certificate, for clients to trust."""
        return self.certificate.public_bytes(Encoding.PEM)

    def issue(
        self,
        common_name: str,
        *,
        names: Iterable[str] = (),
        addresses: Iterable[str] = (),
        expired: bool = False,
        not_yet: bool = False,
        san: bool = True,
        old_puppet: bool | None = None,
        key: Literal["ec", "rsa"] = "ec",
    ) -> IssuedCertificate:
        """Issue a certificate for a server or a client.

        Args:
            common_name: its common name, which is also its first alternative name.
            names: further alternative names.
            addresses: alternative names that are IP addresses.
            expired: it expired yesterday.
            not_yet: it is valid from tomorrow on.
            san: include alternative names; old Puppet certificates have none.
            old_puppet: as for `create`; defaults to the authority's.
            key: the type of its key.
        """
        private = ec.generate_private_key(ec.SECP256R1()) if key == "ec" else _rsa_key()
        strict = not (self.old_puppet if old_puppet is None else old_puppet)
        builder = _builder(common_name, private, self.certificate.subject, expired=expired, not_yet=not_yet)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=strict)
        builder = builder.add_extension(_key_usage(authority=False), critical=strict)
        builder = builder.add_extension(_EXTENDED, critical=False)
        if san:
            alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in (common_name, *names)]
            alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        if strict:
            builder = _identified(builder, private, self.key)
        chain = (builder.sign(self.key, hashes.SHA256()), *self.chain)
        return IssuedCertificate(
            b"".join(certificate.public_bytes(Encoding.PEM) for certificate in chain),
            private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        )

    def intermediate(self, name: str) -> Authority:
        """Return an authority below this one; certificates that it issues include the chain."""
        private = ec.generate_private_key(ec.SECP256R1())
        certificate = _authority(name, private, self, old_puppet=self.old_puppet)
        return Authority(certificate, private, self.old_puppet, (certificate, *self.chain))


def server_context(
    issued: IssuedCertificate, *, clients: Authority | None = None, optional: bool = False
) -> ssl.SSLContext:
    """Return a TLS context for a server in Python.

    Args:
        issued: the server's certificate.
        clients: the authority that client certificates must come from; None requests none.
        optional: clients may omit their certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        context.load_cert_chain(*issued.write(Path(folder), "server"))
    if clients is not None:
        context.load_verify_locations(cadata=clients.pem.decode())
        context.verify_mode = ssl.CERT_OPTIONAL if optional else ssl.CERT_REQUIRED
    return context


@cache
def _create(name: str, old_puppet: bool, expired: bool) -> Authority:
    private = ec.generate_private_key(ec.SECP256R1())
    return Authority(_authority(name, private, None, old_puppet=old_puppet, expired=expired), private, old_puppet)


@cache
def _rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _authority(
    name: str, private: Key, above: Authority | None, *, old_puppet: bool, expired: bool = False
) -> x509.Certificate:
    issuer = above.certificate.subject if above else _name(name)
    builder = _builder(name, private, issuer, expired=expired)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=not old_puppet)
    if not old_puppet:
        builder = builder.add_extension(_key_usage(authority=True), critical=True)
        builder = _identified(builder, private, above.key if above else private)
    return builder.sign(above.key if above else private, hashes.SHA256())


def _builder(
    name: str, private: Key, issuer: x509.Name, *, expired: bool = False, not_yet: bool = False
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + _DAY if not_yet else now - 30 * _DAY)
        .not_valid_after(now - _DAY if expired else now + 30 * _DAY)
    )


def _identified(builder: x509.CertificateBuilder, private: Key, signer: Key) -> x509.CertificateBuilder:
    own = x509.SubjectKeyIdentifier.from_public_key(private.public_key())
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    return builder.add_extension(own, critical=False).add_extension(above, critical=False)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=not authority,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
