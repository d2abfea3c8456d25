"""The tally over HTTP: metrics, status and a page."""
