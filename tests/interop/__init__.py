"""Interoperability with go-choria: its packages make and read events; the results are compared with this library.

`python -m tests.interop` needs `go` and runs a live Go program; `test_vectors.py` uses the records in
tests/data/interop, and does not need Go.
"""
