"""Lifecycle events: factories, option checks, subjects and the one-line text."""
