"""The clients' configurations: each provider, with valid and invalid settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.bed.certificates import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .site import Settings, Site

__all__ = ["Case", "cases"]

_NEWLINE = "this library accepts a seed with a final newline, as editors write it"
_SERVER = "a server's token permits publishing events, which suffices for a program on its node"
_ADDRESS = "Choria's client does not verify the names of a certificate if it only has an address"


@dataclass(frozen=True, slots=True)
class Case:
    """A client's configuration, and the broker it connects to.

    Attributes:
        name: in words.
        broker: one of the site's.
        settings: the configuration, without the broker and the identity.
        host: the broker's host name or address.
        environ: additional environment variables.
        stored: our client also publishes with an acknowledgement, which arrives in the inbox.
        reason: why only one of the two clients is admitted.
    """

    name: str
    broker: str
    settings: Settings
    host: str = "localhost"
    environ: Mapping[str, str] = field(default_factory=dict)
    stored: bool = False
    reason: str = ""


def cases(site: Site) -> list[Case]:
    """Return all cases for the brokers of a site."""
    return [*_tokens(site), *_certificates(site), *_aaa(site), *_puppet(site)]


def _tokens(site: Site) -> list[Case]:
    """The provider choria: an issuer of tokens for the organisation."""
    newline = site.folder / "newline.seed"
    newline.write_text(site.owner.seed.read_text("ascii") + "\n", "ascii")
    trusting = site.trusting()
    both = site.jwt("viewer") | trusting
    named = site.jwt("viewer") | {"plugin.nats.user": "u", "plugin.nats.pass": "p"}
    system = {"plugin.nats.user": "system", "plugin.nats.pass": "s3cret"}
    wrong = system | {"plugin.nats.pass": "wrong"}
    shown = both | {
        f"plugin.security.choria.{kind}": site.folder / "ours" / f"rip.{suffix}"
        for kind, suffix in (("certificate", "pem"), ("key", "key"))
    }
    return [
        Case("may view", "issuer", site.jwt("viewer")),
        Case("may view and publish", "issuer", site.jwt("publisher")),
        Case("may view by its list", "issuer", site.jwt("subscriber")),
        Case("may do everything", "issuer", site.jwt("admin")),
        Case("may do nothing", "issuer", site.jwt("nobody")),
        Case("may use streams and governors", "issuer", site.jwt("streams")),
        Case("publishes into a stream", "streams", site.jwt("publisher"), stored=True),
        Case("another main collective", "streams", site.jwt("publisher") | {"main_collective": "uk"}, stored=True),
        Case("authority known", "issuer", both),
        Case("authority known, by address", "issuer", both, host=LOOPBACK),
        Case("another authority", "issuer", site.jwt("viewer") | site.trusting("other")),
        Case("token and certificate", "issuer and authority", shown),
        Case("named otherwise", "issuer", site.jwt("viewer"), environ={"MCOLLECTIVE_CERTNAME": "other"}),
        Case("and a user of NATS", "issuer", named),
        # Their events cross only if both are in the system account; those of others stay outside.
        Case("and the system user", "issuer and a system user", site.jwt("admin") | system),
        Case("and the system user, authority known", "issuer and a system user", site.jwt("admin") | trusting | system),
        Case("and the system user, password wrong", "issuer and a system user", site.jwt("admin") | wrong),
        Case("and the system user, not permitted", "issuer and a system user", site.jwt("viewer") | system),
        Case("expired", "issuer", site.jwt("expired")),
        Case("not yet valid", "issuer", site.jwt("early")),
        Case("signed by a stranger", "issuer", site.jwt("forged")),
        Case("of another organisation", "issuer", site.jwt("elsewhere")),
        Case("seed of a stranger", "issuer", site.jwt("viewer", site.stranger.seed)),
        Case("seed missing", "issuer", site.jwt("viewer", site.folder / "none")),
        Case("seed with a final newline", "issuer", site.jwt("viewer", newline), reason=_NEWLINE),
        Case("token of a server", "issuer", site.jwt("server"), reason=_SERVER),
        Case("token missing", "issuer", site.jwt("none")),
        Case("broker without issuers", "certificates", site.jwt("viewer")),
    ]


def _certificates(site: Site) -> list[Case]:
    """The provider file: certificates of a private authority."""
    ours, other = site.certificate("rip"), site.certificate("rip", "other")
    legacy = {"plugin.security.support_legacy_certificates": "true"}
    unused = {key: value for key, value in site.jwt("viewer").items() if key != "plugin.security.provider"}
    return [
        Case("certificate", "certificates", ours),
        Case("certificate, by address", "certificates", ours, host=LOOPBACK),
        Case("certificate, named", "certificates", ours, environ={"MCOLLECTIVE_CERTNAME": "other"}),
        Case("certificate, named by nothing", "certificates", ours, environ={"MCOLLECTIVE_CERTNAME": ""}),
        Case("certificate, collectives", "certificates", ours | {"collectives": "uk, fr"}),
        Case("certificate, legacy allowed", "certificates", ours | legacy),
        Case("certificate, legacy, by address", "certificates", ours | legacy, host=LOOPBACK, reason=_ADDRESS),
        Case("certificate, and a token that is not used", "certificates", ours | unused),
        Case("certificate of another authority", "certificates", other),
        Case("certificate missing", "certificates", site.certificate("none")),
        Case("certificate, clients listed", "certificates, clients listed", ours),
        Case("certificate where tokens are issued", "issuer", ours),
        Case("certificate where both count", "issuer and authority", ours),
        Case("certificate where tokens are signed", "signers", ours),
    ]


def _aaa(site: Site) -> list[Case]:
    """An AAA service, whose tokens a broker accepts without a certificate."""
    viewer = site.aaa("viewer")
    without = {key: value for key, value in viewer.items() if not key.endswith("request_signer.service")}
    return [
        Case("AAA", "signers", viewer | {"plugin.security.provider": "file"}),
        Case("AAA, provider puppet", "signers", viewer),
        Case("AAA, signed with RSA", "signers", site.aaa("rsa")),
        Case("AAA, its own file first", "signers", viewer | {"plugin.security.choria.token_file": site.token("rsa")}),
        Case("AAA, expired", "signers", site.aaa("expired")),
        Case("AAA, named", "signers", viewer, environ={"MCOLLECTIVE_CERTNAME": "other"}),
        Case("AAA without a signer", "signers", without),
        Case("AAA and provider choria", "signers", viewer | {"plugin.security.provider": "choria"}),
    ]


def _puppet(site: Site) -> list[Case]:
    """The provider puppet: an old authority, whose certificates have only a common name."""
    folder = site.folder / "ssl"
    files = {
        "plugin.security.provider": "file",
        "plugin.security.file.ca": folder / "certs" / "ca.pem",
        "plugin.security.file.certificate": folder / "certs" / "rip.mcollective.pem",
        "plugin.security.file.key": folder / "private_keys" / "rip.mcollective.pem",
    }
    return [
        Case("puppet", "puppet", site.puppet()),
        Case("puppet, by address", "puppet", site.puppet(), host=LOOPBACK),
        Case("puppet, nobody's name", "puppet", site.puppet(), environ={"MCOLLECTIVE_CERTNAME": "none"}),
        Case("puppet, another authority", "certificates", site.puppet()),
        Case("file", "puppet", files),
        Case("file, legacy allowed", "puppet", files | {"plugin.security.support_legacy_certificates": "true"}),
    ]
