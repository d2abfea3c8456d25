"""Startup, heartbeat and shutdown of a Python service, without harm to it."""
