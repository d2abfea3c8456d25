"""One active program out of several."""
