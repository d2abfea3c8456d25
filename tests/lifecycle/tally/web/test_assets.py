from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

from choria_lifecycle.tally.web import assets as module
from choria_lifecycle.tally.web.assets import assets, build_id

if TYPE_CHECKING:
    import pytest


def test_paths_of_static_files_contain_their_hash() -> None:
    for name, asset in assets().items():
        stem, ending = name.split(".")
        assert re.fullmatch(rf"/static/{stem}\.[0-9a-f]{{12}}\.{ending}", asset.path)
    # They fetch nothing from other hosts.
    for asset in assets().values():
        assert not re.search(rb"(?:https?:)?//(?!www\.w3\.org/2000/svg)\w", asset.content)


def test_static_files_have_a_media_type_and_content() -> None:
    assert {name: asset.media_type for name, asset in assets().items()} == {
        "icon.svg": "image/svg+xml",
        "page.css": "text/css; charset=utf-8",
        "page.js": "text/javascript; charset=utf-8",
    }
    for asset in assets().values():
        assert sha256(asset.content).hexdigest()[:12] in asset.path


def test_the_build_id_depends_on_every_file(monkeypatch: pytest.MonkeyPatch) -> None:
    before = build_id()
    assert re.fullmatch("[0-9a-f]{12}", before)
    for name in assets():
        changed = {**assets(), name: assets()[name]._replace(path="/static/other")}
        with monkeypatch.context() as patch:
            patch.setattr(module, "assets", lambda changed=changed: changed)
            assert build_id.__wrapped__() != before
