from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from choria_lifecycle.cli import messages

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["probe", "-q"], ["error"]),
        (["probe"], ["warning", "error"]),
        (["probe", "-v"], ["info", "warning", "error"]),
        (["probe", "-vv"], ["debug", "info", "warning", "error"]),
        (["-v", "probe", "-q"], ["warning", "error"]),
    ],
)
def test_verbosity_selects_the_log_levels(arguments: list[str], said: list[str], probe: Callable[..., Result]) -> None:
    def action() -> None:
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            logging.getLogger("choria_lifecycle").log(level, "some\nthing")

    result = probe(action, *arguments)
    assert result.stderr.splitlines() == [f"lifecycle: {level}: some\\nthing" for level in said]


def test_the_logger_is_restored(probe: Callable[..., Result]) -> None:
    logger = logging.getLogger("choria_lifecycle")
    before = (logger.level, list(logger.handlers))
    probe(lambda: None, "probe", "-vv")
    assert (logger.level, list(logger.handlers)) == before


def test_verbosity_outside_a_command_is_zero() -> None:
    assert messages.verbosity() == 0
