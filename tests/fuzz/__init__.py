"""Hostile inputs, for as long as is asked: `make fuzz`.

`targets` says what the library does with some bytes and what must hold of it, `inputs` makes such bytes, `families`
those that grow. A failing input is written to tests/data/fuzz, where `test_findings` runs it from then on: to make a
finding a test, commit its file.

hypothesis makes documents from the schemas. Changing the bytes and fields of those, and of known ones, is our own: most
inputs come about that way, and hypothesis takes longer to make one than the library to read it. atheris, which looks at
coverage, found nothing in a million inputs when it was tried, and is no dependency: it has no wheels for macOS beyond
Python 3.11, nor for Linux on ARM.
"""
