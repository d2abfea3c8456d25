"""The tally's page as an HTML parser reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from choria_lifecycle.tally.web.page import page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from choria_lifecycle.tally.status import Status


@dataclass
class Element:
    name: str
    attributes: dict[str, str]
    content: list[Element | str] = field(default_factory=list)

    def all(self, name: str = "", /, **attributes: str) -> Iterator[Element]:
        """Yield the descendants with a name and attributes."""
        for each in self.content:
            if isinstance(each, Element):
                if name in ("", each.name) and attributes.items() <= each.attributes.items():
                    yield each
                yield from each.all(name, **attributes)

    def one(self, name: str = "", /, **attributes: str) -> Element:
        [found] = self.all(name, **attributes)
        return found

    @property
    def text(self) -> str:
        return "".join(each if isinstance(each, str) else each.text for each in self.content)


class Parser(HTMLParser):
    """A parser that requires every element to be closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self._open = [self.root]

    def handle_decl(self, decl: str) -> None:
        assert decl == "doctype html"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len({name for name, _ in attrs}) == len(attrs)
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].content.append(element)
        if tag not in {"meta", "link"}:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().name == tag

    def handle_data(self, data: str) -> None:
        self._open[-1].content.append(data)

    def close(self) -> None:
        super().close()
        assert self._open == [self.root]


def parsed(status: Status) -> Element:
    parser = Parser()
    parser.feed(page(status))
    parser.close()
    return parser.root.one("html")
