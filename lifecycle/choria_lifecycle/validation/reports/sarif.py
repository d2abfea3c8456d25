"""The SARIF 2.1.0 report, which GitHub's code scanning and many viewers read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from choria_lifecycle.support.text import visible_json
from choria_lifecycle.validation.reports.places import Fingerprints, absolute, path_below, place_of
from choria_lifecycle.validation.reports.protocol import OriginKind, Report, as_text, numbered
from choria_lifecycle.wire.codes import FINDING_CODES
from choria_lifecycle.wire.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from choria_lifecycle.validation.policy import DocumentFindings
    from choria_lifecycle.validation.reports.protocol import Origin
    from choria_lifecycle.wire.codes import FindingCode

__all__ = ["SarifReport"]

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_HOME: Final = "https://github.com/choria-lifecycle/choria-lifecycle"
_HELP: Final = f"{_HOME}/blob/main/docs/validation.md#all-codes"

# The name that other tools use for the folder that relative URIs are resolved against.
_BASE: Final = "%SRCROOT%"

_LEVELS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFORMATION: "note"}
_INDEXES: Final = {name: index for index, name in enumerate(FINDING_CODES)}


class SarifReport(Report):
    """A log with one run, and a line for each result.

    Args:
        version: the version of this package.
    """

    def __init__(self, version: str) -> None:
        self._version = version
        self._folder = str(Path.cwd())
        self._fingerprints = Fingerprints()
        self._separator = ""
        self._notifications: list[dict[str, Any]] = []

    def begin(self) -> list[str]:
        driver = {
            "name": "choria-lifecycle",
            "semanticVersion": self._version,
            "informationUri": _HOME,
            "rules": [_rule(code) for code in FINDING_CODES.values()],
        }
        base = {"uri": f"{Path(self._folder).as_uri().rstrip('/')}/"}
        head = {"tool": {"driver": driver}, "originalUriBaseIds": {_BASE: base}}
        return [f'{{"$schema":"{_SCHEMA}","version":"2.1.0","runs":[', f'{_json(head)[:-1]},"results":[']

    def add(self, origin: Origin, documents: Sequence[DocumentFindings], line_offset: int) -> list[str]:
        place, artifact, lines = place_of(origin, self._folder), self._artifact(origin), []
        for number, index, finding in numbered(documents, line_offset):
            result = {
                "ruleId": finding.code,
                "ruleIndex": _INDEXES[finding.code],
                "level": _LEVELS[finding.severity],
                "message": {"text": f"{finding.path}: {finding.message}"},
                "locations": [_location(origin, artifact, number)],
                "partialFingerprints": {"finding/v1": self._fingerprints.add(place, number, index, finding)},
                "properties": {"path": finding.path, "rule": finding.rule, "value": finding.value},
            }
            separator, self._separator = self._separator, ","
            lines.append(separator + _json(result))
        return lines

    def add_problem(self, origin: Origin, problem: str) -> list[str]:
        text = f"{as_text(origin.name)} {problem}"
        location = {"physicalLocation": {"artifactLocation": self._artifact(origin)}}
        self._notifications.append({"level": "error", "message": {"text": text}, "locations": [location]})
        return []

    def end(self, exit_code: int | None) -> list[str]:
        invocation: dict[str, Any] = {
            # Findings are what the tool is for; it was not successful if inputs are missing from the results.
            "executionSuccessful": exit_code in (0, 1) and not self._notifications,
            "toolExecutionNotifications": self._notifications,
        }
        if exit_code is not None:
            invocation["exitCode"] = exit_code
        return [f'],"invocations":[{_json(invocation)}]}}', "]}"]

    def _artifact(self, origin: Origin) -> dict[str, Any]:
        if origin.kind is not OriginKind.FILE:
            return {"description": {"text": as_text(origin.name)}}
        path = path_below(origin.name, self._folder)
        if path is None:
            return {"uri": absolute(origin.name).as_uri()}
        return {"uri": quote(path, errors="surrogateescape"), "uriBaseId": _BASE}


def _rule(code: FindingCode) -> dict[str, Any]:
    text = code.summary.replace("`", "")
    return {
        "id": code.name,
        "shortDescription": {"text": f"{text.partition('. ')[0].rstrip('.')}."},
        "fullDescription": {"text": text},
        "help": {"text": text, "markdown": code.summary},
        "helpUri": _HELP,
        "defaultConfiguration": {"level": _LEVELS[code.severity]},
    }


def _location(origin: Origin, artifact: dict[str, Any], number: int) -> dict[str, Any]:
    if origin.kind is not OriginKind.SUBJECT:
        return {"physicalLocation": {"artifactLocation": artifact, "region": {"startLine": number}}}
    name = as_text(origin.name)
    return {
        "logicalLocations": [{"name": name, "fullyQualifiedName": name, "kind": "subject"}],
        "properties": {"number": number} | (origin.stored._asdict() if origin.stored is not None else {}),
    }


def _json(value: object) -> str:
    return visible_json(msgspec.json.encode(value).decode())
