"""Decompression of files while they are read: gzip, zstd, xz and bzip2, recognised by their content."""

from __future__ import annotations

import sys
import zlib
from functools import partial
from io import BufferedReader, RawIOBase
from itertools import chain
from typing import IO, TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol, TypeAlias, TypeVar

from choria_lifecycle.validation.foreign import detect_foreign, match_signature

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from choria_lifecycle.validation.foreign import ForeignFormat

__all__ = ["BLOCK", "MAX_WINDOW_LOG", "UnreadableContent", "decompress", "decompressed", "is_plain", "sniff"]

T = TypeVar("T")

BLOCK: Final = 65536
"""The maximum number of bytes read or decompressed at once."""

MAX_WINDOW_LOG: Final = 27
"""The binary logarithm of the largest window, in bytes, that a file may demand: the default limit of `zstd -d`."""


class UnreadableContent(OSError):
    """The content of a file is damaged or in another format; the message says what to do.

    Attributes:
        command: the command that converts FILE to standard output; empty if it cannot be converted.
    """

    def __init__(self, message: str, command: str = "") -> None:
        super().__init__(message)
        self.command = command


class _Decoder(Protocol):
    """A decompressor of one member, with the interface of the standard library's modules."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _GzipDecoder:
    """zlib's decompressor with that interface. It returns everything before the damage, as zlib can copy its state."""

    def __init__(self) -> None:
        self.needs_input = True
        self._stream = zlib.decompressobj(wbits=31)
        self._failure: zlib.error | None = None

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        if self._failure is not None:
            raise self._failure
        data = self._stream.unconsumed_tail + data
        before = self._stream.copy()
        try:
            found = self._stream.decompress(data, max_length)
        except zlib.error as failure:
            self._failure, self.needs_input = failure, False
            return b"".join(_salvage(before.decompress, data))
        self.needs_input = not self._stream.eof and len(found) < max_length
        return found


def _salvage(decompress: Callable[[bytes], bytes], data: bytes) -> Iterator[bytes]:
    """Return the data before the damage that a failed call did not return."""
    try:
        for at in range(len(data)):
            yield decompress(data[at : at + 1])
    except zlib.error:
        pass


_Opener: TypeAlias = "tuple[Callable[[], _Decoder], type[Exception]]"
"""The function that returns a decoder, and the error that decoders raise."""


class _Codec(NamedTuple):
    """A format that is decompressed.

    Attributes:
        name: its name, which is also that of the program that decompresses it.
        load: imports the module, which not every Python has.
        step: the number of bytes to request from a decoder. Damage costs what the failing call had decompressed.
        padded: members may be followed by zeros.
        large: the command for a file whose window is too large.
    """

    name: str
    load: Callable[[], _Opener]
    step: int = 1024
    padded: bool = False
    large: str = ""

    @property
    def command(self) -> str:
        """The command that decompresses FILE to standard output."""
        return f"{self.name} -dc FILE"

    @property
    def filter(self) -> str:
        """The command that decompresses standard input."""
        return f"{self.name} -dc"

    @property
    def problem(self) -> str:
        """The problem of a file in this format within another one."""
        return f"it is compressed with {self.name}; decompress it first"


_Format: TypeAlias = "_Codec | ForeignFormat | Literal[False]"
"""The format of a file, False for plain text."""


def _load_gzip() -> _Opener:
    return _GzipDecoder, zlib.error


def _load_bzip2() -> _Opener:
    import bz2

    return bz2.BZ2Decompressor, OSError


def _load_xz() -> _Opener:
    import lzma

    # The dictionary, and what the decoder needs besides.
    limit = (1 << MAX_WINDOW_LOG) + (1 << 20)
    return partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, limit), lzma.LZMAError


def _load_zstd() -> _Opener:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd

    options = {int(zstd.DecompressionParameter.window_log_max): MAX_WINDOW_LOG}
    return partial(zstd.ZstdDecompressor, options=options), zstd.ZstdError


_GZIP: Final = _Codec("gzip", _load_gzip, step=BLOCK, padded=True)
_BZIP2: Final = _Codec("bzip2", _load_bzip2)
_XZ: Final = _Codec("xz", _load_xz, padded=True, large="xz -dc FILE")
_ZSTD: Final = _Codec("zstd", _load_zstd, large="zstd -dc --long=31 FILE")
_SIGNATURES: Final[dict[bytes, _Codec]] = {
    b"\x1f\x8b": _GZIP,
    **dict.fromkeys([b"BZh%d" % level for level in range(1, 10)], _BZIP2),
    b"\xfd7zXZ\0": _XZ,
    b"\x28\xb5\x2f\xfd": _ZSTD,
    # Some programs begin with a frame that readers skip.
    **dict.fromkeys([bytes([byte]) + b"\x2a\x4d\x18" for byte in range(0x50, 0x60)], _ZSTD),
}


def sniff(blocks: Iterator[bytes], detect: Callable[[bytes, bool], T | None]) -> tuple[T | None, Iterator[bytes]]:
    """Detect a property of a file from its beginning, reading no more than necessary.

    Args:
        blocks: the content of the file.
        detect: called with the beginning, and with True if that is the whole file; returns None to see more.

    Returns:
        What `detect` returned, and the whole content, which raises OSError where reading failed.
    """
    head = b""
    try:
        for block in blocks:
            head += block
            if (found := detect(head, False)) is not None:
                return found, chain([head], blocks)
    except OSError as error:
        blocks = iter(partial(_raise, error), b"")
    return detect(head, True), chain([head] if head else [], blocks)


def _raise(error: OSError) -> bytes:
    raise error


def decompress(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Return the content of a file, decompressed block by block.

    Raises:
        UnreadableContent: the file has another format, needs too much memory, or its compressed data is damaged or
            incomplete. Everything before damage in gzip data was returned, of other formats at most 1 KiB less.
        OSError: the file cannot be read.
    """
    form: _Format | None
    content: _Format | None
    form, blocks = sniff(blocks, _detect)
    if not isinstance(form, _Codec):
        if form:
            raise _unreadable(form.problem, form.command)
        return blocks
    content, blocks = sniff(_expand(blocks, form), _detect)
    if content:
        raise _unreadable(f"decompressed with {form.name}, {content.problem}", f"{form.command} | {content.filter}")
    return blocks


def decompressed(stream: IO[bytes]) -> IO[bytes]:
    """Return the content of a file as a stream to be read line by line.

    Its `readline` raises as `decompress` does, once it has returned everything before the error.
    """
    read = getattr(stream, "read1", stream.read)
    return BufferedReader(_DecompressedFile(iter(partial(read, BLOCK), b"")), BLOCK)


class _DecompressedFile(RawIOBase):
    """The content of a file. An error within a line first ends that line."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        super().__init__()
        self._blocks = self._decompress(blocks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._rest = self._rest or next(self._blocks, b"")
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size

    def _decompress(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        last = b"\n"
        try:
            for block in decompress(blocks):
                last = block
                yield block
        except OSError:
            if not last.endswith(b"\n"):
                yield b""
            raise


def is_plain(head: bytes) -> bool:
    """Return True if a file that begins with these bytes is text in UTF-8; 262 bytes are enough."""
    return _detect(head, True) is False


def _detect(head: bytes, ended: bool) -> _Format | None:
    """Return the format of a file, in the way of `match_signature`."""
    form = match_signature(_SIGNATURES, head, ended)
    return detect_foreign(head, ended) if form is False else form


def _unreadable(problem: str, command: str) -> UnreadableContent:
    return UnreadableContent(f"{problem}, for example with `{command}`", command)


def _expand(blocks: Iterator[bytes], codec: _Codec) -> Iterator[bytes]:
    """Return the decompressed content of a file in blocks."""
    try:
        members = _Members(codec)
    except ImportError:
        problem = f"it is compressed with {codec.name}, which this Python cannot read; decompress it first"
        raise _unreadable(problem, codec.command) from None
    for block in blocks:
        found = bytearray()
        try:
            for piece in members.expand(block):
                found += piece
                if len(found) + codec.step > BLOCK:
                    yield bytes(found)
                    found.clear()
        except members.damage as error:
            if found:
                yield bytes(found)
            raise _damaged(codec, str(error)) from None
        if found:
            yield bytes(found)
    if not members.complete:
        raise UnreadableContent(f"its {codec.name} data ends early; the file was not written or copied completely")


class _Members:
    """Decompresses the members of a file, one after the other.

    Attributes:
        damage: the error that `expand` raises.
    """

    def __init__(self, codec: _Codec) -> None:
        self._open, self.damage = codec.load()
        self._codec = codec
        self._member: _Decoder | None = self._open()

    @property
    def complete(self) -> bool:
        """True if the file may end here."""
        return self._member is None

    def expand(self, data: bytes) -> Iterator[bytes]:
        """Return what the next part of the file decompresses to, in small pieces."""
        while data or (self._member is not None and not self._member.needs_input):
            if self._member is None:
                data = data.lstrip(b"\0") if self._codec.padded else data
                if not data:
                    break
                self._member = self._open()
            yield self._member.decompress(data, self._codec.step)
            data = b""
            if self._member.eof:
                data, self._member = self._member.unused_data, None


def _damaged(codec: _Codec, error: str) -> UnreadableContent:
    if codec.large and "memory" in error.lower():
        size = f"{1 << (MAX_WINDOW_LOG - 20)} MiB"
        return _unreadable(
            f"its {codec.name} data needs a window of more than {size}; decompress it first", codec.large
        )
    reason = error.rpartition(": ")[2]
    return UnreadableContent(f"its {codec.name} data is damaged or followed by other data ({reason})")
