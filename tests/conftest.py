"""What holds for all tests."""

from __future__ import annotations

import os
import signal

from hypothesis import settings

# A shell starts what it runs in the background with SIGINT ignored, and children inherit that; the tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# `make test` sees the same examples each time; `make fuzz`, which sets the variable, looks for new ones.
settings.register_profile("steady", derandomize=True, database=None)
if "LIFECYCLE_EXAMPLES" not in os.environ:
    settings.load_profile("steady")
