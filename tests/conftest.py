"""What holds for all tests."""

from __future__ import annotations

import os
import signal

from hypothesis import settings

# A shell starts what it runs in the background with SIGINT ignored, and children inherit that; the tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# `make test` sees the same examples each time; with the variable set, it looks for new ones. How long one takes says
# nothing on a machine that does other things too.
settings.register_profile("steady", derandomize=True, database=None, deadline=None)
settings.register_profile("new", deadline=None)
settings.load_profile("new" if "LIFECYCLE_EXAMPLES" in os.environ else "steady")
