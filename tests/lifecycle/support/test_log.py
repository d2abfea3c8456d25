from __future__ import annotations

import logging

import pytest

from choria_lifecycle.support.log import logger, warn_visibly


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> logging.Logger:
    """Return a root logger without handlers; pytest adds its own to the real one."""
    root = logging.RootLogger(logging.WARNING)
    monkeypatch.setattr(logger, "parent", root)
    return root


class Recorder(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.mark.usefixtures("root")
def test_the_logger_is_silent_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    logger.error("not shown")
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("root")
def test_a_visible_warning_appears_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    before = logger.handlers[:]
    warn_visibly("%s has %d", "disk", 3)
    assert capsys.readouterr() == ("", "disk has 3\n")
    assert logger.handlers == before
    logger.warning("not shown")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("where", ["root", "logger"])
def test_a_program_that_has_configured_logging_handles_the_warning(
    where: str, root: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder, configured = Recorder(), root if where == "root" else logger
    configured.addHandler(recorder)
    try:
        warn_visibly("%s has %d", "disk", 3)
    finally:
        configured.removeHandler(recorder)
    assert recorder.lines == ["disk has 3"]
    assert capsys.readouterr() == ("", "")


def test_a_handler_that_the_warning_does_not_reach_is_not_enough(
    root: logging.Logger, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder()
    root.addHandler(recorder)
    monkeypatch.setattr(logger, "propagate", False)
    warn_visibly("shown")
    assert recorder.lines == []
    assert capsys.readouterr() == ("", "shown\n")


@pytest.mark.usefixtures("root")
def test_a_program_can_remove_the_last_resort(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "lastResort", None)
    warn_visibly("not shown")
    assert capsys.readouterr() == ("", "")
