"""Where to connect to, as whom, and under which name."""
