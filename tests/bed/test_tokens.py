"""Tokens are verified, and subjects permitted, as in Choria's broker."""

from __future__ import annotations

import base64
import stat
from hashlib import md5, sha256
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .permissions import allowed, covers
from .tokens import Refused, client_token, verify_signature, verify_token, write_credentials

if TYPE_CHECKING:
    from pathlib import Path

ISSUER = Ed25519PrivateKey.from_private_bytes(b"i" * 32)
STRANGER = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
NONCE = "abcdefghijklmno"
REPLIES = [f"*.reply.{name(b'up=ripienaar').hexdigest()}.>" for name in (md5, sha256)]
EVENTS = ["choria.lifecycle.event.>", "choria.machine.watcher.>", "choria.machine.transition"]


def sign(seed: str, nonce: str = NONCE) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed)).sign(nonce.encode())


def test_a_valid_token() -> None:
    token = client_token(ISSUER)
    claims = verify_token(token.jwt, ISSUER)
    assert claims["callerid"] == "up=ripienaar"
    assert claims["permissions"] == {"events_viewer": True}
    assert "pub_subjects" not in claims
    assert len(token.seed) == 64
    verify_signature(base64.urlsafe_b64encode(sign(token.seed)).rstrip(b"=").decode(), NONCE, claims["public_key"])


def test_a_token_of_an_rsa_signer() -> None:
    verify_token(client_token(RSA, claims={"ou": None}).jwt, RSA)


def test_a_given_seed() -> None:
    seed = "0f" * 32
    assert client_token(ISSUER, seed=seed).seed == seed


@pytest.mark.parametrize(
    ("jwt", "reason"),
    [
        (client_token(ISSUER, expires=-1).jwt, "token: expired"),
        (client_token(ISSUER, valid_in=3600).jwt, "token: not yet valid"),
        (client_token(STRANGER).jwt, "token: not signed by the issuer"),
        (client_token(RSA).jwt, 'token: signed with "RS256", the issuer\'s key is for EdDSA'),
        (client_token(ISSUER, claims={"purpose": "choria_server"}).jwt, 'token: its purpose is "choria_server"'),
        (client_token(ISSUER, claims={"callerid": None}).jwt, "token: it has no callerid"),
        (client_token(ISSUER, claims={"public_key": ""}).jwt, "token: it has no public_key"),
        (client_token(ISSUER, claims={"ou": None}).jwt, "token: it has no ou"),
        (client_token(ISSUER).jwt + "=", "token: not in unpadded URL-safe base64"),
        (client_token(ISSUER).jwt.replace(".", "", 1), "token: no JWT"),
        ("e30.e30.", "token: signed with null, the issuer's key is for EdDSA"),
        ("bm8.bm8.", "token: not JSON"),
    ],
)
def test_invalid_tokens(jwt: str, reason: str) -> None:
    with pytest.raises(Refused) as raised:
        verify_token(jwt, ISSUER)
    assert str(raised.value) == reason


# Both letters in which the alphabets differ, and padding.
SEED = next(
    seed
    for seed in (f"{number:064x}" for number in range(1000))
    if all(char in base64.b64encode(sign(seed)).decode() for char in "+/=")
)
PUBLIC = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(SEED)).public_key().public_bytes_raw().hex()
RAW = base64.urlsafe_b64encode(sign(SEED)).rstrip(b"=").decode()
ENCODING = "signature: not in unpadded URL-safe base64"
OTHER = "signature: not of this nonce by the token's key"


@pytest.mark.parametrize(
    ("signature", "nonce", "public_key", "reason"),
    [
        (RAW + "==", NONCE, PUBLIC, ENCODING),
        (base64.b64encode(sign(SEED)).decode().rstrip("="), NONCE, PUBLIC, ENCODING),
        (base64.b64encode(sign(SEED)).decode(), NONCE, PUBLIC, ENCODING),
        (RAW + "\n", NONCE, PUBLIC, ENCODING),
        ("", NONCE, PUBLIC, "signature: there is none"),
        (RAW, "", PUBLIC, "signature: there was no nonce to sign"),
        (RAW, NONCE[:-1], PUBLIC, OTHER),
        (RAW[:-4], NONCE, PUBLIC, OTHER),
        (RAW, NONCE, STRANGER.public_key().public_bytes_raw().hex(), OTHER),
        (RAW, NONCE, "abcd", "signature: the token's public_key is no ed25519 key"),
    ],
)
def test_invalid_signatures(signature: str, nonce: str, public_key: str, reason: str) -> None:
    verify_signature(RAW, NONCE, PUBLIC)
    with pytest.raises(Refused) as raised:
        verify_signature(signature, nonce, public_key)
    assert str(raised.value) == reason


def claims(*permissions: str, **others: Any) -> dict[str, Any]:
    return verify_token(client_token(ISSUER, permissions=permissions, **others).jwt, ISSUER)


@pytest.mark.parametrize(
    ("given", "pubs", "subs"),
    [
        (claims(), [], []),
        (claims("events_viewer"), [], EVENTS),
        (claims(pub_subjects=["a.>"], sub_subjects=["b"]), ["a.>"], ["b"]),
        (
            claims("election_user"),
            ["$JS.API.STREAM.INFO.KV_CHORIA_LEADER_ELECTION", "$KV.CHORIA_LEADER_ELECTION.>"],
            [],
        ),
        (claims("governor"), [], []),
        (
            claims("governor", "streams_admin"),
            ["$JS.>", "*.governor.*", "choria.lifecycle.event.governor.>"],
            ["$JS.EVENT.>"],
        ),
    ],
)
def test_permissions_of_a_token(given: dict[str, Any], pubs: list[str], subs: list[str]) -> None:
    assert allowed(given) == (["$SYS.REQ.USER.INFO", *pubs], [*REPLIES, *subs])


def test_an_administrator_has_all_permissions() -> None:
    assert allowed(claims("org_admin", "events_viewer")) == ([">"], [">"])


@pytest.mark.parametrize(
    ("pattern", "subject", "covered"),
    [
        ("a.>", "a.b", True),
        ("a.>", "a.b.*", True),
        ("a.>", "a.>", True),
        ("a.>", "a", False),
        ("a.>", ">", False),
        ("a.*", "a.b", True),
        ("a.*", "a.*", True),
        ("a.*", "a.>", False),
        ("a.*", "a.b.c", False),
        ("a.b", "a.b", True),
        ("a.b", "a.*", False),
        ("a.b", "a.b.c", False),
        ("a.b.c", "a.b", False),
        ("*.reply.x.>", "choria.reply.x.y.z", True),
        ("*.reply.x.>", "choria.reply.y.z", False),
        (">", "$SYS.>", True),
    ],
)
def test_subjects(pattern: str, subject: str, covered: bool) -> None:
    assert covers(pattern, subject) is covered


def test_files(tmp_path: Path) -> None:
    token = client_token(ISSUER)
    written = write_credentials(tmp_path / "choria", token)
    assert [path.name for path in written] == ["token.jwt", "private.key"]
    assert [path.read_text() for path in written] == list(token)
    assert {stat.S_IMODE(path.stat().st_mode) for path in written} == {0o600}
    names = write_credentials(tmp_path, token, token_name="token", seed_name="token.key")
    assert [path.name for path in names] == ["token", "token.key"]
