"""Texts of values for both sides to parse, by the kinds of their keys."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from choria_lifecycle.config.choria.syntax import ValueKind

HOME = "/home/a"

_LISTS = ("a", "a,b:c", " a , b : c ", ",", ":", "a,", ":a", ",,::", "a b", "\xa0a\xa0,\x1cb", "\u00e4,\U0001f600")
_PATHS = ("a", "/a", "~", "~/a", "~b/c", " ~/a ", "a~", "~~", "$HOME/a", "\xa0~/a\xa0", "/a b", "..", "~\u00e4")

TEXTS: dict[ValueKind, tuple[str, ...]] = {
    "string": ("a", " a ", "a=b", "~", "\u00e4", "\0"),
    "int": (
        *("0", "7", "-7", "+7", "007", "-0", "", " 7", "7 ", "1.0", "1e3", "0x10", "1_000", "\u0667", "--7", "+", "x"),
        *("9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "0" * 30 + "7"),
    ),
    "bool": (
        *("1", "0", "yes", "no", "true", "false", "y", "n", "t", "f", "YES", "No", "tRuE", "F", " yes ", "\xa0no\xa0"),
        *("", "2", "on", "off", "maybe", "true false", "yes\n", "11", "-1", "ye", "\u0131", "fal\u017fe"),
    ),
    "duration": (
        *("0", "5", "120", "007", "5s", "5S", "5m", "5M", "5h", "5H", "5d", "5D", "5w", "5W", "5y", "5Y", "5ms", "5us"),
        *("5ns", "5\xb5s", "5\u03bcs", "1h30m", "1m30s500ms", "1.5h", "1.5s", "0.5d", "0.1d", "1.7d", "0.7M", "0.3M"),
        *(
            ".5s",
            "5.s",
            ".s",
            ".",
            "s",
            "-5s",
            "+5s",
            "--5s",
            "+-5s",
            "-5",
            "+5",
            "5 s",
            " 5s ",
            "5s ",
            "1d12h",
            "1h1d",
        ),
        *("1h 30m", "1h-30m", "s5", "5x", "5min", "5sec", "", " ", "-", "+", "1e3s", "1e3d", "1_0s", "0x5d", "\u0665s"),
        *(".5d", "5.d", "d", "-1d", "+1d", "1.5.5d", "1..5s", "0.0000000001s", "1.9999999999s", "0.1ns", "1.1ns", "h"),
        *("0.123456789123456789123s", "2562047h47m16.854775807s", "106751d", "292y", "9223372036", "1s1s", "5s5", "5u"),
        *("1h1m1s1ms1us1ns", "1.1h1.1m1.1s", "-1h1m", "0d", "0w", "00.10s", "5m5", "\u00e4", "5\u00e4s"),
    ),
    "path_string": _PATHS,
    "title_string": ("a", "A", "ab c", "1a", "\u00e4b", "\u0434", " a", "\U0001f600", "\U00010428x"),
    "comma_split": _LISTS,
    "colon_split": _LISTS,
    "path_split": _LISTS,
    "strings": _LISTS,
}

_PIECES: dict[ValueKind, tuple[str, ...]] = {
    "int": (*"0123456789", "+", "-", " ", "_", "99999999"),
    "bool": ("y", "es", "n", "o", "t", "rue", "f", "alse", "1", "0", "Y", "ES", "T", "F", " ", "\xa0"),
    "duration": (
        *"0123456789..-+ ",
        "h",
        "m",
        "s",
        "ms",
        "us",
        "ns",
        "\xb5s",
        "d",
        "w",
        "M",
        "y",
        "Y",
        "H",
        "99",
        "00",
    ),
    "path_string": ("~", "/", "a", " ", "\xa0", "."),
    "title_string": ("a", "\u00e4", " ", "Z", "\u0434"),
}
_SEPARATED = ("a", "b", ",", ":", " ", "\t", "\xa0", "\u2003", "\x1c", ",,")


def texts() -> Iterator[tuple[ValueKind, str, str]]:
    """Yield hand-picked kinds, texts and home directories."""
    for kind, each in TEXTS.items():
        yield from ((kind, text, HOME) for text in each)
    yield from (("path_string", text, "") for text in ("a", "~", "~/a", " ~", "~b"))


def random_texts(seed: int, count: int) -> Iterator[tuple[ValueKind, str, str]]:
    """Yield random texts, about this many of each kind, none blank: no file has such a value."""
    rng = random.Random(seed)
    for kind in TEXTS:
        pieces = _PIECES.get(kind, _SEPARATED)
        for _ in range(count):
            text = "".join(rng.choice(pieces) for _ in range(rng.randrange(1, 7)))
            if text.strip():
                yield kind, text, HOME
