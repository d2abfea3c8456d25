from __future__ import annotations

import subprocess
import sys
from inspect import signature

from choria_lifecycle.tally.daemon import TallyOptions
from choria_lifecycle.tally.defaults import DEFAULT_PORT, DEFAULT_REPLAY, EXPIRY, METRIC_PREFIX, METRICS_PATH
from choria_lifecycle.tally.exposition import check_prefix, render
from choria_lifecycle.tally.recorder import Recorder
from choria_lifecycle.tally.web.http import check_path
from choria_lifecycle.tally.web.listening import bind


def test_the_defaults_are_those_of_the_library() -> None:
    options = TallyOptions()
    assert (options.expiry, options.replay, options.prefix) == (EXPIRY, DEFAULT_REPLAY, METRIC_PREFIX)
    assert signature(Recorder).parameters["expiry"].default == EXPIRY
    assert signature(render).parameters["prefix"].default == METRIC_PREFIX
    assert signature(bind).parameters["default_port"].default == DEFAULT_PORT


def test_the_defaults_are_valid() -> None:
    check_path(METRICS_PATH)
    assert check_prefix(METRIC_PREFIX) == METRIC_PREFIX
    assert 0 < DEFAULT_REPLAY <= EXPIRY, "a node that has expired would be replayed"


def test_the_help_of_the_command_does_not_load_the_tally() -> None:
    program = (
        "import sys, choria_lifecycle.cli.tally;"
        "print(*sorted(name for name in sys.modules if name.startswith('choria_lifecycle.tally.')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["choria_lifecycle.tally.defaults", "choria_lifecycle.tally.limits"]
