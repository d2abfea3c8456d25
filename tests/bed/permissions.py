"""The subjects that a Choria token allows, as in go-choria's broker (broker/network/choria_auth.go, v0.30.2)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["allowed", "covers"]

_STREAMS = [
    "$JS.API.INFO",
    "$JS.API.STREAM.NAMES",
    "$JS.API.STREAM.LIST",
    "$JS.API.STREAM.INFO.*",
    "$JS.API.STREAM.MSG.GET.*",
    "$JS.API.STREAM.MSG.DELETE.*",
    "$JS.API.DIRECT.GET.*",
    "$JS.API.DIRECT.GET.*.>",
    "$JS.API.CONSUMER.>",
    "$JS.ACK.>",
    "$JS.FC.>",
    "$KV.>",
    "$O.>",
]


def allowed(claims: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the subjects that a token may publish to, and those it may subscribe to, in the account choria."""
    has = claims.get("permissions", {}).get
    if has("org_admin"):
        return [">"], [">"]
    caller = claims["callerid"].encode()
    pubs = ["$SYS.REQ.USER.INFO", *claims.get("pub_subjects", [])]
    subs = [f"*.reply.{hashlib.new(name, caller).hexdigest()}.>" for name in ("md5", "sha256")]
    subs += claims.get("sub_subjects", [])
    if has("streams_admin"):
        subs.append("$JS.EVENT.>")
        pubs.append("$JS.>")
    if has("streams_user"):
        subs.append(f"{claims.get('ou', '')}.republish.>")
        pubs += _STREAMS
    if has("events_viewer"):
        subs += ["choria.lifecycle.event.>", "choria.machine.watcher.>", "choria.machine.transition"]
    if has("election_user"):
        pubs += ["$JS.API.STREAM.INFO.KV_CHORIA_LEADER_ELECTION", "$KV.CHORIA_LEADER_ELECTION.>"]
    if has("governor") and (has("streams_user") or has("streams_admin")):
        pubs += ["*.governor.*", "choria.lifecycle.event.governor.>"]
    if has("fleet_management") or has("signed_fleet_management"):
        pubs += ["*.broadcast.agent.>", "*.broadcast.service.>", "*.node.>", "choria.federation.*.federation"]
    return pubs, subs


def covers(pattern: str, subject: str) -> bool:
    """Return True if the pattern matches all that the subject, including its wildcards, can match."""
    left, right = pattern.split("."), subject.split(".")
    for index, token in enumerate(left):
        if token == ">":
            return len(right) > index
        if len(right) <= index or right[index] == ">" or token not in ("*", right[index]):
            return False
    return len(left) == len(right)
