from __future__ import annotations

import doctest

import pytest

from choria_lifecycle.tally.web import markup
from choria_lifecycle.tally.web.markup import Html, join, tag, time_tag, untrusted_text


def test_docstring_examples() -> None:
    failed, tried = doctest.testmod(markup)
    assert (failed, tried > 0) == (0, True)


def test_text_is_escaped_and_markup_is_not() -> None:
    assert tag("p", "<b>", tag("b", "&"), Html("<i></i>")) == "<p>&lt;b&gt;<b>&amp;</b><i></i></p>"
    assert join(["\"'", Html("<br>")]) == "&quot;&#x27;<br>"
    assert isinstance(join([]), Html)


def test_control_characters_are_made_visible() -> None:
    assert tag("p", "a\x1b[2J\u202e\n") == "<p>a\\x1b[2J\\u202e\\n</p>"


def test_attributes_are_escaped_and_named_as_in_html() -> None:
    element = tag("p", class_="a b", aria_label='"><script>', data_key="k")
    assert element == '<p class="a b" aria-label="&quot;&gt;&lt;script&gt;" data-key="k"></p>'


def test_a_void_element_has_no_end_tag() -> None:
    assert tag("link", rel="icon", href="a?b&c") == '<link rel="icon" href="a?b&amp;c">'


def test_untrusted_text_is_truncated_and_isolated() -> None:
    assert untrusted_text("<n1>", class_="node") == '<bdi class="node">&lt;n1&gt;</bdi>'
    assert len(untrusted_text("x" * 10_000)) < 150


def test_a_time_is_shown_in_utc_or_as_the_given_text() -> None:
    shown = 'datetime="2026-11-22T08:33:56Z" title="2026-11-22 08:33'
    assert time_tag(1795336436.7) == f'<time {shown} UTC">2026-11-22 08:33 UTC</time>'
    assert time_tag(1795336436, "<b>", seconds=True) == f'<time {shown}:56 UTC">&lt;b&gt;</time>'


@pytest.mark.parametrize("when", [1e300, -1e300, float("nan"), float("inf")])
def test_an_impossible_time_is_shown_without_a_date(when: float) -> None:
    assert time_tag(when) == "<span>at an unknown time</span>"
    assert time_tag(when, "2 s ago") == "<span>2 s ago</span>"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "just now"),
        (1, "1 s ago"),
        (119, "119 s ago"),
        (120, "2 min ago"),
        (7199, "120 min ago"),
        (1e6, "12 d ago"),
    ],
)
def test_an_age_has_one_unit(seconds: float, text: str) -> None:
    assert markup.age(seconds) == text
