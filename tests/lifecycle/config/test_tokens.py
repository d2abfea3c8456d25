"""Reading tokens, which the test bed signs as Choria does."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from choria_lifecycle.config.tokens import public_key, read_plain_token, read_seed, read_token, sign_with_seed
from choria_lifecycle.errors import ConfigError, MissingExtra, NotAuthorised
from tests.bed.tokens import client_token

if TYPE_CHECKING:
    from pathlib import Path

ISSUER = Ed25519PrivateKey.generate()
NOW = 1_795_348_800
LATER = NOW + 3600


def written(tmp_path: Path, text: str | bytes) -> Path:
    file = tmp_path / "token.jwt"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def with_claims(tmp_path: Path, **claims: Any) -> Path:
    return written(tmp_path, client_token(ISSUER, claims=claims).jwt)


def test_the_claims_of_a_token(tmp_path: Path) -> None:
    made = client_token(
        ISSUER,
        callerid="up=alice",
        permissions=("events_viewer", "governor"),
        pub_subjects=("choria.lifecycle.event.>",),
        sub_subjects=("a.b",),
        claims={"nbf": NOW, "exp": LATER, "permissions": {"events_viewer": True, "governor": True, "org_admin": False}},
    )
    token = read_token(written(tmp_path, made.jwt + "\n"))
    assert (token.text, token.purpose, token.caller) == (made.jwt, "choria_client_id", "up=alice")
    assert (token.starts, token.expires) == (NOW, LATER)
    assert token.permissions == ("events_viewer", "governor")
    assert (token.publishes, token.subscribes) == (("choria.lifecycle.event.>",), ("a.b",))
    assert token.unique_id == hashlib.md5(b"up=alice").hexdigest()
    assert token.public_key == public_key(bytes.fromhex(made.seed))
    assert made.jwt not in repr(token)


def test_a_servers_token(tmp_path: Path) -> None:
    file = with_claims(tmp_path, purpose="choria_server", callerid=None, identity="n1.example.net")
    assert read_token(file).caller == "n1.example.net"


@pytest.mark.parametrize(
    ("claims", "expires"),
    [
        ({"exp": LATER}, LATER),
        ({"exp": LATER, "issexp": NOW}, NOW),
        ({"exp": NOW, "issexp": LATER}, NOW),
        ({"exp": None, "issexp": LATER}, LATER),
        ({"exp": LATER + 0.5}, LATER + 0.5),
        ({"exp": None}, None),
        ({"exp": 0}, None),
        ({"exp": "soon"}, None),
        ({"exp": True}, None),
        ({"exp": 1e300}, None),
    ],
)
def test_the_earlier_expiry_applies(tmp_path: Path, claims: dict[str, Any], expires: float | None) -> None:
    assert read_token(with_claims(tmp_path, **claims)).expires == expires


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (NOW, ""),
        (LATER, ""),
        (LATER + 5, ""),
        (LATER + 6, r"expired on 2026-11-22 13:00 UTC; get a new one"),
        (NOW - 5, ""),
        (NOW - 6, "not valid before 2026-11-22 12:00 UTC"),
    ],
)
def test_when_a_token_is_valid(tmp_path: Path, now: float, reason: str) -> None:
    token = read_token(with_claims(tmp_path, nbf=NOW, exp=LATER))
    if not reason:
        token.check_time(now)
        return
    with pytest.raises(NotAuthorised, match=reason):
        token.check_time(now)


def jwt(payload: bytes) -> bytes:
    return b"e30." + base64.urlsafe_b64encode(payload).rstrip(b"=") + b".c2ln"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "is not a token"),
        (b"one.two", "is not a token"),
        (b"one.two.three.four", "is not a token"),
        (b"a.%%%.c", "is not a token"),
        (b"\xff.\xff.\xff", "is not a token"),
        (jwt(b"[]"), "is not a token"),
        (jwt(b"[" * 5000), "is not a token"),
        (jwt(b"{"), "is not a token"),
        (jwt(b"{}"), "no stated purpose"),
        (jwt(b'{"purpose": "choria_provisioning"}'), "choria_provisioning"),
        (jwt(b'{"purpose": "\\u001b[2J"}'), r"\\u001b\[2J"),
        (jwt(b'{"purpose": ["choria_client_id"]}'), "is for"),
        (jwt(b'{"purpose": "choria_client_id"}'), "does not name its holder"),
        (jwt(b'{"purpose": "choria_client_id", "callerid": 5}'), "does not name its holder"),
        (b"x" * 70_000, "more than 65536 bytes"),
    ],
)
def test_other_files_are_not_tokens(tmp_path: Path, text: bytes, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as raised:
        read_token(written(tmp_path, text))
    assert str(tmp_path) in str(raised.value)


def test_malformed_claims_are_ignored(tmp_path: Path) -> None:
    claims = {"permissions": [1], "pub_subjects": "x", "sub_subjects": [1, "a"], "public_key": 5}
    token = read_token(with_claims(tmp_path, **claims))
    assert (token.permissions, token.publishes, token.subscribes, token.public_key) == ((), (), ("a",), "")


@pytest.mark.parametrize("reader", [read_token, read_seed, read_plain_token])
def test_files_that_cannot_be_read(tmp_path: Path, reader: Any) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*No such file"):
        reader(tmp_path / "missing")
    with pytest.raises(ConfigError, match="cannot read"):
        reader(tmp_path)


@pytest.mark.parametrize("text", ["ab" * 32, "AB" * 32, "ab" * 32 + "\n"])
def test_seeds(tmp_path: Path, text: str) -> None:
    assert read_seed(written(tmp_path, text)) == b"\xab" * 32


@pytest.mark.parametrize("text", ["", "ab" * 31, "ab" * 33, "s3cret" * 8, "xy" * 32, b"\xff" * 64])
def test_other_files_are_not_seeds(tmp_path: Path, text: str | bytes) -> None:
    with pytest.raises(ConfigError, match="is not an ed25519 seed") as raised:
        read_seed(written(tmp_path, text))
    assert "s3cret" * 8 not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("text", ["s3cr\u00e9t /w", "s3cr\u00e9t /w\n", "s3cr\u00e9t /w\r\n"])
def test_plain_tokens(tmp_path: Path, text: str) -> None:
    assert read_plain_token(written(tmp_path, text)) == "s3cr\u00e9t /w"


@pytest.mark.parametrize("text", ["", "\n", " \n", "s3cret\ns3cret", "s3cret\0", b"s3cret\xff", "\ufeffs3cret"])
def test_other_files_are_not_plain_tokens(tmp_path: Path, text: str | bytes) -> None:
    file = written(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        read_plain_token(file, "client.conf:7")
    expected = f"{file} (client.conf:7) does not hold a token: write it there, as one line of UTF-8 text"
    assert str(raised.value) == expected


def test_a_plain_token_is_short(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has more than 65536 bytes: too many for a token or a seed$"):
        read_plain_token(written(tmp_path, "s" * 65_537))


def test_signatures_are_unpadded_url_safe_base64() -> None:
    seed = bytes(range(32))
    signature = sign_with_seed(seed, b"nonce")
    assert len(signature) == 86
    assert not set(signature) & set(b"+/=")
    raw = base64.urlsafe_b64decode(signature + b"==")
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key(seed))).verify(raw, b"nonce")


def test_without_cryptography(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r"choria-lifecycle\[choria\]"):
        sign_with_seed(bytes(32), b"nonce")
