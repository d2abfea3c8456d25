from __future__ import annotations

from pathlib import Path

from choria_lifecycle.doctor.checks import File


def test_a_file_does_not_show_its_content() -> None:
    file = File(Path("/a.key"), b"s3cret")
    assert repr(file) == str(file) == "File('/a.key')"
