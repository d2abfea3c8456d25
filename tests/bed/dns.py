"""A DNS server on the loopback interface that serves SRV records and simulates failures."""

from __future__ import annotations

import socketserver
import struct
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from choria_lifecycle.support.text import quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Record = tuple[int, int, int, str]
    """Priority, weight, port and target."""

    Zone = Mapping[str, Sequence[Record] | str]
    """The answer for each name; other names are NXDOMAIN.

Records, or "NXDOMAIN", "SERVFAIL", "TIMEOUT" (no answer), "EMPTY" (the name exists, without SRV records).
"""

__all__ = ["DnsServer", "dns_server"]

_TTL_SECONDS = 60
_FAILURES = {"NXDOMAIN": dns.rcode.NXDOMAIN, "SERVFAIL": dns.rcode.SERVFAIL, "EMPTY": dns.rcode.NOERROR}


class DnsServer:
    """A running DNS server.

    Attributes:
        address: its address, for UDP and TCP.
        port: its port.
        asked: the questions so far, as "SRV name.example" without the final dot, in lower case; "SRV name.example tcp"
            for one over TCP.
    """

    address = "127.0.0.1"

    def __init__(self, zone: Zone) -> None:
        self.port = 0
        self.asked: list[str] = []
        self._zone = zone

    def respond(self, query: bytes, *, tcp: bool) -> bytes:
        """Return the answer to a query, or nothing to simulate a timeout."""
        question = dns.message.from_wire(query)
        response = dns.message.make_response(question)
        asked = question.question[0]
        name = asked.name.to_text(omit_final_dot=True).lower()
        self.asked.append(f"{dns.rdatatype.to_text(asked.rdtype)} {name}{' tcp' if tcp else ''}")
        known = self._zone.get(name, "NXDOMAIN")
        if known == "TIMEOUT":
            return b""
        if isinstance(known, str):
            if known not in _FAILURES:
                raise ValueError(f"the zone has {quoted(known)} for {name}; use one of TIMEOUT, {', '.join(_FAILURES)}")
            response.set_rcode(_FAILURES[known])
        elif known and asked.rdtype == dns.rdatatype.SRV:
            texts = [f"{priority} {weight} {port} {target.rstrip('.')}." for priority, weight, port, target in known]
            response.answer.append(dns.rrset.from_text(asked.name, _TTL_SECONDS, "IN", "SRV", *texts))
        return response.to_wire(max_size=65535) if tcp else _truncated(response, max(512, question.payload))


def _truncated(response: dns.message.Message, size: int) -> bytes:
    """Return a response for UDP: truncated and marked as such if it does not fit."""
    wire = response.to_wire(max_size=65535)
    if len(wire) <= size:
        return wire
    response.answer.clear()
    response.flags |= dns.flags.TC
    return response.to_wire()


class _Udp(socketserver.BaseRequestHandler):
    server: Any

    def handle(self) -> None:
        query, answering = self.request
        if response := self.server.dns.respond(query, tcp=False):
            answering.sendto(response, self.client_address)


class _Tcp(socketserver.StreamRequestHandler):
    server: Any

    def handle(self) -> None:
        while len(size := self.rfile.read(2)) == 2:
            response = self.server.dns.respond(self.rfile.read(struct.unpack("!H", size)[0]), tcp=True)
            if response:
                self.wfile.write(struct.pack("!H", len(response)) + response)


class _TcpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextmanager
def dns_server(zone: Zone) -> Iterator[DnsServer]:
    """Run a server within the block.

    Args:
        zone: the records, names in lower case without the final dot. It is read at each query and may change at any
            time.
    """
    running = DnsServer(zone)
    tcp = _TcpServer((running.address, 0), _Tcp)
    running.port = tcp.server_address[1]
    udp = socketserver.UDPServer((running.address, running.port), _Udp)
    threads = []
    for server in (tcp, udp):
        server.dns = running  # type: ignore[union-attr]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="test bed DNS")
        thread.start()
        threads.append((server, thread))
    try:
        yield running
    finally:
        for server, thread in threads:
            server.shutdown()
            server.server_close()
            thread.join()
