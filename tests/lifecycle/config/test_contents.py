from __future__ import annotations

import os
from pathlib import Path

import pytest

from choria_lifecycle.config.contents import read_regular, unreadable_file


def open_files() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


def test_one_byte_more_than_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 12)
    assert read_regular(path) == b"x" * 12
    assert read_regular(path, 10) == b"x" * 11
    assert read_regular(path, 12) == b"x" * 12


def test_links_are_followed_and_the_null_device_is_empty(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    assert read_regular(tmp_path / "link") == b"content"
    assert read_regular(Path(os.devnull)) == b""


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("missing", FileNotFoundError, "No such file or directory"),
        ("folder", IsADirectoryError, "Is a directory"),
        ("pipe", OSError, "not a regular file"),
        ("/dev/zero", OSError, "not a regular file"),
        ("a\0b", OSError, "not a valid file name"),
        ("loop", OSError, "Too many levels of symbolic links"),
    ],
)
def test_other_files_are_refused_at_once(name: str, kind: type[OSError], reason: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    before = open_files()
    with pytest.raises(kind) as raised:
        read_regular(tmp_path / name)
    assert (type(raised.value), raised.value.strerror) == (kind, reason)
    assert open_files() == before


@pytest.mark.parametrize(
    ("origin", "error", "remedy", "message"),
    [
        ("", FileNotFoundError(2, "gone"), "", "cannot read /a: gone"),
        ("", FileNotFoundError(2, "gone"), "make one", "cannot read /a: gone; make one"),
        ("client.conf:1", FileNotFoundError(2, "gone"), "", "cannot read /a (client.conf:1): gone"),
        (
            "provider puppet, in /ssl",
            FileNotFoundError(2, "gone"),
            "make one",
            "cannot read /a (provider puppet, in /ssl): gone; 'choria enroll' gets it",
        ),
        ("", PermissionError(13, "denied"), "make one", "cannot read /a: denied; let this user read it"),
        ("", IsADirectoryError(21, "folder"), "make one", "cannot read /a: folder; name a file"),
        ("", OSError("odd"), "", "cannot read /a: odd; name a file"),
        ("a\x1b[2J", FileNotFoundError(2, "gone"), "", r"cannot read /a (a\x1b[2J): gone"),
    ],
)
def test_an_error_names_the_file_its_origin_and_the_remedy(
    origin: str, error: OSError, remedy: str, message: str
) -> None:
    assert str(unreadable_file(Path("/a"), origin, error, remedy)) == message
