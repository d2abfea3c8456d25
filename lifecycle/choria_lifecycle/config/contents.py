"""Read the files that settings name, without blocking on a pipe or a device."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, NoReturn

from choria_lifecycle.errors import ConfigError
from choria_lifecycle.support.text import safe

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read_regular", "unreadable_file"]

_MAX_BYTES = 1 << 20


def read_regular(path: Path, limit: int = _MAX_BYTES) -> bytes:
    """Return a regular file's content, at most `limit` + 1 bytes.

    Raises:
        OSError: the file cannot be read, or is a pipe, a directory or a device other than the null device.
    """
    try:
        # Non-blocking: opening a pipe without a writer would never return.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except ValueError as error:
        raise OSError(errno.EINVAL, "not a valid file name") from error
    with os.fdopen(descriptor, "rb") if _is_regular(descriptor) else _reject(descriptor) as file:
        return file.read(limit + 1)


def unreadable_file(path: Path, origin: str, error: OSError, remedy: str = "") -> ConfigError:
    """Return the error for a file that settings name and that cannot be read.

    Args:
        path: the file.
        origin: where its name comes from; empty if unknown.
        error: the reason.
        remedy: how to get the file if it does not exist.
    """
    source = f" ({safe(origin)})" if origin else ""
    if origin.startswith("provider puppet"):
        remedy = "'choria enroll' gets it"
    if isinstance(error, PermissionError):
        remedy = "let this user read it"
    elif not isinstance(error, FileNotFoundError):
        remedy = "name a file"
    return ConfigError(f"cannot read {path}{source}: {error.strerror or error}{'; ' if remedy else ''}{remedy}")


def _is_regular(descriptor: int) -> bool:
    found = os.fstat(descriptor)
    # The null device counts as an empty file.
    return stat.S_ISREG(found.st_mode) or os.path.samestat(found, os.stat(os.devnull))  # noqa: PTH116


def _reject(descriptor: int) -> NoReturn:
    mode = os.fstat(descriptor).st_mode
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    raise OSError(errno.EINVAL, "not a regular file")
