"""The formats of files by their content: those that are decompressed, and those that only have a name here."""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple, TypeAlias

from choria_lifecycle.validation.codecs import CODECS, Codec

__all__ = ["FileFormat", "ForeignFormat", "detect_format"]


class ForeignFormat(NamedTuple):
    """A format that is recognised, but not read.

    Attributes:
        problem: the format and the remedy.
        command: the command that converts FILE to standard output.
        filter: the command that converts standard input.
    """

    problem: str
    command: str
    filter: str


FileFormat: TypeAlias = Codec | ForeignFormat | Literal[False]
"""The format of a file; False for plain text in UTF-8."""


def _encoding(name: str, *, mark: bool) -> ForeignFormat:
    # With a byte order mark, iconv needs the name without the order to leave the mark out.
    source = name[:6] if mark else name
    command = f"iconv -f {source} -t UTF-8"
    return ForeignFormat(f"it is encoded in {name}; convert it to UTF-8 first", f"{command} FILE", command)


_S2: Final = ForeignFormat("it is compressed with s2; decompress it first", "s2d - < FILE", "s2d -")
_SNAPPY: Final = ForeignFormat("it is compressed with snappy; decompress it first", "s2d - < FILE", "s2d -")
_LZ4: Final = ForeignFormat("it is compressed with lz4; decompress it first", "lz4 -dc FILE", "lz4 -dc")
_ZIP: Final = ForeignFormat("it is a zip archive; extract it first", "unzip -p FILE", "funzip")
_TAR: Final = ForeignFormat("it is a tar archive; extract it first", "tar -xOf FILE", "tar -xOf -")
_CAPTURE: Final = ForeignFormat(
    "it is a packet capture; extract the documents first", "grep -ao '{.*}' FILE", "grep -ao '{.*}'"
)

_SIGNATURES: Final[dict[bytes, Codec | ForeignFormat]] = {
    **CODECS,
    b"\xff\x06\0\0S2sTwO": _S2,
    b"\xff\x06\0\0sNaPpY": _SNAPPY,
    b"\x04\x22\x4d\x18": _LZ4,
    b"PK\x03\x04": _ZIP,
    b"\xff\xfe": _encoding("UTF-16LE", mark=True),
    b"\xfe\xff": _encoding("UTF-16BE", mark=True),
    b"\xff\xfe\0\0": _encoding("UTF-32LE", mark=True),
    b"\0\0\xfe\xff": _encoding("UTF-32BE", mark=True),
    # pcap, in both byte orders, with microseconds and nanoseconds
    b"\xa1\xb2\xc3\xd4": _CAPTURE,
    b"\xd4\xc3\xb2\xa1": _CAPTURE,
    b"\xa1\xb2\x3c\x4d": _CAPTURE,
    b"\x4d\x3c\xb2\xa1": _CAPTURE,
}
_TEXT: Final = rb"[\t\n\r -~]"
# JSON text contains no zero bytes, so these cannot match it.
_PATTERNS: Final = [
    (re.compile(pattern, re.DOTALL).match, form)
    for pattern, form in (
        (rb"\n\r\r\n.{4}(?:\x1a\x2b\x3c\x4d|\x4d\x3c\x2b\x1a)", _CAPTURE),  # pcapng
        (rb"(?=.{0,256}?\0).{257}ustar", _TAR),
        (rb"(?:%b\0){2}" % _TEXT, _encoding("UTF-16LE", mark=False)),
        (rb"(?:\0%b){2}" % _TEXT, _encoding("UTF-16BE", mark=False)),
        (rb"(?:%b\0\0\0){2}" % _TEXT, _encoding("UTF-32LE", mark=False)),
        (rb"(?:\0\0\0%b){2}" % _TEXT, _encoding("UTF-32BE", mark=False)),
    )
]
# Beginnings with which a longer one may still match a pattern: a line end rules out the name of a file in tar.
_match_undecided = re.compile(
    rb'(?:.?|(?=.*\0).{2,7}|\n\r(?:\r(?:\n.{0,7})?)?|[^{\["\s][^\n]{0,260})\Z', re.DOTALL
).match


def detect_format(head: bytes, ended: bool) -> FileFormat | None:
    """Return the format of a file: the entry of its longest signature, or of the first pattern that it matches.

    Args:
        head: the beginning of the file; 262 bytes are enough.
        ended: that is the whole file.

    Returns:
        The format; None if more bytes are needed.
    """
    if not ended and any(len(each) > len(head) and each.startswith(head) for each in _SIGNATURES):
        return None
    if found := max((each for each in _SIGNATURES if head.startswith(each)), key=len, default=b""):
        return _SIGNATURES[found]
    for match, form in _PATTERNS:
        if match(head):
            return form
    return None if not ended and _match_undecided(head) else False
