"""Listen addresses and their sockets."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from choria_lifecycle.errors import AddressInUse, ConfigError
from choria_lifecycle.tally.web import listening
from choria_lifecycle.tally.web.listening import bind, url


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("127.0.0.1:0", "127.0.0.1"),
        ("0", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0:0", "0.0.0.0"),
        pytest.param("[::1]:0", "::1", marks=needs_ipv6),
        pytest.param("[::1]", "::1", marks=needs_ipv6),
    ],
)
def test_valid_addresses(address: str, host: str) -> None:
    [opened] = bind([address], default_port=0)
    with opened:
        assert opened.getsockname()[0] == host
        with socket.create_connection(opened.getsockname()[:2], 5):
            pass


def test_without_a_host_all_interfaces_are_used() -> None:
    with ExitStack() as stack:
        for opened in bind([":0"]):
            stack.enter_context(opened)
        port = opened.getsockname()[1]
        for host in ["127.0.0.1", "::1"] if socket.has_dualstack_ipv6() and has_ipv6() else ["127.0.0.1"]:
            with socket.create_connection((host, port), 5):
                pass


def test_without_ipv6_only_ipv4_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    [opened] = bind([":0"])
    with opened:
        assert opened.family == socket.AF_INET


def test_a_name_stands_for_all_its_local_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.2", 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with ExitStack() as stack:
        opened = [stack.enter_context(each) for each in bind(["n1.example.net:0"])]
        assert [each.getsockname()[0] for each in opened] == ["127.0.0.1", "127.0.0.2"]


@pytest.mark.parametrize(
    "address",
    ["", ":", "::1", "[::1", "a b:1", "127.0.0.1:", "127.0.0.1:65536", "99999", "host:-1", "host:x", "http://a"],
)
def test_invalid_addresses(address: str) -> None:
    with pytest.raises(ConfigError, match=r"is not an address to listen on; use HOST:PORT"):
        bind([address])


def test_an_unknown_name() -> None:
    with pytest.raises(ConfigError, match=r'cannot listen on "no\.such\.invalid": the name does not resolve'):
        bind(["no.such.invalid:0"])


def test_an_address_of_another_machine() -> None:
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1:0: no interface of this machine has that address"):
        bind(["192.0.2.1:0"])


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (13, "cannot listen on 127.0.0.1:80: permission denied; choose a port above 1023"),
        (24, "cannot listen on 127.0.0.1:80: out of them"),
    ],
)
def test_errors_of_the_system(number: int, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, "out of them")

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(ConfigError) as caught:
        bind(["80"])
    assert str(caught.value) == message


@pytest.mark.parametrize("pattern", ["127.0.0.1:{}", "{}", ":{}", "localhost:{}"])
def test_an_address_in_use(pattern: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(AddressInUse, match="another program does; stop it, or choose another port") as caught:
            bind([pattern.format(port)])
        assert caught.value.port == port
        assert str(port) in str(caught.value)


def test_if_one_address_fails_the_others_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[socket.socket] = []
    create = socket.create_server

    def keeping(*arguments: object, **settings: object) -> socket.socket:
        opened.append(create(*arguments, **settings))  # type: ignore[arg-type]
        return opened[-1]

    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setattr(listening.socket, "create_server", keeping)
        with pytest.raises(AddressInUse):
            bind(["127.0.0.1:0", f"127.0.0.1:{other.getsockname()[1]}"])
    assert [each.fileno() for each in opened] == [-1]


def test_duplicate_addresses_are_bound_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    [opened] = bind([f"127.0.0.1:{port}", str(port)])
    opened.close()


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("127.0.0.1:0", "http://127.0.0.1:{}/"),
        (":0", "http://127.0.0.1:{}/"),
        ("0.0.0.0:0", "http://127.0.0.1:{}/"),
        pytest.param("[::1]:0", "http://[::1]:{}/", marks=needs_ipv6),
    ],
)
def test_url(address: str, shown: str) -> None:
    with ExitStack() as stack:
        opened = [stack.enter_context(each) for each in bind([address])]
        assert url(opened[0]) == shown.format(opened[0].getsockname()[1])
