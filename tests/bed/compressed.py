"""Compression of test data in each format that is read."""

from __future__ import annotations

import bz2
import gzip
import lzma
import sys
from typing import TYPE_CHECKING, Final

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable


def _zstd(data: bytes) -> bytes:
    return zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1})


COMPRESS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "zstd": _zstd,
    "xz": lambda data: lzma.compress(data, preset=0),
    "bzip2": bz2.compress,
}
"""The functions that compress, by the name of the format."""


def large_window(name: str, data: bytes, log: int) -> bytes:
    """Compress with a window of 2 to the power of `log` bytes, in zstd or xz."""
    if name == "xz":
        return lzma.compress(data, filters=[{"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << log}])
    compressor = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: log})
    return compressor.compress(data) + compressor.flush()


def skippable_frame(data: bytes) -> bytes:
    """Return a zstd frame that readers skip."""
    return b"\x5f\x2a\x4d\x18" + len(data).to_bytes(4, "little") + data
