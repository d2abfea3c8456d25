"""A Choria site: authorities, an issuer, its tokens, and brokers that trust them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.bed.certificates import LOOPBACK, Authority
from tests.bed.puppet import write_ssldir

from . import streams

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from . import Choria, Keys

__all__ = ["EVENTS", "Settings", "Site", "build_site"]

EVENTS = "choria.lifecycle.event.>"

Settings = dict[str, object]
"""Settings of a Choria configuration file."""

_FILE = "plugin.security.file"
_CHORIA = "plugin.security.choria"
_ISSUER = "plugin.security.issuer"
_SYSTEM = "plugin.choria.network.system"

# Each token: its permissions and deviations from a valid one.
_TOKENS: Mapping[str, tuple[list[str], dict[str, Any]]] = {
    "viewer": (["events_viewer"], {}),
    "publisher": (["events_viewer"], {"publish": [EVENTS]}),
    "subscriber": ([], {"subscribe": [EVENTS]}),
    "admin": (["org_admin"], {}),
    "nobody": ([], {}),
    "streams": (["streams_user", "governor"], {}),
    "tally": (["events_viewer", "streams_user", "election_user"], {"publish": [EVENTS]}),
    "expired": (["events_viewer"], {"validity": -60.0}),
    "early": (["events_viewer"], {"valid_in": 600.0}),
    "elsewhere": (["events_viewer"], {"org": "acme"}),
}


@dataclass(frozen=True, slots=True)
class Site:
    """The files and brokers of a site.

    Attributes:
        folder: contains all files; the working directory of the clients.
        environ: the environment of its user rip, without the machine's own Choria or Puppet settings.
        owner: the keys that the tokens are issued for.
        stranger: other keys.
        brokers: the configuration of each broker.
    """

    folder: Path
    environ: Mapping[str, str]
    owner: Keys
    stranger: Keys
    brokers: Mapping[str, Settings]

    def token(self, name: str) -> Path:
        """Return the file of a token."""
        return self.folder / f"{name}.jwt"

    def certificate(self, name: str, authority: str = "ours") -> Settings:
        """Return the settings of the provider file for a certificate of a user or a broker."""
        return {"plugin.security.provider": "file"} | {
            f"{_FILE}.{key}": path for key, path in self._files(name, authority).items()
        }

    def puppet(self) -> Settings:
        """Return the settings of the provider puppet."""
        return {"plugin.security.provider": "puppet", "plugin.choria.ssldir": self.folder / "ssl"}

    def jwt(self, name: str, seed: Path | None = None) -> Settings:
        """Return the settings of the provider choria for a token."""
        return {
            "plugin.security.provider": "choria",
            f"{_CHORIA}.token_file": self.token(name),
            f"{_CHORIA}.seed_file": seed or self.owner.seed,
        }

    def aaa(self, name: str) -> Settings:
        """Return the settings of a client that has logged in to the AAA service."""
        return {
            "plugin.security.client_anon_tls": "true",
            "plugin.choria.security.request_signer.service": "true",
            "plugin.choria.security.request_signer.token_file": self.token(name),
            "plugin.choria.security.request_signer.seed_file": self.owner.seed,
            "plugin.choria.ssldir": self.folder / "none",
        }

    def trusting(self, authority: str = "ours") -> Settings:
        """Return the setting with which the provider choria verifies a broker's certificate."""
        return {f"{_CHORIA}.ca": self.folder / authority / "ca.pem"}

    def _files(self, name: str, authority: str) -> dict[str, Path]:
        folder = self.folder / authority
        return {"certificate": folder / f"{name}.pem", "key": folder / f"{name}.key", "ca": folder / "ca.pem"}


def build_site(choria: Choria, folder: Path) -> Site:
    """Make the files of a site."""
    authorities = {"ours": Authority.create("Ours"), "other": Authority.create("Another")}
    for name, authority in authorities.items():
        (folder / name).mkdir()
        (folder / name / "ca.pem").write_bytes(authority.pem)
        authority.issue("localhost").write(folder / name, "localhost")
        authority.issue("localhost", addresses=[LOOPBACK]).write(folder / name, "addressed")
        authority.issue("rip.mcollective").write(folder / name, "rip")
    # Puppet's old authorities issued certificates without alternative names.
    puppet = Authority.create("Puppet CA: puppet.example.net", old_puppet=True)
    for certname in ("localhost", "rip.mcollective"):
        write_ssldir(folder / "ssl", puppet, certname, issued=puppet.issue(certname, san=False, key="rsa"))
    issuer, stranger, owner = (choria.keys(folder / f"{name}.seed") for name in ("issuer", "stranger", "owner"))
    for name, (permissions, more) in _TOKENS.items():
        _issue(choria, folder / f"{name}.jwt", issuer.seed, owner, permissions, more)
    _issue(choria, folder / "forged.jwt", stranger.seed, owner, ["events_viewer"], {})
    signer = _rsa(folder)
    _issue(choria, folder / "rsa.jwt", signer / "signer.key", owner, ["events_viewer"], {"publish": [EVENTS]})
    choria.server_token(
        folder / "server.jwt",
        issuer.seed,
        public_key=owner.public,
        identity="n1.example.net",
        collectives=["choria"],
    )
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(folder / "home"), "USER": "rip"}
    site = Site(folder, environ, owner, stranger, {})
    return Site(folder, environ, owner, stranger, _brokers(site, issuer, signer / "signer.pub"))


def _brokers(site: Site, issuer: Keys, signer: Path) -> dict[str, Settings]:
    files, addressed = site.certificate("localhost"), site.certificate("addressed")
    organisation: Settings = {
        "plugin.security.provider": "choria",
        f"{_CHORIA}.token_file": site.folder / "broker.jwt",  # required, but need not exist
        f"{_CHORIA}.seed_file": site.folder / "broker.seed",
        f"{_CHORIA}.certificate": addressed[f"{_FILE}.certificate"],
        f"{_CHORIA}.key": addressed[f"{_FILE}.key"],
        f"{_ISSUER}.names": "choria",
        f"{_ISSUER}.choria.public": issuer.public,
    }
    return {
        "issuer": organisation,
        "issuer and authority": organisation | site.trusting(),
        "issuer and a system user": organisation | {f"{_SYSTEM}.user": "system", f"{_SYSTEM}.password": "s3cret"},
        "streams": organisation | streams(site.folder / "store"),
        "certificates": files,
        "certificates, clients listed": files | {"plugin.choria.network.client_hosts": LOOPBACK},
        "signers": files | {"plugin.choria.network.client_signer_cert": f"{issuer.public}, {signer}"},
        "puppet": site.puppet(),
    }


def _issue(choria: Choria, file: Path, key: Path, owner: Keys, permissions: list[str], more: Mapping[str, Any]) -> None:
    choria.client_token(file, key, public_key=owner.public, identity="choria=rip", permissions=permissions, **more)


def _rsa(folder: Path) -> Path:
    """Return the keys of the signer of an older AAA service."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (folder / "signer.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )
    (folder / "signer.pub").write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return folder
