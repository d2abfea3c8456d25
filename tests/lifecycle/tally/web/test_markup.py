from __future__ import annotations

import doctest

from choria_lifecycle.tally.web import markup


def test_docstring_examples() -> None:
    failed, tried = doctest.testmod(markup)
    assert (failed, tried > 0) == (0, True)
