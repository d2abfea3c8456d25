"""Compare this library with a live Go program, and both with the records.

It fails if the two sides differ without a reason in events.py or documents.py, if a reason is given where they do not
differ, if either side deviates from the records, or if a reader misses an event in silence when a broker is killed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from . import config_record, connecting, election, facts, failover, record, report
from .documents import rows
from .events import lifecycle, machine
from .golang import GoError, program
from .live import exchange, judge, untouched
from .tally import record as tally_record

if TYPE_CHECKING:
    from .facts import Facts
    from .judge import Record

VERDICTS = Path(__file__).with_name("VERDICTS.md")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.interop", description=__doc__.partition("\n")[0])
    parser.add_argument("--record", action="store_true", help="record Go's current results in tests/data/interop")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    options = parser.parse_args(arguments)
    try:
        with program() as ask:
            [about] = ask([{"work": "about"}])
            constants: Facts = about.pop("facts")
            problems = facts.problems(constants) + untouched(ask, constants["types"])
            events = exchange(ask, [*lifecycle(constants), *machine(constants)])
            judged = judge(ask, list(rows()))
            configured = config_record.live(ask)
        with program(tally_record.SOURCE) as ask:
            tallied = tally_record.live(ask)
        connected = connecting.compare()
        held = election.compare()
        failed_over = failover.run()
    except (GoError, OSError, subprocess.SubprocessError) as exc:
        print(f"interop: {exc}", file=sys.stderr)
        return 1
    if constants != record.load(record.EVENTS)[0].get("facts") and not options.record:
        problems.append(f"{record.EVENTS.name}: other constants of Go are recorded")
    problems += report.problems(events, judged) + configured.problems() + tallied.problems()
    problems += connecting.problems(connected)
    problems += [f"{name}: {problem}" for name, problem in held.items() if problem]
    problems += failover.problems(failed_over)
    if options.record and not problems:
        record.dump(record.EVENTS, about | {"facts": constants}, events)
        record.dump(record.VERDICTS, about, judged)
        VERDICTS.write_text(report.markdown(about, events, judged), "utf-8")
        configured.write(about)
        tallied.write(about)
    print((report.markdown if options.markdown else report.summary)(about, events, judged))
    if not options.markdown:
        print(configured.summary())
        print(connecting.summary(connected))
        print(tallied.summary())
        print(election.summary(held))
        print(failover.summary(failed_over))
    if not options.record:
        problems += changes(record.EVENTS, events) + changes(record.VERDICTS, judged) + configured.changes()
        problems += tallied.changes()
    for problem in problems:
        print(f"interop: {problem}", file=sys.stderr)
    if problems and options.record:
        print("interop: nothing was recorded", file=sys.stderr)
    return 1 if problems else 0


def changes(path: Path, live: list[Record]) -> list[str]:
    """Return the deviations from the records."""
    if not path.exists():
        return [f"{path.name} is missing: make interop ARGS=--record"]
    _, recorded = record.load(path)
    known = {case["name"]: case for case in recorded}
    now = {case["name"]: case for case in live}
    problems = [f"{name}: is not recorded" for name in now.keys() - known.keys()]
    problems += [f"{name}: is recorded, but no longer a case" for name in known.keys() - now.keys()]
    for name in known.keys() & now.keys():
        old, new = _lasting(known[name]), _lasting(now[name])
        for key in sorted(old.keys() | new.keys()):
            if old.get(key) != new.get(key):
                problems.append(f"{name}: {key} was {old.get(key)!r}, now {new.get(key)!r}")
    return sorted(problems)


def _lasting(case: Record) -> Record:
    """Drop Go's wording of a refusal, which may change with its release."""
    case = dict(case)
    for key in ("go", "answer"):
        if "refuses" in case.get(key, {}):
            case[key] = {"refuses": True}
    return case | ({"refused": True} if "refused" in case else {})


if __name__ == "__main__":
    sys.exit(main())
