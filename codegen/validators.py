"""Validators, compiled by fastjsonschema."""

from __future__ import annotations

import copy
import pprint
from typing import TYPE_CHECKING

import fastjsonschema

from codegen.problems import ContractError, Problem

if TYPE_CHECKING:
    from codegen.contract import Contract

# A document of a few kB can be wrong in ten thousand places. Nobody reads that many findings, and making them takes a
# third of a second.
_LIST = "    errors = []\n"
_BOUNDED_LIST = "    errors = _Errors()\n"
_BOUNDED = """

class _Errors(list):
    # Ends the search when there are enough.
    def append(self, error):
        super().append(error)
        if len(self) >= 200:
            raise JsonSchemaValuesException(self)
"""

# Type checkers have nothing to gain from compiled code; the registry gives it a typed front.
_CHECKERS = "# mypy: ignore-errors\n# pyright: basic\n"


def render(contract: Contract, header: str) -> str:
    """The module with `validate(data)`, which returns data or raises JsonSchemaValuesException with all findings."""
    schema = copy.deepcopy(contract.schema)  # the compiler rewrites references in place
    # The id would become part of each function's name; without it the entry is called `validate`.
    del schema["id"]
    code = fastjsonschema.compile_to_code(schema, use_default=False, use_formats=False, fast_fail=False)
    if _LIST not in code:
        raise ContractError([Problem(contract.path, "", "this fastjsonschema gathers its findings in another way")])
    return f"{_CHECKERS}{header}\n{code.replace(_LIST, _BOUNDED_LIST)}\n{_BOUNDED}"


def render_schema(contract: Contract, header: str) -> str:
    """The module with `schema()`, which returns the corrected schema, a fresh copy each time."""
    literal = pprint.pformat(contract.schema, width=120, sort_dicts=False)
    return f"""{header}
from __future__ import annotations

from typing import Any


def schema() -> dict[str, Any]:
    return {_indented(literal)}
"""


def _indented(literal: str) -> str:
    # repr() leaves no newline inside a string, so each one in the text is layout.
    return literal.replace("\n", "\n           ")
