"""Events as dictionaries without the optional fields that they do not have."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan

import pytest

from choria_lifecycle.events.document import plain, without_unset


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    """An object in an event."""

    name: str
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    """An event with a required field that may be null."""

    maybe: str | None
    value: object = None


@pytest.mark.parametrize(
    ("value", "document"),
    [
        (Inner(name="a"), {"name": "a"}),
        ([Inner(name="a", note="b")], [{"name": "a", "note": "b"}]),
        ({"key": Inner(name="a")}, {"key": {"name": "a"}}),
        ({"key": [{"deep": Inner(name="a")}]}, {"key": [{"deep": {"name": "a"}}]}),
        ({"key": None}, {"key": None}),
        (1.5, 1.5),
    ],
)
def test_optional_fields_without_a_value_are_left_out_at_any_depth(value: object, document: object) -> None:
    assert plain(value) == document
    assert without_unset(Outer(maybe=None, value=value)) == {"maybe": None, "value": document}


@pytest.mark.parametrize("value", [inf, -inf, nan])
def test_numbers_that_json_cannot_express_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="is not a JSON number"):
        plain({"key": [value]})
