"""`lifecycle validate`: check events in files, or messages as they are published, against their contracts."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import suppress
from datetime import datetime, timedelta
from difflib import get_close_matches
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

import choria_lifecycle as lifecycle
from choria_lifecycle.cli.command import Command
from choria_lifecycle.cli.directories import expand_directories, has_known_suffix
from choria_lifecycle.cli.inputs import STDIN, read_inputs
from choria_lifecycle.cli.locations import AT
from choria_lifecycle.cli.messages import printer_of, say, verbosity
from choria_lifecycle.cli.output import has_colors
from choria_lifecycle.cli.parameters import (
    COLOR,
    CONNECTION_PARAMETERS,
    ConnectionArguments,
    connection_options,
    duration,
)
from choria_lifecycle.cli.printer import READER_TIMEOUT
from choria_lifecycle.cli.program import COMMANDS
from choria_lifecycle.cli.receiving import (
    SINCE_HELP,
    STREAM,
    UNTIL,
    announce_stream,
    announcing_end_of_history,
    check_selection,
    missing,
    parse_since,
    replay_arguments,
    subject_option,
    unstored,
)
from choria_lifecycle.cli.reporting import ReportWriter, create_file
from choria_lifecycle.cli.results import ErrorLimitReached, ResultWriter
from choria_lifecycle.events.subjects import SUBJECT_PREFIX
from choria_lifecycle.support.text import quoted
from choria_lifecycle.validation.policy import Policy, validate_message
from choria_lifecycle.validation.reports.factory import open_report
from choria_lifecycle.validation.reports.protocol import ReportFormat, StoredMessage
from choria_lifecycle.wire.codes import CODES, ERRORS_CUT, PROTOCOL_FOREIGN, PROTOCOL_UNKNOWN, WARNINGS_CUT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from choria_lifecycle.cli.signals import Signals
    from choria_lifecycle.middleware.delivery import Counters
    from choria_lifecycle.wire.locations import Location

__all__ = ["command"]

_HELP = f"""{COMMANDS["validate"]}

A FILE contains JSON documents: one per line, in an array, or spanning several lines; gzip, zstd, xz and bzip2 are
decompressed. Of a directory, the files are read whose names end in .json, .jsonl or .ndjson, compressed or not. Without
a FILE, or for -, standard input is read. The protocol of a document selects its contract, for lifecycle events, machine
transitions and watcher states, in either format. With --server, --config or --subject, messages are validated as they
are published; with --since, those that a stream has stored, with --follow then new ones.

\b
  lifecycle validate events.ndjson archive-*.ndjson.gz
  my-emitter | lifecycle validate --warnings-as-errors
  journalctl -o json | lifecycle validate --at '$.MESSAGE'
  lifecycle validate --jobs 4 --rejects bad.ndjson archive.ndjson
  lifecycle validate --server nats://127.0.0.1:4222 --for 30s
  lifecycle validate --since 24h --subject 'choria.machine.>'
  lifecycle validate --since 2026-11-22T12:00:00Z --until 2026-11-22T13:00:00Z

Findings go to standard output, the summary to standard error; -q omits the summary, -q -q the findings too. A document
that only has warnings is valid; an event of another product is not checked. Exit code 1 if a document was
rejected, or if there was none; 2 if a file could not be read, or if messages may have been missed, were dropped, or are
stored and were not read.
"""

_CUT_CODES: Final = frozenset({ERRORS_CUT.name, WARNINGS_CUT.name})
_WITHOUT_CONTRACT: Final = frozenset({PROTOCOL_FOREIGN.name, PROTOCOL_UNKNOWN.name})
# A report in these formats is one document.
_DOCUMENTS: Final = frozenset({ReportFormat.SARIF, ReportFormat.JUNIT, ReportFormat.GITLAB})
_FILE_OPTIONS: Final = ("jobs",)
_SOURCE_OPTIONS: Final = ("server", "config")
_MESSAGE_OPTIONS: Final = (
    "count",
    "seconds",
    "until",
    "follow",
    "stream",
    *(name for name in CONNECTION_PARAMETERS if name not in _SOURCE_OPTIONS),
)


def _parse_codes(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> frozenset[str]:
    """Return the codes that an option selects; each value lists codes or groups such as `schema`, comma-separated."""
    found: set[str] = set()
    for value in (each.strip() for text in values for each in text.rstrip(",").split(",")):
        named = {code for code in CODES if code == value or code.startswith(f"{value}-")}
        if not named:
            near = get_close_matches(value, CODES, n=1)
            groups = sorted({code.partition("-")[0] for code in CODES})
            hint = f"did you mean {near[0]}?" if near else f"codes begin with {', '.join(groups)}"
            raise click.BadParameter(f"{quoted(value)} is not a code; {hint}", ctx, param)
        found |= named
    return frozenset(found)


@click.command("validate", cls=Command, help=_HELP)
@click.argument("files", nargs=-1, metavar="[FILE...|-]", type=click.Path(allow_dash=True))
@click.option(
    "--output",
    type=click.Choice([each.value for each in ReportFormat]),
    default=ReportFormat.TEXT.value,
    show_default=True,
    help="The format of findings. json: one object per line. github: annotations of a GitHub workflow. sarif: a SARIF "
    "2.1.0 log. junit: JUnit XML. gitlab: the code quality report of GitLab.",
)
@click.option(
    "--output-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the findings to this file instead of standard output.",
)
@click.option(
    "--summary",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="Write counts, the exit code, and which contracts, formats and fields occurred to this file as JSON; for -, "
    "as the last line of standard output.",
)
@click.option("--no-warnings", is_flag=True, help="Look for errors only, which is faster.")
@click.option("--warnings-as-errors", is_flag=True, help="Reject documents with warnings.")
@click.option("--require-contract", is_flag=True, help="Reject documents that no contract covers.")
@click.option("--allow-empty", is_flag=True, help="Accept files without documents, and no messages.")
@click.option(
    "--select",
    multiple=True,
    metavar="CODE",
    callback=_parse_codes,
    help="Report only findings with this code, or group of codes such as schema; may be repeated.",
)
@click.option(
    "--ignore",
    multiple=True,
    metavar="CODE",
    callback=_parse_codes,
    help="Discard findings with this code or group of codes; may be repeated.",
)
@click.option(
    "--max-errors", type=click.IntRange(min=1), help="Stop after the document with which this many errors are reached."
)
@click.option(
    "--rejects", type=click.Path(dir_okay=False, path_type=Path), help="Write rejected documents to this file."
)
@click.option("--valid", type=click.Path(dir_okay=False, path_type=Path), help="Write valid documents to this file.")
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="The number of processes, for several files or a large uncompressed one with one document per line; no faster "
    "if most documents are bad.",
)
@AT
@click.option("--since", type=parse_since, metavar="DURATION|TIME", help=f"{SINCE_HELP}.  [default: only new messages]")
@UNTIL
@click.option("--follow", is_flag=True, help="With --since, continue with new messages instead of ending.")
@STREAM
@subject_option(" with --server, --config or --since")
@click.option("--count", type=click.IntRange(min=1), help="Stop after this many messages.")
@click.option("--for", "seconds", type=duration, help="Stop after this time.")
@COLOR
@connection_options
@click.pass_context
def command(
    ctx: click.Context,
    files: Sequence[str],
    output: str,
    output_file: Path | None,
    summary: Path | None,
    no_warnings: bool,
    warnings_as_errors: bool,
    require_contract: bool,
    allow_empty: bool,
    select: frozenset[str],
    ignore: frozenset[str],
    max_errors: int | None,
    rejects: Path | None,
    valid: Path | None,
    jobs: int,
    at: Location | None,
    since: datetime | timedelta | None,
    until: datetime | timedelta | None,
    follow: bool,
    stream: str,
    subject: str | None,
    count: int | None,
    seconds: float | None,
    color: str,
    connection: ConnectionArguments,
) -> int:
    """Validate files, or messages, to the end."""
    if no_warnings and warnings_as_errors:
        raise click.UsageError("--no-warnings and --warnings-as-errors cannot be combined", ctx)
    codes = (select or frozenset(CODES)) - ignore
    if not codes:
        raise click.UsageError("--select and --ignore leave no codes", ctx)
    if require_contract and not codes >= _WITHOUT_CONTRACT:
        reason = f"{' or '.join(sorted(_WITHOUT_CONTRACT - codes))}, which --select or --ignore excludes"
        raise click.UsageError(f"--require-contract has no effect without {reason}", ctx)
    is_live = subject is not None or since is not None or any(ctx.params[name] for name in _SOURCE_OPTIONS)
    subject = f"{SUBJECT_PREFIX}.>" if subject is None else subject
    outputs = {"--rejects": rejects, "--valid": valid, "--output-file": output_file, "--summary": summary}
    _check_options(ctx, files, outputs, is_live=is_live)
    files = expand_directories(files)
    results = ResultWriter(
        policy=Policy(
            # One time for all files, so that results do not depend on the number of processes. Pipes and messages may
            # last for days and use the clock.
            now=time.time() if files and all(Path(file).is_file() for file in files) else None,
            warnings=not no_warnings,
            warnings_as_errors=warnings_as_errors,
            require_contract=require_contract,
            # A document that was not checked completely must not pass as valid, regardless of the selected codes.
            codes=codes | (_CUT_CODES - ignore),
            at=at,
            coverage=summary is not None,
        ),
        report=_report(ctx, ReportFormat(output), outputs, color),
        printer=printer_of(ctx),
        max_errors=max_errors,
        allow_empty=allow_empty,
    )
    if follow and (since is None or until is not None):
        reason = "needs --since, the time to read from" if since is None else "and --until cannot be combined"
        raise click.UsageError(f"--follow {reason}", ctx)
    if since is not None and not follow:
        until = timedelta(0) if until is None else until
        if isinstance(since, datetime) and since.timestamp() >= time.time():
            raise click.UsageError("--since is in the future: without --follow, nothing could be read", ctx)
    selected = {"subject": subject} | replay_arguments(ctx, since, stream, until)
    signals: Signals = ctx.obj
    with results.report.writing(signals, results.policy, results.counts):
        code = _validate(results, signals, files, jobs, outputs, connection, selected, count, seconds, is_live=is_live)
        return results.report.end(signals, code)


def _report(ctx: click.Context, output: ReportFormat, outputs: Mapping[str, Path | None], color: str) -> ReportWriter:
    """Return the writer of the report and of the summary."""
    printer, file, summary = printer_of(ctx), outputs["--output-file"], outputs["--summary"]
    if output is not ReportFormat.TEXT or str(summary) == STDIN:
        printer.out.encoding = "utf-8"
    shows_colors = has_colors(color) if file is None else color == "always"
    return ReportWriter(
        report=open_report(output, lifecycle.__version__, color=shows_colors),
        printer=printer,
        output_file=file,
        summary=summary,
        advises=output is not ReportFormat.JSON,
        quiet=verbosity() < -1,
        expendable=any(path is not None and str(path) != STDIN for path in outputs.values()),
    )


def _validate(
    results: ResultWriter,
    signals: Signals,
    files: Sequence[str],
    jobs: int,
    outputs: Mapping[str, Path | None],
    connection: ConnectionArguments,
    selected: dict[str, Any],
    count: int | None,
    seconds: float | None,
    *,
    is_live: bool,
) -> int:
    """Validate everything, and return the exit code."""
    rejects, valid = outputs["--rejects"], outputs["--valid"]
    code = 0
    missed: list[str] = []
    try:
        with create_file(rejects) as results.rejects, create_file(valid) as results.valid:
            if is_live:
                if seconds is not None:  # end on time even if the output is not read
                    results.printer.reader_timeout = READER_TIMEOUT
                code = signals.run(_watch(results, connection, selected, count, seconds, missed))
            else:
                code = read_inputs(results, signals, files or (STDIN,), jobs)
    except ErrorLimitReached:
        errors = results.counts.errors
        say(f"stopped after {errors:,} error{'s' * (errors > 1)}; there may be more")
    except KeyboardInterrupt:
        if not (is_live and signals.terminated and count is None):
            code = signals.exit_code
    # Also if SIGTERM, which is the regular end, comes before the first message.
    problems = [f"was not read completely: {line}" for line in missed]
    if is_live and code < 2 and not results.counts.documents and not missed and not results.allow_empty:
        problems = ["has no messages"]
        message = "there was no message to validate; --allow-empty accepts that"
        say(f"lifecycle: warning: {message}", at=-1, level="warning")
        code = 1
    with signals.deferred():
        for problem in problems:
            results.report.add_problem(selected["subject"], problem, live=True)
    results.write_summary()
    # Messages that were not validated are unknown, not valid.
    return code or (1 if results.counts.errors else 2 if missed else 0)


async def _watch(
    results: ResultWriter,
    connection: ConnectionArguments,
    selected: dict[str, Any],
    count: int | None,
    seconds: float | None,
    missed: list[str],
) -> int:
    """Validate messages, and add lines about those that were not; return an exit code, or 0 if the findings decide."""
    check_selection(**selected)  # report errors before connecting
    number = 0

    def progress() -> str:
        return f"{number:,} messages validated"

    async with (
        lifecycle.connect(**connection.arguments()) as middleware,
        middleware.deliveries(**selected) as received,
    ):
        say(f"Validating messages on {received.subject} from {middleware.server}")
        announce_stream(received, selected.get("since"), selected.get("until"))
        results.report.begin_origin(received.subject, live=True)
        ends, stream = "until" in selected, received.stream.name if received.stream is not None else ""
        try:
            with results.printer.cancel_on_failure(), suppress(TimeoutError):
                async with (
                    asyncio.timeout(seconds),
                    announcing_end_of_history(received, progress, follow=not ends, check=not ends) as new,
                ):
                    async for delivery in received:
                        if not delivery.replayed:
                            new()
                        number += 1
                        result = validate_message(delivery.data, delivery.subject, number, results.policy)
                        sequence = delivery.sequence
                        stored = None if sequence is None else StoredMessage(stream, sequence)
                        results.write(result, delivery.subject, live=True, stored=stored)
                        if number == count:
                            break
                        await results.printer.wait_writable()
                if ends and not number and not received.replaying:
                    say(f"nothing is stored on {received.subject} in this interval")
        finally:
            missed += _dropped(received.counters)
            missed += missing(middleware, received, "messages", enough=number == count)
            for line in (*missed, *unstored(received, "messages")):
                say(line)
    if count is None or number >= count:
        return 0
    if number:
        missed.append(f"only {number:,} of {count:,} messages arrived")
        say(missed[-1])
    return 1


def _dropped(counters: Counters) -> list[str]:
    if not counters.dropped:
        return []
    return [f"{counters.dropped:,} messages were dropped: they arrived faster than they could be validated"]


def _check_options(
    ctx: click.Context, files: Sequence[str], outputs: Mapping[str, Path | None], *, is_live: bool
) -> None:
    """Reject contradictory options, and output files that are also inputs or written twice."""
    if "" in files:
        raise click.UsageError("the name of a FILE is empty; is it from a variable that is not set?", ctx)
    if is_live and files:
        raise click.UsageError(
            "cannot validate both files and messages; omit FILE, or --server, --config, --subject and --since", ctx
        )
    for name in _FILE_OPTIONS if is_live else _MESSAGE_OPTIONS:
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = "for" if name == "seconds" else name.replace("_", "-")
            reason = "is for files" if is_live else "is for messages; add --server, --config, --subject or --since"
            raise click.UsageError(f"--{option} {reason}", ctx)
    inputs = [Path(file) for file in files if file != STDIN]
    reads_stdin = not is_live and (not files or STDIN in files)
    given = {option: path for option, path in outputs.items() if path is not None}
    if given.get("--summary") == Path(STDIN):
        del given["--summary"]
        if ctx.params["output"] in _DOCUMENTS and "--output-file" not in given:
            raise click.UsageError(f"--summary - would end up within the {ctx.params['output']} report", ctx)
    for option, path in given.items():
        if str(path) == STDIN:
            reason = (
                "omit it to write to standard output"
                if option == "--output-file"
                else "standard output has the findings"
            )
            raise click.UsageError(f"{option} needs a file; {reason}", ctx)
        if (reads_stdin and _is_standard_input(path)) or any(_is_input(path, each) for each in inputs):
            raise click.UsageError(f"{quoted(str(path), 200)} is also an input; choose another output file", ctx)
    for (option, path), (other, same) in combinations(given.items(), 2):
        if _is_same(path, same):
            raise click.UsageError(f"{option} and {other} need different files", ctx)


def _is_input(path: Path, file: Path) -> bool:
    """Return True if reading a file, or a directory, now or next time would read this path."""
    if not file.is_dir():
        return _is_same(path, file)
    with suppress(OSError):
        if has_known_suffix(path) and path.parent.samefile(file):
            return True
    return any(_is_same(path, Path(each)) for each in expand_directories([str(file)]))


def _is_same(path: Path, other: Path) -> bool:
    with suppress(OSError):
        return path.samefile(other) and path.is_file()
    return path.resolve() == other.resolve()


def _is_standard_input(path: Path) -> bool:
    with suppress(OSError, ValueError):  # not a file, as in tests
        return os.path.samestat(path.stat(), os.fstat(sys.stdin.fileno())) and path.is_file()
    return False
