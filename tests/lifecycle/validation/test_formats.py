"""Files in formats that are named, but not read."""

from __future__ import annotations

import io
import shlex
import shutil
import struct
import subprocess
import tarfile
import zipfile
from typing import TYPE_CHECKING, Final

import pytest

from choria_lifecycle.validation.decompression import BLOCK, UnreadableContent
from choria_lifecycle.validation.formats import ForeignFormat, detect_format
from choria_lifecycle.validation.source import DocumentSource, is_divisible
from tests.bed.streams import Trickle, read, texts

if TYPE_CHECKING:
    from pathlib import Path

LINES: Final = "".join(f'{{"number":{number},"name":"é"}}\n' for number in range(200))
RAW: Final = LINES.encode()


def tar(*, style: int, name: str = "events.ndjson") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=style) as archive:
        member = tarfile.TarInfo(name)
        member.size = len(RAW)
        archive.addfile(member, io.BytesIO(RAW))
    return buffer.getvalue()


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("events.ndjson", RAW)
    return buffer.getvalue()


def packets() -> list[bytes]:
    """Return a packet for each document, as a NATS client publishes it, without the headers of the network."""
    return [b"PUB choria.lifecycle.event.alive.x %d\r\n%b\r\n" % (len(line), line) for line in RAW.splitlines()]


def pcap(form: str) -> bytes:
    head = struct.pack(f"{form}IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    return head + b"".join(struct.pack(f"{form}IIII", 0, 0, len(each), len(each)) + each for each in packets())


def pcapng(form: str) -> bytes:
    blocks = struct.pack(f"{form}IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
    for each in packets():
        data = each + b"\0" * (-len(each) % 4)
        size = 16 + len(data)
        blocks += struct.pack(f"{form}III", 3, size, len(each)) + data + struct.pack(f"{form}I", size)
    return blocks


def converted(command: list[str]) -> bytes:
    if shutil.which(command[0]) is None:
        return b""
    return subprocess.run(command, input=RAW, capture_output=True, check=True).stdout


SNAPPY = b"\xff\x06\x00\x00sNaPpY"
S2 = b"\xff\x06\x00\x00S2sTwO"
ARCHIVE = "it is a tar archive; extract it first"
CAPTURE = "it is a packet capture; extract the documents first"
CASES: Final = {
    "s2": (converted(["s2c", "-q", "-c", "-"]) or S2, "it is compressed with s2; decompress it first", "s2d - < FILE"),
    "snappy": (
        converted(["s2c", "-q", "-snappy", "-c", "-"]) or SNAPPY,
        "it is compressed with snappy; decompress it first",
        "s2d - < FILE",
    ),
    "lz4": (
        converted(["lz4", "-c"]) or b"\x04\x22\x4d\x18",
        "it is compressed with lz4; decompress it first",
        "lz4 -dc FILE",
    ),
    "zip": (zipped(), "it is a zip archive; extract it first", "unzip -p FILE"),
    "ustar": (tar(style=tarfile.USTAR_FORMAT), ARCHIVE, "tar -xOf FILE"),
    "gnu tar": (tar(style=tarfile.GNU_FORMAT), ARCHIVE, "tar -xOf FILE"),
    "pax": (tar(style=tarfile.PAX_FORMAT, name="é" * 80), ARCHIVE, "tar -xOf FILE"),
    "tar with a name of one character": (tar(style=tarfile.USTAR_FORMAT, name="a"), ARCHIVE, "tar -xOf FILE"),
    "tar with a long name": (tar(style=tarfile.USTAR_FORMAT, name="a" * 100), ARCHIVE, "tar -xOf FILE"),
    "pcap": (pcap("<"), CAPTURE, "grep -ao '{.*}' FILE"),
    "pcap, big-endian": (pcap(">"), CAPTURE, "grep -ao '{.*}' FILE"),
    "pcapng": (pcapng("<"), CAPTURE, "grep -ao '{.*}' FILE"),
    "pcapng, big-endian": (pcapng(">"), CAPTURE, "grep -ao '{.*}' FILE"),
    **{
        f"{name}{' with a mark' if mark else ''}": (
            (mark + LINES).encode(name),
            f"it is encoded in {name.replace('-LE', 'LE').replace('-BE', 'BE')}; convert it to UTF-8 first",
            f"iconv -f {'UTF-' + name[4:6] if mark else name} -t UTF-8 FILE",
        )
        for name in ("UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE")
        for mark in ("", "\ufeff")
    },
}
PARAMETERS: Final = pytest.mark.parametrize(("data", "problem", "command"), CASES.values(), ids=CASES.keys())


@PARAMETERS
def test_other_formats_are_named(data: bytes, problem: str, command: str, tmp_path: Path) -> None:
    for size in (1, 3, BLOCK):
        with pytest.raises(UnreadableContent) as caught:
            list(DocumentSource(Trickle(data, [size])))  # type: ignore[arg-type]
        assert str(caught.value) == f"{problem}, for example with `{command}`"
        assert caught.value.command == command
    (tmp_path / "file").write_bytes(data)
    assert not is_divisible(tmp_path / "file")


@PARAMETERS
def test_the_command_converts_the_file(data: bytes, problem: str, command: str, tmp_path: Path) -> None:
    program = command.split()[0]
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}")
    (tmp_path / "file").write_bytes(data)
    command = command.replace("FILE", shlex.quote(str(tmp_path / "file")))
    assert subprocess.run(command, shell=True, capture_output=True, check=True).stdout == RAW
    form = detect_format(data, True)
    assert form
    if shutil.which(form.filter.split()[0]):
        assert subprocess.run(form.filter, shell=True, input=data, capture_output=True, check=True).stdout == RAW


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\n",
        b"\xff\x06\n",
        b"\x04\x22\x4d\n",
        b"\n\r\r\n1\n",
        b"\n\r\r\n1234567890\n",
        b"a\0\0\0\n",
        b"\0\0\0\n",
        b"{\0}\n",
        b"nonsense\n" + b"x" * 248 + b"ustar" + b"\n",
        b'{"a":"' + b"x" * 251 + b'ustar"}\n',
        b"x" * 257 + b"ustar\n",
    ],
)
def test_anything_else_is_read_as_lines(data: bytes) -> None:
    for size in (1, BLOCK):
        assert texts(read(Trickle(data, [size]))) == [line for line in data.split(b"\n") if line.strip()]


@pytest.mark.parametrize("head", [b"\n\n", b"{}", b"[{", b'"a', b"nonsense\n", b"  ", b"5\n", b"\r\n"])
def test_text_is_recognised_without_more(head: bytes) -> None:
    assert detect_format(head, False) is False


def test_the_longest_signature_counts() -> None:
    for head, wanted in ((b"\xff\xfe\0", None), (b"\xff\xfe\0\0", "UTF-32"), (b"\xff\xfea", "UTF-16")):
        form = detect_format(head, False)
        assert wanted in form.command if isinstance(form, ForeignFormat) and wanted else form is wanted
    for head, wanted in ((b"\xff\xfe", "UTF-16"), (b"\xff\xfe\0", "UTF-16"), (b"\xff\xfe\0\0", "UTF-32")):
        form = detect_format(head, True)
        assert isinstance(form, ForeignFormat)
        assert wanted in form.command
    assert [detect_format(head, True) for head in (b"", b"\xff", b"\x28\xb5")] == [False, False, False]
