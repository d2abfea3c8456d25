"""The page as an HTML parser reads it: its content, and foreign text, which never becomes markup."""

from __future__ import annotations

import copy
import re
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from choria_lifecycle.support.text import safe
from choria_lifecycle.tally.web import markup
from choria_lifecycle.tally.web.assets import assets
from choria_lifecycle.tally.web.page import page
from tests.bed import tally_states
from tests.bed.page import Element, parsed

BROKER = "broker1.example.net:4222"
SAMPLES = {
    make.__name__: make
    for make in (
        tally_states.empty,
        tally_states.typical,
        tally_states.huge,
        tally_states.hostile,
        tally_states.troubled,
        tally_states.degraded,
    )
}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_page_has_only_known_elements_and_attributes(name: str) -> None:
    status = SAMPLES[name]()
    before = copy.deepcopy(status)
    html = parsed(status)
    assert status == before
    assert html.attributes["lang"] == "en"
    assert html.one("title").text.endswith(" · Lifecycle tally")
    assert html.one("meta", name="viewport").attributes["content"] == "width=device-width, initial-scale=1"
    for element in html.all():
        allowed = {
            "class",
            "id",
            "role",
            "title",
            "datetime",
            "scope",
            "tabindex",
            "data-key",
            "aria-label",
            "aria-hidden",
        }
        allowed |= {
            "script": {"src", "defer"},
            "link": {"rel", "href"},
            "meta": {"charset", "name", "content"},
            "a": {"href"},
            "svg": {"viewbox", "preserveaspectratio"},
            "rect": {"x", "y", "width", "height"},
        }.get(element.name, set())
        assert set(element.attributes) <= allowed
    # Addresses are relative, because a proxy may serve the page below a path.
    files = {asset.path.removeprefix("/") for asset in assets().values()}
    linked = [link.attributes["href"] for link in html.all("link")]
    assert files == {*linked, html.one("script").attributes["src"]}
    assert html.one("script").text == ""
    assert [link.attributes["href"] for link in html.all("a")] == ["api/v1/status"]


@pytest.mark.parametrize("name", SAMPLES)
def test_the_page_is_accessible(name: str) -> None:
    html = parsed(SAMPLES[name]())
    headings = [int(element.name[1]) for element in html.all() if re.fullmatch("h[1-6]", element.name)]
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(headings))
    assert [element.name for element in html.one("body").content if isinstance(element, Element)] == [
        "header",
        "main",
        "footer",
        "p",
    ]
    for svg in html.all("svg"):
        assert svg.attributes.get("aria-hidden") == "true" or (
            svg.attributes["role"] == "img" and svg.attributes["aria-label"]
        )
    for table in html.all("table"):
        assert all("scope" in header.attributes for header in table.all("th"))
    ids = [element.attributes["id"] for element in html.all() if "id" in element.attributes]
    assert len(set(ids)) == len(ids)
    keys = [element.attributes["data-key"] for element in html.all("article") if "data-key" in element.attributes]
    assert len(set(keys)) == len(keys)


def test_untrusted_text_stays_text() -> None:
    html = parsed(tally_states.hostile())
    shown = {element.text for element in html.all("bdi")}
    assert {safe(text, 128) for text in tally_states.HOSTILE} <= shown
    assert {safe(text * 9, 128) for text in tally_states.HOSTILE} <= shown
    raw = page(tally_states.hostile())
    raw.encode()
    for char in set("".join(tally_states.HOSTILE)):
        if not char.isprintable():
            assert char not in raw.replace("\n", "")


@cache
def benign() -> set[str]:
    """Return the elements of pages without foreign text."""
    return {element.name for make in (tally_states.huge, tally_states.troubled) for element in parsed(make()).all()}


@given(st.lists(st.text(max_size=140), unique=True, min_size=1, max_size=4))
def test_any_text_stays_text(names: list[str]) -> None:
    status = tally_states.empty(
        components=[tally_states.component(name, **dict.fromkeys(names, 1)) for name in names],
        expired=[{"identity": name, "component": name, "version": name, "seen": 0.0, "expired": 1.0} for name in names],
        events={name: dict.fromkeys(names, 1) for name in names},
        errors=dict.fromkeys(names, 1),
        limits_hit=dict.fromkeys(names, 1),
        election=names[0],
        components_wanted=names,
        replay={"state": "none", "events": 0, "why": names[-1]},
    )
    html = parsed(tally_states.whole(status))
    assert [node.text for node in html.all("bdi", **{"class": "node"})] == [safe(name, 128) for name in names]
    assert len({article.attributes.get("data-key") for article in html.all("article")}) == len(
        list(html.all("article"))
    )
    assert {element.name for element in html.all()} <= benign()


def test_summary_and_components() -> None:
    status = tally_states.typical()
    html = parsed(status)
    facts = {each.one("dt").text: each.one("dd").text for each in html.one("dl").all("div")}
    assert facts == {"Nodes": "15,301", "Components": "5", "Versions": "22", "Last event": "1 s ago"}
    assert html.one("title").text == "15,301 nodes · Lifecycle tally"
    assert html.one("p", **{"class": "state up"}).text == f"Connected to {BROKER}"
    overview, *articles = html.all("article")
    assert rows(overview) == {each["name"]: each["nodes"] for each in status["components"]}
    assert [article.attributes["data-key"] for article in articles] == [each["name"] for each in status["components"]]
    for article, component in zip(articles, status["components"], strict=True):
        assert rows(article) == {each["version"]: each["nodes"] for each in component["versions"]}
    assert html.one("footer").text.startswith("Counting all components since 2026-11-")


def rows(article: Element) -> dict[str, int]:
    """Return the counts in its tables, after comparing bars and shares with them."""
    found: dict[str, int] = {}
    about = next(article.all("p", **{"class": "about"}))
    whole = int(about.text.split(" node")[0].replace(",", ""))
    for body in article.all("tbody"):
        for row in body.all("tr"):
            nodes, share = (cell.text for cell in row.all("td") if not cell.attributes)
            found[row.one("bdi").text] = count = int(nodes.replace(",", ""))
            assert share == markup.percent(count, whole)
            assert float(row.one("rect").attributes["width"]) == pytest.approx(100 * count / whole, abs=0.6)
    return found


def test_a_single_component_has_no_overview() -> None:
    status = tally_states.whole(tally_states.empty(components=[tally_states.component("server", **{"1.0": 3})]))
    [article] = parsed(status).all("article")
    assert rows(article) == {"1.0": 3}
    assert article.one("p", **{"class": "about"}).text == "3 nodes, 1 version"


def test_the_last_hour() -> None:
    status = tally_states.typical()
    figures = list(parsed(status).one("div", **{"class": "hour"}).all("figure"))
    assert [
        (figure.one("span", **{"class": "what"}).text, figure.one("span", **{"class": "total"}).text)
        for figure in figures
    ] == [
        ("Started", "1,737"),
        ("Stopped", "1,694"),
        ("Expired", "7"),
        ("Upgraded", "6"),
    ]
    expired = figures[2].one("svg")
    assert expired.attributes["aria-label"] == "Expired in each of the last 60 minutes: peak 3 a minute, 15 min ago"
    bars = {int(each.attributes["x"]) // 4: float(each.attributes["height"]) for each in expired.all("rect")}
    assert bars == {7: 13.3, 31: 13.3, 32: 13.3, 44: 40, 51: 13.3}
    for each in expired.all("rect"):
        assert float(each.attributes["y"]) + float(each.attributes["height"]) == pytest.approx(40)


def test_expired_nodes() -> None:
    status = tally_states.typical()
    [first, *_] = parsed(status).one("ol").all("li")
    assert [part.text for part in first.content if isinstance(part, Element)] == [
        "db7.fra1.example.net",
        "server 0.29.4",
        "last seen 89 min ago",
        "expired 9 min ago",
    ]
    html = parsed(tally_states.huge())
    assert [len(list(part.all("li"))) for part in html.all("ol")] == [8, 42]


@pytest.mark.parametrize(
    ("up", "ready", "readable", "chips"),
    [
        (True, True, True, [f"up Connected to {BROKER}"]),
        (True, True, False, [f"up Connected to {BROKER}", "down Fault in the stream CHORIA_EVENTS"]),
        (True, False, False, [f"down Not receiving from {BROKER}", "down Fault in the stream CHORIA_EVENTS"]),
        (False, False, False, ["down Not connected"]),
    ],
)
def test_the_header_shows_whether_events_can_arrive(up: bool, ready: bool, readable: bool, chips: list[str]) -> None:
    status = tally_states.typical()
    status["connection"]["up"], status["ready"] = up, ready
    assert status["stream"] is not None
    status["stream"]["readable"] = readable
    shown = [each for each in parsed(status).all("p") if each.attributes.get("class", "").startswith("state ")]
    assert [f"{each.attributes['class'].removeprefix('state ')} {each.text}" for each in shown] == chips


def test_gaps_are_listed_with_times_and_reason() -> None:
    section = parsed(tally_states.degraded()).one("section", **{"class": "gaps"})
    assert section.one("summary").text == "2 gaps in which events may have been missed"
    assert [[part.text for part in item.content if isinstance(part, Element)] for item in section.all("li")] == [
        ["2026-11-18 10:56:00 UTC to 2026-11-18 10:56:30 UTC", "the stream discarded messages"],
        ["2026-11-18 10:00:00 UTC to 2026-11-18 10:00:50 UTC", "the connection was lost"],
    ]


def test_events_by_component_and_type() -> None:
    status = tally_states.typical()
    table = parsed(status).one("table", **{"class": "events"})
    head, *lines = ([cell.text for cell in row.content if isinstance(cell, Element)] for row in table.all("tr"))
    types = head[1:]
    assert types == sorted(types)
    for name, *counts in lines:
        shown = {kind: int(count.replace(",", "")) for kind, count in zip(types, counts, strict=True) if count != "0"}
        assert shown == status["events"][name]


def test_a_huge_page_is_folded_and_bounded() -> None:
    status = tally_states.huge()
    html = parsed(status)
    assert len(page(status)) < 700_000
    summaries = [element.text for element in html.all("summary")]
    assert [text for text in summaries if "component" in text] == [
        f"58 more components, {markup.plural(sum(each['nodes'] for each in status['components'][6:]), 'node')}",
        f"52 more components, {markup.plural(sum(each['nodes'] for each in status['components'][12:]), 'node')}",
        "Events since the start, by component and type",
    ]
    assert sum("250 more versions, " in text for text in summaries) == 64
    for article in html.all("article", **{"data-key": status["components"][0]["name"]}):
        versions = status["components"][0]["versions"]
        assert rows(article) == {each["version"]: each["nodes"] for each in versions[:30]}
        left = sum(each["nodes"] for each in versions[30:])
        assert f"226 more versions, {markup.plural(left, 'node')}: see the JSON" in article.text


def test_an_empty_page() -> None:
    html = parsed(tally_states.empty())
    assert html.one("p", **{"class": "empty"}).text.startswith("No node has been seen yet.")
    assert "none yet" in html.one("dl").text
    assert not list(html.all("article"))
    assert not list(html.all("ol"))


def test_impossible_times_are_shown() -> None:
    parsed(tally_states.empty(now=1e300, started=-1e300, last_event=float("nan")))
