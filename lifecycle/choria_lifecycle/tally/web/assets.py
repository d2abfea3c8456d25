"""The page's static files, served at paths that contain their hash, so that browsers may cache them."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final, NamedTuple

__all__ = ["Asset", "assets", "build_id"]

_MEDIA_TYPES: Final = {
    "icon.svg": "image/svg+xml",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
}


class Asset(NamedTuple):
    """A static file.

    Attributes:
        path: the path at which it is served.
        media_type: its media type.
        content: its bytes.
    """

    path: str
    media_type: str
    content: bytes


@cache
def assets() -> dict[str, Asset]:
    """Return the static files by name."""
    folder = files("choria_lifecycle.tally.web").joinpath("static")
    return {name: _asset(name, kind, folder.joinpath(name).read_bytes()) for name, kind in _MEDIA_TYPES.items()}


@cache
def build_id() -> str:
    """Return a hash of all files, by which an open page detects an update and reloads itself."""
    return sha256("".join(each.path for each in assets().values()).encode()).hexdigest()[:12]


def _asset(name: str, kind: str, data: bytes) -> Asset:
    stem, _, ending = name.rpartition(".")
    return Asset(f"/static/{stem}.{sha256(data).hexdigest()[:12]}.{ending}", kind, data)
