"""Sentences that state a constant of the code: in the README, in docs/, and in the docstrings of the package.

A changed constant fails here once for each document, with the sentence to change.
"""

from __future__ import annotations

import re
from inspect import signature
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from choria_lifecycle import Service, connect
from choria_lifecycle.cli.run import _CLOSE_TIMEOUT
from choria_lifecycle.config.discovery import _CACHE_SECONDS
from choria_lifecycle.nats.replay import _CHECK_INTERVAL
from choria_lifecycle.service.exit_hooks import CLOSE_TIMEOUT
from choria_lifecycle.support.choria import ALIVE_INTERVAL, SERVICE_INTERVAL
from choria_lifecycle.support.duration import minutes
from choria_lifecycle.tally.defaults import DEFAULT_REPLAY, EXPIRY
from choria_lifecycle.tally.intake import _REFUSED_INTERVAL, _SEARCH_INTERVAL
from choria_lifecycle.tally.limits import Limits
from choria_lifecycle.tally.state import MAX_ANSWER_AGE
from choria_lifecycle.tally.web.http import _CONNECTION_TIMEOUT, _MAX_CONNECTIONS
from choria_lifecycle.testing import Announcements
from choria_lifecycle.wire.check import MAX_LISTED
from choria_lifecycle.wire.jsontext import MAX_DEPTH, MAX_SIZE
from choria_lifecycle.wire.spelling import MAX_NAME
from choria_lifecycle.wire.warnings import _MAX_NAMES
from tests.bed.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator


class Constant(NamedTuple):
    """A constant, and the sentences that state it.

    Attributes:
        name: where it is written.
        text: its value as documents write it.
        sentences: words around the value, for which # stands.
    """

    name: str
    text: str
    sentences: tuple[str, ...]

    def statements(self, text: str) -> Iterator[re.Match[str]]:
        """Yield what states the constant, with whatever number; the group is the value."""
        value = re.sub(r"\d[\d,]*", r"\\d[\\d,.]*", re.escape(self.text))
        patterns = (re.escape(each).replace(r"\#", f"({value})") for each in self.sentences)
        for pattern in patterns:
            yield from re.finditer(pattern, text)


def seconds(value: float) -> str:
    return f"{value:g} seconds"


def default(function: object, parameter: str) -> float:
    return signature(function).parameters[parameter].default


LIMITS: Final = Limits()

CONSTANTS: Final = (
    Constant(
        "EXPIRY in tally/defaults.py",
        minutes(EXPIRY),
        (
            "after # of silence",
            "silent for #.",
            "`--expiry`, # |",
            "counted for another #,",
            "by default #: look",
            "set forward within the last #,",
            "silent for # in which",
        ),
    ),
    Constant("DEFAULT_REPLAY in tally/defaults.py", minutes(DEFAULT_REPLAY), ("replays the last # of the stream",)),
    Constant(
        "ALIVE_INTERVAL in support/choria.py",
        minutes(ALIVE_INTERVAL),
        (
            "alive events every #,",
            "an event every #.",
            "servers do so every #.",
            "takes # for all of them",
            "once # without a gap",
            "after a gap for the next #.",
            "grows for # after a start",
            "`complete` is 0 for #: events stored before",
            "once it is seen, within #.",
        ),
    ),
    Constant(
        "SERVICE_INTERVAL in support/choria.py",
        minutes(SERVICE_INTERVAL),
        ("`alive` every #,", "Every # (`interval=`", "next heartbeat, for up to #."),
    ),
    Constant(
        "the default of Service(timeout=)",
        seconds(default(Service, "timeout")),
        ("for at most # (`timeout=`)", "at most # later (`timeout=`)"),
    ),
    Constant("the default of Service(limit=)", f"{default(Service, 'limit')} events", ("the newest # (`limit=`)",)),
    Constant(
        "CLOSE_TIMEOUT in service/exit_hooks.py",
        seconds(CLOSE_TIMEOUT),
        ("This takes at most #.", "wait for shutdown takes at most # in any case", "blocks for at most #."),
    ),
    Constant("_CLOSE_TIMEOUT in cli/run.py", seconds(_CLOSE_TIMEOUT), ("shutdown is published, after at most #;",)),
    Constant("the default of connect(timeout=)", seconds(default(connect, "timeout")), ("within `--timeout`, #",)),
    Constant("_CACHE_SECONDS in config/discovery.py", seconds(_CACHE_SECONDS), ("an answer is cached for #.",)),
    Constant(
        "the default of Announcements.wait(timeout=)",
        seconds(default(Announcements.wait, "timeout")),
        ("returns it; fails after #",),
    ),
    Constant("MAX_ANSWER_AGE in tally/state.py", seconds(MAX_ANSWER_AGE), ("the broker within the last #,",)),
    Constant("_SEARCH_INTERVAL in tally/intake.py", seconds(_SEARCH_INTERVAL), ("looks for the stream every #,",)),
    Constant("_REFUSED_INTERVAL in tally/intake.py", minutes(_REFUSED_INTERVAL), ("after a refusal every #",)),
    Constant("_CHECK_INTERVAL in nats/replay.py", seconds(_CHECK_INTERVAL), ("each interruption, and every #.",)),
    Constant("_CONNECTION_TIMEOUT in tally/web/http.py", seconds(_CONNECTION_TIMEOUT), ("closed after at most #;",)),
    Constant("_MAX_CONNECTIONS in tally/web/http.py", f"{_MAX_CONNECTIONS} connections", ("beyond #, the oldest",)),
    Constant("Limits.versions", f"{LIMITS.versions} versions", ("A scrape with # of each",)),
    Constant("Limits.components", f"{LIMITS.components} components", ("versions of each of #, the most",)),
    Constant("MAX_SIZE in wire/jsontext.py", f"{MAX_SIZE:,} bytes", ("The document has more than #.",)),
    Constant("MAX_SIZE in wire/jsontext.py, in kB", f"{MAX_SIZE // 1024} kB", ("documents larger than # are",)),
    Constant("MAX_DEPTH in wire/jsontext.py", f"{MAX_DEPTH} levels", ("nested deeper than #.",)),
    Constant(
        "MAX_LISTED in wire/check.py",
        f"{MAX_LISTED}",
        (
            "at most # places that break",
            "places that break the contract and # warnings",
            "More than # places break the contract",
            "There are more than # warnings",
            "up to # of a kind",
        ),
    ),
    Constant("_MAX_NAMES in wire/warnings.py", f"{_MAX_NAMES}", ("unknown names in an object, # of at most",)),
    Constant("MAX_NAME in wire/spelling.py", f"{MAX_NAME} characters", ("of at most # are compared",)),
)

PACKAGE: Final = ROOT / "lifecycle" / "choria_lifecycle"
FILES: Final = [
    *sorted(ROOT.glob("*.md")),
    *sorted(path for path in (ROOT / "docs").rglob("*") if path.suffix in {".md", ".yml", ".yaml", ".json"}),
    *sorted(PACKAGE.rglob("*.py")),
]
TEXTS: Final = {path.relative_to(ROOT).as_posix(): " ".join(path.read_text("utf-8").split()) for path in FILES}
CASES: Final = [
    pytest.param(constant, document, id=f"{constant.name}: {document}")
    for constant in CONSTANTS
    for document, text in TEXTS.items()
    if any(constant.statements(text))
]


def around(text: str, begin: int, end: int) -> str:
    return f"... {text[max(begin - 60, 0) : end + 40]} ..."


@pytest.mark.parametrize(("constant", "document"), CASES)
def test_documents_state_the_constant(constant: Constant, document: str) -> None:
    text = TEXTS[document]
    wrong = [around(text, *found.span()) for found in constant.statements(text) if found[1] != constant.text]
    assert not wrong, f"{constant.name} is {constant.text}; change in {document}:\n" + "\n".join(wrong)


@pytest.mark.parametrize("constant", CONSTANTS, ids=lambda constant: constant.name)
def test_each_sentence_is_in_a_document(constant: Constant) -> None:
    for sentence in constant.sentences:
        alone = constant._replace(sentences=(sentence,))
        assert any(any(alone.statements(text)) for text in TEXTS.values()), f"{sentence!r} is nowhere: remove it here"


def test_no_other_sentence_states_the_minutes() -> None:
    others = []
    for document, text in TEXTS.items():
        known = {found.span(1) for constant in CONSTANTS for found in constant.statements(text)}
        stated = re.finditer(rf"\b(?:{minutes(EXPIRY)}|{minutes(ALIVE_INTERVAL)})\b", text)
        others += [f"{document}: {around(text, *found.span())}" for found in stated if found.span() not in known]
    assert not others, "add the words around the value to CONSTANTS:\n" + "\n".join(others)
