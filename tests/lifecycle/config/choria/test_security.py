"""A client's identity and files under each security provider."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from choria_lifecycle.config.choria.security import resolve_security
from choria_lifecycle.config.settings import Verify
from choria_lifecycle.errors import ConfigError
from tests.bed.machine import make_machine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from choria_lifecycle.config.choria.configuration import Configuration

ALICE = {"USER": "alice", "HOME": "/home/alice"}
FILE = {
    "plugin.security.provider": "file",
    "plugin.security.file.certificate": "/tls/me.pem",
    "plugin.security.file.key": "/tls/me.key",
    "plugin.security.file.ca": "/tls/ca.pem",
}
CHORIA = {
    "plugin.security.provider": "choria",
    "plugin.security.choria.token_file": "/choria/token.jwt",
    "plugin.security.choria.seed_file": "/choria/private.key",
}
SIGNER = "plugin.choria.security.request_signer"
AAA = {
    "plugin.security.provider": "file",
    "plugin.security.client_anon_tls": "true",
    f"{SIGNER}.token_file": "/home/alice/.choria/token",
    f"{SIGNER}.service": "true",
}


@pytest.mark.parametrize(
    ("environ", "root", "name"),
    [
        (ALICE, False, "alice.mcollective"),
        (ALICE, True, "alice.mcollective"),
        ({**ALICE, "MCOLLECTIVE_CERTNAME": "bob"}, False, "bob"),
        ({"HOME": "/root", "MCOLLECTIVE_CERTNAME": "bob"}, True, "bob"),
        ({**ALICE, "MCOLLECTIVE_CERTNAME": ""}, False, "alice.mcollective"),
    ],
)
def test_puppet_names(
    configured: Callable[..., Configuration], environ: Mapping[str, str], root: bool, name: str
) -> None:
    configuration = configured({"plugin.choria.ssldir": "/ssl"})
    found = resolve_security(configuration, environ=environ, machine=make_machine(root=root))
    assert found.name == name
    assert (found.ca, found.cert, found.key) == (
        Path("/ssl/certs/ca.pem"),
        Path(f"/ssl/certs/{name}.pem"),
        Path(f"/ssl/private_keys/{name}.pem"),
    )
    assert found.verify is Verify.COMMON_NAME
    assert (found.jwt, found.seed) == (None, None)


@pytest.mark.parametrize(
    ("root", "ssldir"),
    [(False, "/home/alice/.puppetlabs/etc/puppet/ssl"), (True, "/etc/puppetlabs/puppet/ssl")],
)
def test_puppets_own_directory(configured: Callable[..., Configuration], root: bool, ssldir: str) -> None:
    machine = make_machine(root=root, puppet="/etc/puppetlabs/puppet/ssl" if root else None)
    assert resolve_security(configured({}), environ=ALICE, machine=machine).ca == Path(ssldir, "certs/ca.pem")


@pytest.mark.parametrize(
    ("environ", "root", "reason"),
    [
        ({"HOME": "/home/alice"}, False, "USER is not set.*or MCOLLECTIVE_CERTNAME"),
        ({"USER": "alice"}, False, "HOME is not set"),
        (ALICE, True, "puppet did not report its ssldir"),
    ],
)
def test_puppet_without_what_it_needs(
    configured: Callable[..., Configuration], environ: Mapping[str, str], root: bool, reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        resolve_security(configured({}), environ=environ, machine=make_machine(root=root, puppet=""))


@pytest.mark.parametrize(
    ("environ", "root", "identity", "name"),
    [
        (ALICE, False, "", "alice.mcollective"),
        (ALICE, True, "", "n1.example.net"),
        (ALICE, True, "n2.example.net", "n2.example.net"),
        ({}, False, "n2.example.net", "n2.example.net"),
        ({"MCOLLECTIVE_CERTNAME": "bob"}, True, "n2.example.net", "bob"),
        ({**ALICE, "MCOLLECTIVE_CERTNAME": "bob"}, False, "", "bob"),
    ],
)
def test_file_names(
    configured: Callable[..., Configuration], environ: Mapping[str, str], root: bool, identity: str, name: str
) -> None:
    configuration = configured(FILE | ({"identity": identity} if identity else {}))
    found = resolve_security(configuration, environ=environ, machine=make_machine(root=root))
    assert found.name == name
    assert (found.ca, found.cert, found.key) == (Path("/tls/ca.pem"), Path("/tls/me.pem"), Path("/tls/me.key"))
    assert found.verify is Verify.FULL


def test_file_accepts_legacy_certificates_if_set(configured: Callable[..., Configuration]) -> None:
    configuration = configured(FILE | {"plugin.security.support_legacy_certificates": "1"})
    assert resolve_security(configuration, environ=ALICE, machine=make_machine()).verify is Verify.COMMON_NAME


@pytest.mark.parametrize("missing", [key for key in FILE if key.startswith("plugin.security.file")])
def test_file_needs_all_of_its_files(configured: Callable[..., Configuration], missing: str) -> None:
    keys = {key: value for key, value in FILE.items() if key != missing}
    with pytest.raises(ConfigError, match=missing):
        resolve_security(configured(keys), environ=ALICE, machine=make_machine())


def test_choria_without_an_authority_trusts_any_broker(configured: Callable[..., Configuration]) -> None:
    environ = {**ALICE, "MCOLLECTIVE_CERTNAME": "bob"}
    keys = CHORIA | {"plugin.security.choria.ca": "/nowhere/ca.pem"}
    for each in (CHORIA, keys):
        found = resolve_security(configured(each), environ=environ, machine=make_machine())
        assert found.name == "alice"
        assert (found.jwt, found.seed) == (Path("/choria/token.jwt"), Path("/choria/private.key"))
        assert (found.ca, found.cert, found.key) == (None, None, None)
        assert found.verify is Verify.NOTHING


def test_choria_with_certificates(configured: Callable[..., Configuration], tmp_path: Path) -> None:
    files = {short: tmp_path / f"{short}.pem" for short in ("ca", "certificate", "key")}
    keys = CHORIA | {f"plugin.security.choria.{short}": str(file) for short, file in files.items()}
    files["ca"].touch()
    files["key"].touch()
    found = resolve_security(configured(keys), environ=ALICE, machine=make_machine())
    assert (found.verify, found.ca, found.cert, found.key) == (Verify.FULL, files["ca"], None, None)
    files["certificate"].touch()
    found = resolve_security(configured(keys), environ=ALICE, machine=make_machine())
    assert (found.cert, found.key) == (files["certificate"], files["key"])


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"plugin.security.provider": "choria"}, r"needs plugin\.security\.choria\.token_file"),
        ({k: v for k, v in CHORIA.items() if "seed" not in k}, r"needs plugin\.security\.choria\.seed_file"),
        (CHORIA | {"plugin.security.client_anon_tls": "yes"}, "cannot be combined"),
        (CHORIA | {"plugin.security.server_anon_tls": "yes"}, "cannot be combined"),
        (CHORIA | {f"{SIGNER}.token_file": "/t"}, "cannot be combined"),
        (CHORIA | {f"{SIGNER}.seed_file": "/t"}, "cannot be combined"),
        (CHORIA | {"plugin.choria.security.server.token_file": "/t"}, "cannot be combined"),
        (CHORIA | {"plugin.choria.security.server.seed_file": "/t"}, "cannot be combined"),
    ],
)
def test_choria_without_what_it_needs(
    configured: Callable[..., Configuration], keys: Mapping[str, str], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        resolve_security(configured(keys), environ=ALICE, machine=make_machine())
    if reason == "cannot be combined":
        with pytest.raises(ConfigError, match=r"client\.conf:\d+: "):
            resolve_security(configured(keys), environ=ALICE, machine=make_machine())


def test_choria_needs_a_user(configured: Callable[..., Configuration]) -> None:
    with pytest.raises(ConfigError) as raised:
        resolve_security(configured(CHORIA), environ={"MCOLLECTIVE_CERTNAME": "bob"}, machine=make_machine())
    assert "MCOLLECTIVE_CERTNAME" not in str(raised.value)


@pytest.mark.parametrize("provider", ["file", "puppet"])
@pytest.mark.parametrize(
    ("keys", "jwt", "seed"),
    [
        ({}, "/home/alice/.choria/token", "/home/alice/.choria/token.key"),
        ({f"{SIGNER}.token_file": "/t/token.jwt"}, "/t/token.jwt", "/t/token.key"),
        ({f"{SIGNER}.seed_file": "/s/seed"}, "/home/alice/.choria/token", "/s/seed"),
        ({"plugin.security.choria.token_file": "/c/t.jwt"}, "/c/t.jwt", "/c/t.key"),
        ({"plugin.security.choria.seed_file": "/c/s"}, "/home/alice/.choria/token", "/c/s"),
    ],
)
def test_clients_of_the_aaa_service(
    configured: Callable[..., Configuration], provider: str, keys: Mapping[str, str], jwt: str, seed: str
) -> None:
    configuration = configured(AAA | {"plugin.security.provider": provider} | keys)
    found = resolve_security(configuration, environ=ALICE, machine=make_machine())
    assert (found.jwt, found.seed) == (Path(jwt), Path(seed))
    assert (found.ca, found.cert, found.key, found.verify) == (None, None, None, Verify.NOTHING)
    assert found.name == "alice.mcollective"


@pytest.mark.parametrize("keys", [{}, {"plugin.security.provider": "file"}, CHORIA])
def test_without_tls_no_certificates_are_looked_for(
    configured: Callable[..., Configuration], keys: Mapping[str, str]
) -> None:
    found = resolve_security(configured(keys), environ=ALICE, machine=make_machine(root=True), no_tls=True)
    assert (found.ca, found.cert, found.key) == (None, None, None)
    assert bool(found.jwt) is bool(keys.get("plugin.security.choria.token_file"))


def test_aaa_needs_a_token(configured: Callable[..., Configuration]) -> None:
    keys = {key: value for key, value in AAA.items() if "token" not in key}
    with pytest.raises(ConfigError, match="choria login"):
        resolve_security(configured(keys), environ=ALICE, machine=make_machine())


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"plugin.security.provider": "pkcs11"}, r"pkcs11 is not supported here: use .* = file, .*file\.certificate"),
        (
            {"plugin.security.provider": "certmanager", "plugin.choria.ssldir": "/k8s/"},
            r"certmanager is not supported here.* = file with .*= /k8s/cert\.pem.*/k8s/key\.pem.*/k8s/ca\.pem",
        ),
        ({"plugin.security.provider": "x\x1b[2J"}, r"\\u001b\[2J\" is not one of puppet, file, choria"),
    ],
)
def test_other_providers(configured: Callable[..., Configuration], keys: Mapping[str, str], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        resolve_security(configured(keys), environ=ALICE, machine=make_machine())
