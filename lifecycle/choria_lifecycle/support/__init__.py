"""Small things that every package may use: safe text, random ids, clocks, logging, jitter and backoff."""
