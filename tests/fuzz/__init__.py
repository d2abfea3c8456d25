"""Fuzzing with hostile inputs, for a given time: `make fuzz`.

`targets` holds what the library does with an input and the properties that must hold, `inputs` generates inputs,
`families` those of growing size. A failing input is written to tests/data/fuzz, where `test_findings` runs it from then
on: to turn a finding into a test, commit its file.

hypothesis generates documents from the schemas. The mutation of their bytes and fields, and of known inputs, is this
package's own: it yields most inputs, since hypothesis takes longer to generate one than the library to read it.
atheris, which is guided by coverage, found nothing in a million inputs in a trial, and is not a dependency: it has no
wheels for macOS beyond Python 3.11, nor for Linux on ARM.
"""
