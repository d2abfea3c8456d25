"""The page: the status as HTML, complete without JavaScript, which only refreshes it."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from choria_lifecycle.support.choria import ALIVE_INTERVAL
from choria_lifecycle.support.duration import minutes
from choria_lifecycle.tally.web.assets import assets, build_id
from choria_lifecycle.tally.web.charts import describe_peak, minute_bars, share_bar
from choria_lifecycle.tally.web.markup import Html, age, number, percent, plural, tag, time_tag, untrusted_text
from choria_lifecycle.tally.web.notices import notices

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from choria_lifecycle.tally.status import ComponentStatus, ExpiredStatus, GapStatus, Status

__all__ = ["page"]

# Entries shown at once, and rows to unfold; the rest is in the JSON.
_MAX_COMPONENTS: Final = 12
_MAX_ROWS: Final = 6
_MAX_FOLDED_ROWS: Final = 24
_MAX_EXPIRED: Final = 8

_CHARTS: Final = (("startups", "Started"), ("shutdowns", "Stopped"), ("expiries", "Expired"), ("upgrades", "Upgraded"))
_LEVELS: Final = {"error": "Error", "warning": "Warning", "note": "Note"}


def page(status: Status) -> str:
    """Return the page.

    Args:
        status: what to show; untrusted text in it is escaped.
    """
    html = tag("html", _head(status), _body(status), lang="en", data_build=build_id())
    return f"<!doctype html>\n{html}\n"


def _head(status: Status) -> Html:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("title", f"{plural(status['nodes'], 'node')} · Lifecycle tally"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        # Addresses are relative: a proxy may serve the page below a path.
        tag("link", rel="icon", href=_asset("icon.svg")),
        tag("link", rel="stylesheet", href=_asset("page.css")),
        Html(f'<script src="{_asset("page.js")}" defer></script>'),
    )


def _body(status: Status) -> Html:
    main = tag(
        "main",
        _notices(status),
        _summary(status),
        _hour(status),
        _components(status["components"]),
        _expired(status["expired"], status["now"]),
        _events(status),
        _gaps(status["gaps"]),
    )
    # The script shows in the last paragraph when the tally does not respond.
    return tag("body", _header(status), main, _footer(status), tag("p", id="live", role="status"))


def _header(status: Status) -> Html:
    connection = status["connection"]
    server = untrusted_text(connection["server"].removeprefix("nats://"))
    if not connection["up"]:
        chips = [tag("p", "Not connected", class_="state down")]
    elif not status["ready"]:
        chips = [tag("p", "Not receiving from ", server, class_="state down")]
    else:
        chips = [tag("p", "Connected to ", server, class_="state up")]
    stream = status["stream"]
    if connection["up"] and stream is not None and not stream["readable"]:
        chips.append(tag("p", "Fault in the stream ", untrusted_text(stream["name"]), class_="state down"))
    if status["election"] is not None:
        role = "Standby" if status["role"] == "standby" else "Leader"
        chips.append(tag("p", f"{role} of ", untrusted_text(status["election"]), class_="state"))
    as_of = tag("p", "as of ", time_tag(status["now"], seconds=True), class_="as-of")
    return tag("header", tag("h1", "Lifecycle tally"), *chips, as_of)


def _notices(status: Status) -> Html:
    items = [
        tag("li", tag("strong", _LEVELS[notice.level]), " ", tag("span", notice.text), class_=notice.level)
        for notice in notices(status)
    ]
    return tag("ul", *items, class_="notices", aria_label="Notices") if items else Html("")


def _summary(status: Status) -> Html:
    versions = sum(len(component["versions"]) for component in status["components"])
    last = status["last_event"]
    facts = (
        ("Nodes", number(status["nodes"])),
        ("Components", number(len(status["components"]))),
        ("Versions", number(versions)),
        ("Last event", "none yet" if last is None else time_tag(last, age(status["now"] - last), seconds=True)),
    )
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in facts), class_="summary")


def _hour(status: Status) -> Html:
    figures: list[Html] = []
    for key, name in _CHARTS:
        counts: Sequence[int] = status["minutes"][key]  # type: ignore[literal-required]
        total = tag("span", number(sum(counts)), class_="total")
        figures.append(
            tag(
                "figure",
                tag("figcaption", tag("span", name, class_="what"), total),
                minute_bars(counts, name),
                tag("p", describe_peak(counts), class_="peak"),
            )
        )
    return tag("section", tag("h2", "Last hour"), tag("div", *figures, class_="hour"))


def _components(components: Sequence[ComponentStatus]) -> Html:
    if not components:
        every = f"Nodes announce themselves when they start, and then every {minutes(ALIVE_INTERVAL)}."
        empty = tag("p", f"No node has been seen yet. {every}", class_="empty")
        return tag("section", tag("h2", "Nodes by version"), empty)
    shown, more = components[:_MAX_COMPONENTS], components[_MAX_COMPONENTS:]
    parts = [
        tag("h2", "Nodes by version"),
        tag("div", _overview(components), *map(_component, shown), class_="components"),
    ]
    if more:
        title = _rest("component", [(component["name"], component["nodes"]) for component in more])
        parts.append(_details(title, tag("div", *map(_component, more), class_="components")))
    return tag("section", *parts)


def _overview(components: Sequence[ComponentStatus]) -> Html:
    """Return a table of the components, if there are several."""
    if len(components) < 2:
        return Html("")
    counts = [(component["name"], component["nodes"]) for component in components]
    return tag("article", tag("h3", "All components"), *_ranking("component", counts))


def _component(component: ComponentStatus) -> Html:
    counts = [(version["version"], version["nodes"]) for version in component["versions"]]
    # The script identifies components by key, because different names may look alike.
    key = component["name"].encode("unicode_escape").decode("ascii")
    return tag("article", tag("h3", untrusted_text(component["name"])), *_ranking("version", counts), data_key=key)


def _ranking(what: str, counts: Sequence[tuple[str, int]]) -> Iterator[Html]:
    """Yield the total, a table of the largest counts, and a folded one of more."""
    whole = _sum(counts)
    yield tag("p", f"{plural(whole, 'node')}, {plural(len(counts), what)}", class_="about")
    yield _table(what, counts[:_MAX_ROWS], whole)
    if more := counts[_MAX_ROWS:]:
        unfolded = [_table(what, more[:_MAX_FOLDED_ROWS], whole)]
        if rest := more[_MAX_FOLDED_ROWS:]:
            unfolded.append(tag("p", f"{_rest(what, rest)}: see the JSON", class_="about"))
        yield _details(_rest(what, more), *unfolded)


def _rest(what: str, counts: Sequence[tuple[str, int]]) -> str:
    return f"{plural(len(counts), f'more {what}')}, {plural(_sum(counts), 'node')}"


def _sum(counts: Iterable[tuple[str, int]]) -> int:
    return sum(nodes for _, nodes in counts)


def _table(what: str, counts: Iterable[tuple[str, int]], whole: int) -> Html:
    # One f-string a row, because large networks have thousands.
    rows = "".join(
        f'<tr><th scope="row">{untrusted_text(name)}</th><td class="share">{share_bar(nodes, whole)}</td>'
        f"<td>{number(nodes)}</td>{tag('td', percent(nodes, whole))}</tr>"
        for name, nodes in counts
    )
    head = f'<th scope="col">{what.title()}</th><td></td><th scope="col">Nodes</th><th scope="col">Share</th>'
    return Html(f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")


def _expired(expired: Sequence[ExpiredStatus], now: float) -> Html:
    if not expired:
        return Html("")
    about = tag("p", "Nodes that were silent for too long and are no longer counted.", class_="about")
    parts = [tag("h2", "Recently expired nodes"), about, _expired_list(expired[:_MAX_EXPIRED], now)]
    if more := expired[_MAX_EXPIRED:]:
        parts.append(_details(f"{number(len(more))} more", _expired_list(more, now)))
    return tag("section", *parts, class_="expired")


def _expired_list(expired: Iterable[ExpiredStatus], now: float) -> Html:
    items = (
        tag(
            "li",
            untrusted_text(each["identity"], class_="node"),
            tag("span", untrusted_text(each["component"]), " ", untrusted_text(each["version"])),
            tag("span", "last seen ", time_tag(each["seen"], age(now - each["seen"]), seconds=True)),
            tag("span", "expired ", time_tag(each["expired"], age(now - each["expired"]), seconds=True)),
        )
        for each in expired
    )
    return tag("ol", *items)


def _events(status: Status) -> Html:
    events = {name: types for name, types in status["events"].items() if types}
    if not events:
        return Html("")
    types = sorted(set(chain.from_iterable(events.values())))[:12]
    head = tag(
        "tr", tag("th", "Component", scope="col"), *(tag("th", untrusted_text(name), scope="col") for name in types)
    )
    rows = (
        tag(
            "tr",
            tag("th", untrusted_text(name), scope="row"),
            *(tag("td", number(counts.get(each, 0))) for each in types),
        )
        for name, counts in sorted(events.items())
    )
    table = tag("table", tag("thead", head), tag("tbody", *rows), class_="events")
    scrolled = tag("div", table, class_="scrolled", tabindex="0", role="region", aria_label="Events since the start")
    return tag("section", _details("Events since the start, by component and type", scrolled))


def _gaps(gaps: Sequence[GapStatus]) -> Html:
    if not gaps:
        return Html("")
    items = (
        tag(
            "li",
            tag("span", time_tag(gap["begin"], seconds=True), " to ", time_tag(gap["end"], seconds=True)),
            tag("span", tag("bdi", gap["reason"])),
        )
        for gap in gaps
    )
    title = f"{plural(len(gaps), 'gap')} in which events may have been missed"
    return tag("section", _details(title, tag("ol", *items)), class_="gaps")


def _details(title: str, *content: Html) -> Html:
    return tag("details", tag("summary", title), *content)


def _footer(status: Status) -> Html:
    wanted = ", ".join("all components" if name == "*" else name for name in status["components_wanted"])
    return tag(
        "footer",
        tag(
            "p",
            "Counting ",
            untrusted_text(wanted) if wanted else "no component",
            " since ",
            time_tag(status["started"]),
        ),
        tag("p", "choria-lifecycle ", untrusted_text(status["version"])),
        tag("p", tag("a", "JSON", href="api/v1/status")),
    )


def _asset(name: str) -> str:
    return assets()[name].path.removeprefix("/")
