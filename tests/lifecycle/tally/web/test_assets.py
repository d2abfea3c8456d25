from __future__ import annotations

import re

from choria_lifecycle.tally.web.assets import assets


def test_paths_of_static_files_contain_their_hash() -> None:
    for name, asset in assets().items():
        stem, ending = name.split(".")
        assert re.fullmatch(rf"/static/{stem}\.[0-9a-f]{{12}}\.{ending}", asset.path)
    # They fetch nothing from other hosts.
    for asset in assets().values():
        assert not re.search(rb"(?:https?:)?//(?!www\.w3\.org/2000/svg)\w", asset.content)
