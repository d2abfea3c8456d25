"""Lifecycle events: factories, option checks, subjects and one-line descriptions."""
