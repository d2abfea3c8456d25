"""Bytes to events and back, and everything that is wrong or odd about one document."""
