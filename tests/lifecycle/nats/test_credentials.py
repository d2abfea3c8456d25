from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import nkeys
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from choria_lifecycle.config.settings import ConnectionSettings
from choria_lifecycle.config.tokens import public_key
from choria_lifecycle.errors import ConfigError, MissingExtra, NotAuthorised
from choria_lifecycle.nats.credentials import credentials, inbox_prefix
from tests.bed import servers
from tests.bed.tokens import client_token, verify_signature, write_credentials

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ISSUER = Ed25519PrivateKey.generate()
SECRET = "s3cret"
NONCE = "abc-_DEF"


def with_token(folder: Path, *, user: str | None = None, **claims: Any) -> ConnectionSettings:
    """Write a Choria token and its seed, and return settings with them."""
    written = write_credentials(folder, client_token(ISSUER, **claims))
    password = SECRET if user else None
    return ConnectionSettings(jwt=written.token_file, seed=written.seed_file, user=user, password=password)


def test_nothing_is_sent_without_credentials() -> None:
    assert credentials(ConnectionSettings()) == {}


def test_secrets_are_hidden_in_functions() -> None:
    user = credentials(ConnectionSettings(user="alice", password=SECRET))
    token = credentials(ConnectionSettings(token=SECRET))
    assert {name: get() for name, get in user.items()} == {"user": "alice", "password": SECRET}
    assert {name: get() for name, get in token.items()} == {"token": SECRET}
    assert SECRET not in repr((user, token))


def test_a_creds_file_signs_and_is_read_again_for_each_connection(tmp_path: Path) -> None:
    operator, path = servers.Operator(), tmp_path / "alice.creds"

    def written(**options: Any) -> tuple[str, str]:
        lines = operator.creds(path, **options).read_text().splitlines()
        return lines[1], lines[5]

    written()
    given = credentials(ConnectionSettings(creds=path))
    assert set(given) == {"user_jwt_cb", "signature_cb"}
    jwt, seed = written(expires=60)
    assert given["user_jwt_cb"]().decode() == jwt
    signature = given["signature_cb"](NONCE)
    assert b"=" not in signature
    raw = base64.urlsafe_b64decode(signature + b"==")
    assert nkeys.from_seed(bytearray(seed, "ascii")).verify(NONCE.encode(), raw)
    written(expires=-60)
    for connecting in (given["user_jwt_cb"], lambda: credentials(ConnectionSettings(creds=path))):
        with pytest.raises(NotAuthorised, match=rf"^the creds {path} expired on .*; get new ones from their issuer$"):
            connecting()


def test_creds_with_an_opaque_jwt_are_left_to_the_server(tmp_path: Path) -> None:
    path = tmp_path / "alice.creds"
    seed = servers.Operator().creds(path).read_text().partition("\n\n")[2]
    for jwt in ("not.a.jwt", "opaque"):
        path.write_text(f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n{seed}")
        assert credentials(ConnectionSettings(creds=path))["user_jwt_cb"]() == jwt.encode()


def test_a_token_file_is_read_again_for_each_connection(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old\n")
    given = credentials(ConnectionSettings(token_file=path))
    path.write_text("new\n")
    assert {name: get() for name, get in given.items()} == {"token": "new"}


def test_an_nkey_is_given_as_a_file(tmp_path: Path) -> None:
    servers.nkey(tmp_path / "seed")
    assert credentials(ConnectionSettings(nkey=tmp_path / "seed")) == {"nkeys_seed": str(tmp_path / "seed")}


@pytest.mark.parametrize("contents", [b"", SECRET.encode(), b"U" + b"A" * 55, b"\xff\xfe"])
def test_a_file_without_a_seed_is_refused(contents: bytes, tmp_path: Path) -> None:
    path = tmp_path / "seed"
    path.write_bytes(contents)
    with pytest.raises(ConfigError) as raised:
        credentials(ConnectionSettings(nkey=path))
    assert str(raised.value) == f"{path} does not hold a NATS seed"
    assert raised.value.__cause__ is None  # its traceback would hold the contents
    assert raised.value.__suppress_context__


@pytest.mark.parametrize("option", ["creds", "nkey", "token_file", "jwt"])
def test_a_missing_file_is_named_with_its_origin(option: str, tmp_path: Path) -> None:
    path = tmp_path / "missing"
    files = {"jwt": path, "seed": path} if option == "jwt" else {option: path}
    settings = ConnectionSettings(**files, origins={option: "client.conf:7"})
    with pytest.raises(ConfigError, match=f"{path}.*client.conf:7"):
        credentials(settings)


def test_a_choria_token_signs_and_is_read_again_for_each_connection(tmp_path: Path) -> None:
    given = credentials(with_token(tmp_path))
    assert set(given) == {"token", "signature_cb"}
    renewed = client_token(ISSUER)
    write_credentials(tmp_path, renewed)
    assert given["token"]() == renewed.jwt
    verify_signature(given["signature_cb"](NONCE).decode(), NONCE, public_key(bytes.fromhex(renewed.seed)))
    write_credentials(tmp_path, client_token(ISSUER, expires=-60))
    with pytest.raises(NotAuthorised, match="expired on"):
        given["token"]()


@pytest.mark.parametrize("times", [{"expires": -60}, {"valid_in": 60}])
def test_a_choria_token_out_of_time_is_refused(times: dict[str, float], tmp_path: Path) -> None:
    with pytest.raises(NotAuthorised):
        credentials(with_token(tmp_path, **times))


def test_a_choria_token_may_come_with_a_user(tmp_path: Path) -> None:
    given = credentials(with_token(tmp_path, user="alice"))
    assert set(given) == {"token", "signature_cb", "user", "password"}
    assert (given["user"](), given["password"]()) == ("alice", SECRET)


def test_replies_arrive_in_an_inbox_named_after_the_caller(tmp_path: Path) -> None:
    assert inbox_prefix(ConnectionSettings(inbox="choria.reply")) == "choria.reply"
    settings = with_token(tmp_path, callerid="up=alice")
    assert inbox_prefix(settings) == f"_INBOX.{hashlib.md5(b'up=alice').hexdigest()}"
    settings.jwt.write_text("nothing of use")  # type: ignore[union-attr]
    with pytest.raises(ConfigError, match=str(settings.jwt)):
        inbox_prefix(settings)


@pytest.mark.parametrize(
    ("settings", "extra"),
    [
        (lambda path: ConnectionSettings(creds=path), "nkeys"),
        (lambda path: ConnectionSettings(nkey=path), "nkeys"),
        (lambda path: ConnectionSettings(jwt=path, seed=path), "choria"),
    ],
)
def test_a_missing_package_is_named(
    settings: Callable[[Path], ConnectionSettings], extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingExtra) as raised:
        credentials(settings(tmp_path))
    assert raised.value.extra == extra
