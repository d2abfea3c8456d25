"""The tally over HTTP: metrics, status and the page."""
