"""Validators compiled by fastjsonschema."""

from __future__ import annotations

import copy
import pprint
from typing import TYPE_CHECKING

import fastjsonschema

from codegen.problems import ContractError, Problem

if TYPE_CHECKING:
    from codegen.contract import EffectiveContract

# A document of a few kB can violate the schema ten thousand times; reporting that takes a third of a second.
_ERROR_LIST = "    errors = []\n"
_LIMITED_ERROR_LIST = "    errors = _Errors()\n"
_LIMITED_LIST_CLASS = """

class _Errors(list):
    # Stops the validation at a limit.
    def append(self, error):
        super().append(error)
        if len(self) >= 200:
            raise JsonSchemaValuesException(self)
"""

# Type checkers gain nothing from compiled code; the registry gives it a typed interface.
_CHECKER_DIRECTIVES = "# mypy: ignore-errors\n# pyright: basic\n"


def render(contract: EffectiveContract, header: str) -> str:
    """Return the module with `validate(data)`, which raises JsonSchemaValuesException with all violations."""
    schema = copy.deepcopy(contract.schema)  # fastjsonschema rewrites references in place
    # With an id, fastjsonschema would make it part of each function's name instead of calling the entry `validate`.
    del schema["id"]
    code = fastjsonschema.compile_to_code(schema, use_default=False, use_formats=False, fast_fail=False)
    if _ERROR_LIST not in code:
        raise ContractError(
            [
                Problem(
                    contract.path,
                    "",
                    "this version of fastjsonschema collects errors differently: adapt codegen/validators.py",
                )
            ]
        )
    return f"{_CHECKER_DIRECTIVES}{header}\n{code.replace(_ERROR_LIST, _LIMITED_ERROR_LIST)}\n{_LIMITED_LIST_CLASS}"


def render_schema(contract: EffectiveContract, header: str) -> str:
    """Return the module with `schema()`, which returns a fresh copy of the corrected schema on each call."""
    literal = pprint.pformat(contract.schema, width=108, sort_dicts=False)
    return f"""{header}
from __future__ import annotations

from typing import Any


def schema() -> dict[str, Any]:
    return {_indent(literal)}
"""


def _indent(literal: str) -> str:
    # repr() escapes newlines in strings, so every newline here is layout.
    return literal.replace("\n", "\n           ")
