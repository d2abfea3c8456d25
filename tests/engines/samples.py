"""Archives of valid, invalid and odd lines, and the findings that one process has about them."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import chain, cycle, islice
from typing import TYPE_CHECKING, Any, Final

from tests.bed.paths import EXAMPLES
from tests.bench import archive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["ODD", "Record", "command_findings", "make_lines", "write_archive"]

Record = dict[str, Any]

_BLANK: Final = (b"", b"\r", b" \t")
ODD: Final = (
    *_BLANK,
    b"[]",
    b"1",
    b"null",
    b"\xff",
    b"\x00",
    b"\x0b\x0c",
    b"{",
    b'{"protocol":',
    b'{"a":\xc3',
    b'\xef\xbb\xbf{"protocol":"io.choria.lifecycle.v1.startup"}',
    b'{"protocol":"io.choria.lifecycle.v1.shutdown"}\r',
    # Line ends of Unicode and of old systems, which are not line ends here.
    b'{"protocol":"a"}\r{"protocol":"b"}',
    '{"protocol":"a\x85b\u2028c"}'.encode(),
)
"""Short lines that are easily counted or separated wrongly."""
_LONG: Final = (b"x" * 70_000, b'{"x":"' + b"y" * 300_000 + b'"}')
_ODD_EVERY: Final = 10  # lines


def make_lines(folder: Path, size: int) -> Iterator[bytes]:
    """Yield this many documents without line feeds, a tenth of them odd, and blank lines between them."""
    examples = sorted(chain(EXAMPLES.joinpath("positive").iterdir(), EXAMPLES.joinpath("negative").iterdir()))
    rest = [path.read_bytes().rstrip(b"\n").replace(b"\n", b" ") for path in examples]
    odd = cycle([*ODD, *_LONG, *rest])
    usual = archive.make(folder, size, bad=True).path
    with usual.open("rb") as file:
        for number, line in enumerate(islice(file, size), 1):
            if number % _ODD_EVERY:
                yield line.removesuffix(b"\n")
                continue
            while not (document := next(odd)).strip(b" \t\r\n"):
                yield document
            yield document


def write_archive(path: Path, lines: list[bytes]) -> list[int]:
    """Write an archive whose last line does not end with a line feed; return the offset of each line."""
    path.write_bytes(b"\n".join(lines))
    offsets, offset = [], 0
    for line in lines:
        offsets.append(offset)
        offset += len(line) + 1
    return offsets


def command_findings(folder: Path, offsets: dict[str, list[int]]) -> Iterator[Record]:
    """Yield the findings of `lifecycle validate` about archives, as the programs of the page do.

    Args:
        folder: the folder of the archives.
        offsets: the offset of each line, by the name of the archive.
    """
    command = [sys.executable, "-m", "choria_lifecycle", "validate", "--quiet", "--output", "json", *offsets]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for text in process.stdout:
            finding = json.loads(text)
            file, line, value = finding.pop("file"), finding.pop("line"), finding.pop("value")
            record = {"file": file, "line": line, "offset": offsets[file][line - 1], **finding}
            record["value"] = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            yield record
    if process.returncode != 1:
        raise subprocess.CalledProcessError(process.returncode, command)
