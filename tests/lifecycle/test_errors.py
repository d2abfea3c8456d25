from __future__ import annotations

import copy
import pickle

import pytest

from choria_lifecycle import errors

EXAMPLES = [
    errors.InvalidEvent("m", path="$.a", rule="type", value=5),
    errors.UnknownProtocol("m", protocol="p"),
    errors.OptionError("m", missing=("a",), unexpected=("b",), invalid=("c",)),
    errors.ConfigError("m"),
    errors.ConnectionFailed("m"),
    errors.NotAuthorised("m"),
    errors.DeliveryFailed("m", subject="s", may_arrive=True),
    errors.NoStream("m"),
    errors.MissingExtra("m", extra="cli"),
    errors.AddressInUse("m", host="127.0.0.1", port=8080),
]


def test_every_error_has_an_example() -> None:
    assert {type(error).__name__ for error in EXAMPLES} == set(errors.__all__) - {"LifecycleError"}
    assert set(errors.LifecycleError.__subclasses__()) == {type(error) for error in EXAMPLES}


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_errors_survive_copying_and_pickling(error: errors.LifecycleError, again) -> None:
    other = again(error)
    assert type(other) is type(error)
    assert str(other) == str(error)
    assert vars(other) == vars(error)


def test_the_docstring_lists_every_error() -> None:
    assert errors.__doc__
    drawn = [line.split("+-- ")[1].split()[0] for line in errors.__doc__.splitlines() if "+-- " in line]
    assert drawn == [type(error).__name__ for error in EXAMPLES]
