"""Both sides of the wire: go-choria's own packages make and read events, and what they do is held against ours.

`python -m tests.interop` needs `go` and takes a live Go program; `test_vectors.py` holds what was recorded of it in
tests/data/interop, and needs nothing.
"""
