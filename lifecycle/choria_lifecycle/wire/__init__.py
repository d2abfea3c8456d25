"""Parsing and encoding of events, and validation of one document."""
