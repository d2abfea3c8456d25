"""Benchmarks, as ratios to named peers measured in the same run: `make bench`.

Speed is reported, not asserted. Each peer's results are asserted before it is timed.
"""
