"""Helpers for every package: safe text, random ids, clocks, logging, jitter and backoff."""
