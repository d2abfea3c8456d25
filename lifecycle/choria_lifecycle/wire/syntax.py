"""Syntax errors in JSON text: what was expected, where, and what is there instead.

The wording and the positions of the standard library differ between versions of Python; these do not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from choria_lifecycle.support.text import quoted

if TYPE_CHECKING:
    from json import JSONDecodeError

__all__ = ["JSONSyntaxError", "constant", "lone_surrogate", "translate"]

_WHITESPACE: Final = " \t\r\n"
_LINE_END: Final = "\n"
_EXPECTED_VALUE: Final = "expected a value"
_CONTROL_CHARACTER: Final = "unescaped control character in a string"
_TRAILING_COMMA: Final = "trailing comma"
_INVALID_ESCAPE: Final = "invalid escape in a string"
_HALF_PAIR: Final = "half of a surrogate pair"
_PROBLEMS: Final = {
    "Expecting value": _EXPECTED_VALUE,
    "Expecting property name enclosed in double quotes": "expected a key in double quotes",
    "Expecting ':' delimiter": "expected a colon",
    "Expecting ',' delimiter": "expected a comma or a closing bracket",
    "Extra data": "expected the end of the document",
    "Invalid control character at": _CONTROL_CHARACTER,
    "Unterminated string starting at": "unclosed string",
}
_REMEDIES: Final = {
    _TRAILING_COMMA: "; remove it",
    _CONTROL_CHARACTER: "; escape it",
    _INVALID_ESCAPE: "; write two backslashes for one",
    _HALF_PAIR: "; write both halves, or the character itself",
}
_MAX_QUOTED: Final = 20
# Each matches escapes or strings as a whole, and what is wrong as a group.
_ESCAPES = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]|(\\u[dD][89a-fA-F])|\\.")
_CONSTANTS = re.compile(r'"(?:[^"\\]|\\.)*+"|(-?Infinity|NaN)', re.DOTALL)


class JSONSyntaxError(ValueError):
    """Text is not JSON.

    Attributes:
        position: the position in the text.
        problem: what is wrong there.
    """

    def __init__(self, position: int, problem: str) -> None:
        super().__init__(problem)
        self.position = position
        self.problem = problem

    def explain(self, text: str) -> str:
        """Return a message with the place, what is there, and the remedy."""
        if not text.strip(_WHITESPACE):
            return "the document is empty; an event is a JSON object"
        at = self.position
        column = at - text.rfind(_LINE_END, 0, at)
        where = f"line {text.count(_LINE_END, 0, at) + 1} column {column}" if _LINE_END in text else f"column {column}"
        is_end = not text[at:].strip(_WHITESPACE)
        found = "the end of the document" if is_end else quoted(text[at : at + _MAX_QUOTED + 1], _MAX_QUOTED)
        return f"invalid JSON: {self.problem} at {where}, found {found}{_REMEDIES.get(self.problem, '')}"


def translate(error: JSONDecodeError, text: str) -> JSONSyntaxError:
    """Return the error of the standard library about a text in the words of this module."""
    position, problem = error.pos, error.msg
    if problem.startswith("Invalid \\"):
        return JSONSyntaxError(text.rfind("\\", 0, position + 1), _INVALID_ESCAPE)
    before = text[:position].rstrip(_WHITESPACE)
    if problem.startswith("Illegal trailing comma"):
        return JSONSyntaxError(position, _TRAILING_COMMA)
    if before.endswith(",") and text[position : position + 1] in ("]", "}"):
        return JSONSyntaxError(len(before) - 1, _TRAILING_COMMA)
    return JSONSyntaxError(position, _PROBLEMS.get(problem, problem))


def constant(text: str) -> JSONSyntaxError:
    """Return the error about a text that contains NaN or Infinity outside of strings."""
    return JSONSyntaxError(_first_group(_CONSTANTS, text), _EXPECTED_VALUE)


def lone_surrogate(text: str) -> JSONSyntaxError:
    """Return the error about a text in which an escape is half of a surrogate pair."""
    return JSONSyntaxError(_first_group(_ESCAPES, text), _HALF_PAIR)


def _first_group(pattern: re.Pattern[str], text: str) -> int:
    """Return the position of the first match of a pattern's group."""
    return next((found.start() for found in pattern.finditer(text) if found[1]), 0)
