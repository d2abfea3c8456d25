"""A tally's metrics in Prometheus' text format, version 0.0.4.

prometheus_client cannot write the names of the Go tally: it would add `_total` to counters. The label `active` is the
role at the time of the scrape.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from choria_lifecycle.errors import ConfigError, MissingExtra
from choria_lifecycle.support.text import quoted
from choria_lifecycle.tally.components import Summary
from choria_lifecycle.tally.defaults import METRIC_PREFIX
from choria_lifecycle.tally.metrics import METRICS, ROLE, Reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import CollectorRegistry

    from choria_lifecycle.tally.metrics import Metric
    from choria_lifecycle.tally.recorder import Recorder
    from choria_lifecycle.tally.state import TallyState

__all__ = ["CONTENT_TYPE", "check_prefix", "render"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""The media type of the text format."""

_PREFIX_PATTERN: Final = re.compile("[a-zA-Z_:][a-zA-Z0-9_:]*")


def check_prefix(prefix: str) -> str:
    """Return a prefix unchanged if metric names can begin with it.

    Raises:
        ConfigError: the prefix is invalid.
    """
    if not _PREFIX_PATTERN.fullmatch(prefix):
        raise ConfigError(
            f"{quoted(prefix)} cannot begin a metric name: use letters, digits, _ and :, and start without a digit"
        )
    return prefix


def render(recorder: Recorder, state: TallyState, *, prefix: str = METRIC_PREFIX, now: float) -> bytes:
    """Return all metrics as text.

    Args:
        recorder: the numbers.
        state: the state of the tally.
        prefix: the prefix of the names.
        now: the time on the recorder's clock.

    Raises:
        ConfigError: the prefix is invalid.
        MissingExtra: prometheus_client is not installed.
    """
    check_prefix(prefix)
    reading, escaped = Reading(recorder, state, now), _Escaped()
    lines: list[str] = []
    for metric in METRICS:
        lines += _family(metric, f"{prefix}_{metric.name}", reading, escaped)
    return "".join(lines).encode() + _process_metrics()


def _family(metric: Metric, name: str, reading: Reading, escaped: _Escaped) -> Iterator[str]:
    """Yield the lines of a metric family; the samples of a summary are its sum and its count."""
    yield f"# HELP {name} {metric.help}\n# TYPE {name} {metric.kind}\n"
    role = int(reading.state.active)
    pairs = ",".join(f'{label}="{role}"' if label == ROLE else f'{label}="%s"' for label in metric.labels)
    # Neither names nor labels contain a percent sign.
    labels = f"{{{pairs}}} " if pairs else " "
    line, total, count = (f"{name}{suffix}{labels}%s\n" for suffix in ("", "_sum", "_count"))
    escape = escaped.__getitem__
    for texts, value in metric.samples(reading):
        if isinstance(value, Summary):
            yield total % (*map(escape, texts), value.seconds)
            yield count % (*map(escape, texts), value.count)
        else:
            yield line % (*map(escape, texts), value)


class _Escaped(dict[str, str]):
    """Label values by their text; most texts are in many series."""

    def __missing__(self, text: str) -> str:
        self[text] = escaped = text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
        return escaped


def _process_metrics() -> bytes:
    """Return prometheus_client's metrics of this process, which exist only on Linux."""
    try:
        from prometheus_client import generate_latest
    except ImportError:
        raise MissingExtra("the tally's metrics", extra="cli") from None
    return generate_latest(_registry())


@cache
def _registry() -> CollectorRegistry:
    from prometheus_client import CollectorRegistry, ProcessCollector

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry
