"""The compressed formats that are read, and their decoders."""

from __future__ import annotations

import sys
import zlib
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["BLOCK", "CODECS", "MAX_WINDOW_LOG", "Codec", "Decoder"]

BLOCK: Final = 65536
"""The maximum number of bytes read or decompressed at once."""

MAX_WINDOW_LOG: Final = 27
"""The binary logarithm of the largest window, in bytes, that a file may demand: the default limit of `zstd -d`."""


class Decoder(Protocol):
    """A decompressor of one member, with the interface of the standard library's modules."""

    @property
    def eof(self) -> bool:
        """True after the end of the member."""
        ...

    @property
    def needs_input(self) -> bool:
        """True if the next call needs data."""
        ...

    @property
    def unused_data(self) -> bytes:
        """The data after the end of the member."""
        ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Return at most this number of bytes of the content."""
        ...


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


_Opener: TypeAlias = "tuple[Callable[[], Decoder], type[Exception]]"
"""The function that returns a decoder, and the error that decoders raise."""


class Codec(NamedTuple):
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


_GZIP: Final = Codec("gzip", _load_gzip, step=BLOCK, padded=True)
_BZIP2: Final = Codec("bzip2", _load_bzip2)
_XZ: Final = Codec("xz", _load_xz, padded=True, large="xz -dc FILE")
_ZSTD: Final = Codec("zstd", _load_zstd, large="zstd -dc --long=31 FILE")
CODECS: Final[dict[bytes, Codec]] = {
    b"\x1f\x8b": _GZIP,
    **dict.fromkeys([b"BZh%d" % level for level in range(1, 10)], _BZIP2),
    b"\xfd7zXZ\0": _XZ,
    b"\x28\xb5\x2f\xfd": _ZSTD,
    # Some programs begin with a frame that readers skip.
    **dict.fromkeys([bytes([byte]) + b"\x2a\x4d\x18" for byte in range(0x50, 0x60)], _ZSTD),
}
"""The formats by the signatures with which their files begin."""
