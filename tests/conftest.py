"""What holds for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# `make test` sees the same examples each time; `make fuzz`, which sets the variable, looks for new ones.
settings.register_profile("steady", derandomize=True, database=None)
if "LIFECYCLE_EXAMPLES" not in os.environ:
    settings.load_profile("steady")
