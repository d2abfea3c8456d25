"""Choria lifecycle events: made, checked, published, received and read."""
