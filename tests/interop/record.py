"""Records of a live Go program, in readable files: a header, then one case per line."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import choria_schemas
from choria_schemas.registry import CONTRACTS
from tests.bed.paths import DATA

from .reasons import REASONS

if TYPE_CHECKING:
    from pathlib import Path

    from .judge import Record

FOLDER = DATA / "interop"
EVENTS = FOLDER / "events.jsonl"
VERDICTS = FOLDER / "verdicts.jsonl"

Document = str | dict[str, Any] | list[Any]

NOTE = (
    "One case per line. An object for a document or a body stands for its compact JSON text, a list for its parts one "
    "after another. Fields that are left out, or are 'what it states', equal those in the document."
)

# Stands for fields that equal those stated by the document itself, as read by any JSON parser.
STATED = "what it states"


def load(path: Path) -> tuple[Record, list[Record]]:
    """Return the header with the recorded versions, and the cases."""
    head, *cases = (json.loads(line) for line in path.read_text("utf-8").split("\n") if line)
    return head, [_full({"family": "lifecycle", **case}) for case in cases]


def dump(path: Path, about: Record, cases: list[Record]) -> None:
    """Write a file with one case per line, after a header with the versions and the reasons that the cases name."""
    names = {name for case in cases for name in (case.get("reason"), *case.get("reasons", {}).values()) if name}
    head = about | {"note": NOTE, "reasons": {name: text for name, text in REASONS.items() if name in names}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(_line(case) for case in (head, *map(_short, cases))), "utf-8")


def _short(case: Record) -> Record:
    """Leave out defaults, and what a case states twice."""
    case = dict(case)
    if case["family"] == "lifecycle":
        del case["family"]
    if "document" in case:
        for side in ("go", "here"):
            if "reads" in case[side] and case[side]["reads"] == stated(whole(case["document"])):
                case[side] = case[side] | {"reads": STATED}
    elif "body" in case:
        if case["fields"] == stated(case["body"].encode()):
            del case["fields"]
        case["body"] = shortened(case["body"].encode())
        if (body := case.get("here", {}).get("body")) is not None:
            case["here"] = case["here"] | {"body": shortened(body.encode())}
    return case


def _full(case: Record) -> Record:
    if "document" in case:
        for side in ("go", "here"):
            if "reads" in case[side] and case[side]["reads"] == STATED:
                case[side]["reads"] = stated(whole(case["document"]))
    elif "body" in case:
        case["body"] = whole(case["body"]).decode()
        case.setdefault("fields", stated(case["body"].encode()))
        if (body := case.get("here", {}).get("body")) is not None:
            case["here"]["body"] = whole(body).decode()
    return case


def stated(document: bytes) -> Record | None:
    """Return the fields of its contract that a document states, with or without envelope; None if unreadable."""
    try:
        event = json.loads(document)
    except ValueError:
        return None
    if isinstance(event, dict) and isinstance(event.get("data"), dict):
        event = event["data"]
    if not isinstance(event, dict) or not isinstance(event.get("protocol"), str):
        return None
    contract = CONTRACTS.get(event["protocol"])
    if contract is None:
        return event
    return {name: event[name] for name in choria_schemas.schema(contract.protocol)["properties"] if name in event}


def _line(case: Record) -> str:
    # Characters that a terminal or an editor would not show plainly are escaped, so that diffs are complete.
    text = json.dumps(case, ensure_ascii=False, separators=(",", ":"))
    return "".join(char if char.isprintable() else _escape(char) for char in text) + "\n"


def _escape(char: str) -> str:
    return json.dumps(char)[1:-1] if ord(char) > 126 else f"\\u{ord(char):04x}"


def shortened(document: bytes) -> Document:
    """Return a readable form of a document.

    An object, if its compact form is the document; or text, with long runs of one character counted; or base64.

    >>> shortened(b'{"a":1}'), shortened(b'{"a": 1}'), shortened(b"[" * 300 + b"1")
    ({'a': 1}, '{"a": 1}', [{'times': 300, 'of': '['}, '1'])
    """
    try:
        text = document.decode()
    except UnicodeDecodeError:
        return [{"base64": base64.b64encode(document).decode()}]
    parts: list[Any] = []
    place = 0
    for run in re.finditer(r"(.)\1{99,}", text, re.DOTALL):
        parts += [text[place : run.start()], {"times": len(run[0]), "of": run[1]}]
        place = run.end()
    if parts:
        return [part for part in (*parts, text[place:]) if part]
    value = _object(text)
    return text if value is None else value


def whole(document: Document) -> bytes:
    """Return the bytes of a shortened document."""
    if isinstance(document, str):
        return document.encode()
    return _compact(document) if isinstance(document, dict) else b"".join(_part(part) for part in document)


def _object(text: str) -> dict[str, Any] | None:
    """Return the object that the text encodes, if encoding it again gives the same text."""
    try:
        value = json.loads(text, parse_constant=lambda _: None)
        is_same = isinstance(value, dict) and _compact(value) == text.encode()
    except ValueError:  # not JSON, or half of a surrogate pair
        return None
    return value if is_same else None


def _compact(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _part(part: Any) -> bytes:
    if isinstance(part, str):
        return part.encode()
    if "base64" in part:
        return base64.b64decode(part["base64"])
    return str(part["of"]).encode() * int(part["times"])
