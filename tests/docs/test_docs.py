"""docs/validation.md agrees with the code: all codes with their severities, the examples and the programs."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import time
from base64 import b64encode
from typing import Any, NamedTuple

import pytest

import choria_lifecycle as lifecycle
from choria_lifecycle.cli.locations import advise
from choria_lifecycle.cli.validate import command
from choria_lifecycle.validation.policy import Policy, validate_batch
from choria_lifecycle.validation.reports.lines import line_formatter
from choria_lifecycle.validation.reports.protocol import ReportFormat, StoredMessage
from choria_lifecycle.validation.source import DocumentSource
from choria_lifecycle.wire.codes import FINDING_CODES
from choria_lifecycle.wire.locations import AUTO, Location, events_at
from tests.bed.paths import DOCS

PAGE = (DOCS / "validation.md").read_text("utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
BASES = {
    name: json.loads(text) for name, text in re.findall(r"`([A-Z])` is [^\n]*:\n\n```json\n(.*?)```", PAGE, re.DOTALL)
}
ROWS = re.findall(r"^\| `([\w-]+)` \| (error|warning|information) \| (.+?) \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)
EXAMPLES = [(code, which, cell) for code, _, _, bad, good in ROWS for which, cell in (("bad", bad), ("good", good))]


class Example(NamedTuple):
    """A cell of the table.

    Attributes:
        raw: the document.
        subject: the subject that it is sent on.
        of_file: True if it is about the end of a file.
        at: the place of the event in the document.
    """

    raw: bytes
    subject: str | None
    of_file: bool
    at: Location | None


_SPAN = r"`[^`]+`(?: \xd7 [\d,]+)?"
_STEP = rf"([^`]*?)[ ,]*({_SPAN}(?: {_SPAN})*)"


def example(cell: str) -> Example:
    """Build the document that a cell describes, in the notation that the page explains."""
    assert re.fullmatch(f"(?:{_STEP})+", cell), cell
    (way, name), *changes = [(words.strip(" ,"), _text(spans)) for words, spans in re.findall(_STEP, cell)]
    at = Location.parse(way[3:-1]) if way.startswith("at $") else None
    ways = {"", "in Latin-1:", "at the end of a file:", "in a file:", "in a file, after EF BB BF:"}
    assert at is not None or way in ways, way
    document: Any = BASES.get(name)
    again, subject = "", None
    for word, text in changes:
        match word:
            case "with":
                document = document | json.loads(f"{{{text}}}")
            case "without":
                document = dict(document)
                del document[text]
            case "around":
                document = document | {"data": BASES[text]}
            case "and again":
                again = f", {text}"
            case "on":
                subject = text
            case _:
                raise AssertionError(f"the page does not explain {word!r}")
    written = name if document is None else json.dumps(document, ensure_ascii=False).removesuffix("}") + again + "}"
    raw = written.encode("latin-1" if "Latin-1" in way else "utf-8-sig" if "EF BB BF" in way else "utf-8")
    return Example(raw, subject, "file" in way, at)


def _text(spans: str) -> str:
    pairs = re.findall(r"`([^`]+)`(?: \xd7 ([\d,]+))?", spans)
    return "".join(text * int(times.replace(",", "") or 1) for text, times in pairs)


def in_a_file(raw: bytes, at: Location | None = None) -> list[str]:
    """Return the codes that `lifecycle validate` reports for a file."""
    parts = [validate_batch(batch, Policy(now=time.time(), at=at)) for batch in DocumentSource(io.BytesIO(raw))]
    return [finding.code for part in parts for _, findings in part.findings for finding in findings]


def test_the_table_follows_from_the_codes() -> None:
    examples = {code: f"{bad} | {good}" for code, _, _, bad, good in ROWS}
    lines = [
        f"| `{code.name}` | {code.severity} | {code.summary} | {examples.get(code.name, 'BAD | GOOD')} |"
        for code in FINDING_CODES.values()
    ]
    table = re.findall(r"^\| `[a-z]+-[\w-]+` \| .*$", PAGE, re.MULTILINE)
    missing, extra = [line for line in lines if line not in table], [line for line in table if line not in lines]
    if table != lines:
        pytest.fail(
            "\n".join(["paste these rows into docs/validation.md:", *missing, "in place of these:", *extra])
            if missing or extra
            else "the rows of docs/validation.md are not in the order of wire/codes.py",
            pytrace=False,
        )


@pytest.mark.parametrize(("code", "which", "cell"), EXAMPLES, ids=[f"{code} {which}" for code, which, _ in EXAMPLES])
def test_each_example_has_the_findings_of_its_row(code: str, which: str, cell: str) -> None:
    raw, subject, of_file, at = example(cell)
    if of_file or at is not None:
        found = in_a_file(raw, at)
    else:
        found = [finding.code for finding in lifecycle.validate(raw, subject)]
        if subject is None:
            assert in_a_file(raw + b"\n") == found
    if which == "good":
        assert not found
    elif code.endswith("-cut"):  # never the only finding
        assert found[-1] == code
    else:
        assert found == [code]


def test_the_base_documents_are_valid() -> None:
    assert sorted(BASES) == ["C", "E", "G", "N"]
    assert BASES["C"]["data"] == BASES["E"]
    for document in BASES.values():
        assert not lifecycle.validate(json.dumps(document))


def test_the_programs_print_what_the_page_shows() -> None:
    *shown, tested = PROGRAMS
    assert len(shown) == 2
    for program in shown:
        said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        assert said.splitlines() == [line[2:] for line in program.splitlines() if line.startswith("# ")]
    names: dict[str, Any] = {}
    exec(tested, names)
    [name] = [name for name in names if name.startswith("test_")]
    names[name]()


def test_findings_look_as_the_page_shows_them() -> None:
    names: dict[str, Any] = {}
    exec(PROGRAMS[0], names)
    line = line_formatter(ReportFormat.TEXT, "events.ndjson")
    lines = [line(17, finding) for finding in lifecycle.validate(names["event"])]
    assert re.findall(r"^    (events\.ndjson:17: .*)$", PAGE, re.MULTILINE) == lines
    fields = re.findall(r"^\| `(\w+)`(?:, or `(\w+)` for a message)? \|[^|]*\|$", PAGE, re.MULTILINE)
    of_messages = re.findall(r"^\| `(\w+)`, for a message only \|[^|]*\|$", PAGE, re.MULTILINE)
    for live in (False, True):
        shown = json.loads(line_formatter(ReportFormat.JSON, "x", live=live)(1, lifecycle.validate(b"")[0]))
        expected = [(live and other) or name for name, other in fields]
        assert list(shown) == [*expected[:2], *(of_messages if live else []), *expected[2:]]
    (stored,) = re.findall(r"^    (choria\.lifecycle\.\S+)#1234: .*$", PAGE, re.MULTILINE)
    text = line_formatter(ReportFormat.TEXT, stored, live=True, stored=StoredMessage("CHORIA_EVENTS", 1234))
    assert f"    {text(1, lifecycle.validate(names['event'])[0])}\n" in PAGE


def fill_in(text: str) -> bytes:
    """Return a document with the event in the places that the page marks."""
    event = json.dumps(BASES["E"])
    quoted = json.dumps(event)
    text = text.replace('\\"TEXT\\"', json.dumps(quoted)[1:-1])
    text = text.replace("BYTES", json.dumps(list(event.encode())))
    text = text.replace("BASE64", json.dumps(b64encode(event.encode()).decode())).replace("TEXT", quoted)
    return re.sub(r"(?<=: )E\b", lambda _: event, text).encode()


def test_each_place_of_an_event_is_found_and_read() -> None:
    places = re.findall(r"^\| [^|]+ \| `(\{.*\})` \| `(\$.*)` \|$", PAGE, re.MULTILINE)
    assert len(places) > 20
    for document, path in places:
        raw = fill_in(document)
        [finding] = lifecycle.validate(raw)
        assert f"; an event is in {path}, as " in finding.message
        for at in (Location.parse(path), AUTO):
            assert in_a_file(raw, at) == []
            [event] = events_at(raw, at)
            assert event.finding is None
            assert json.loads(event.data) == BASES["E"]


def test_each_kind_of_frames_is_read_directly() -> None:
    event = json.dumps(BASES["E"])
    frames = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    assert len(frames) == 3
    for frame in frames:
        raw = re.sub(r"\bE$", lambda _: event, frame, flags=re.MULTILINE).replace("<RS>", "\x1e").encode()
        [batch] = DocumentSource(io.BytesIO(raw))
        assert [json.loads(document) for document in batch.documents] == [BASES["E"]] * 2
        assert in_a_file(raw) == []


def test_the_finding_about_a_wrapped_event_looks_as_the_page_shows_it() -> None:
    [finding] = lifecycle.validate(fill_in('{"message": TEXT}'))
    line = line_formatter(ReportFormat.TEXT, "events.ndjson")(1, advise(finding))
    assert line in re.findall(r"^    (events\.ndjson:1: .*)$", PAGE, re.MULTILINE)


def test_options_and_links_exist() -> None:
    options = {name for parameter in command.params for name in parameter.opts}
    page = re.sub(r"`(?:nats|logcli|lifecycle view) [^`]*`", "", PAGE)  # other commands
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", page)) <= options
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert (DOCS / target).exists(), target
