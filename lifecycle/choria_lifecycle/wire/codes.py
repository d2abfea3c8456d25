"""The codes of findings, each declared once: name, severity, rule and summary."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from choria_lifecycle.errors import InvalidEvent
from choria_lifecycle.wire.finding import Finding, Severity, finding_value

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CODES", "FINDING_CODES", "INPUT_CODES", "SCHEMA_CODES", "FindingCode"]


@dataclass(frozen=True, slots=True)
class FindingCode:
    """The kind of a finding.

    Attributes:
        name: the name that users see; stable between releases.
        severity: the severity of its findings.
        rule: the rule that its findings name, unless they name one of their own.
        summary: the meaning and the remedy, as one line of Markdown.
    """

    name: str
    severity: Severity
    rule: str
    summary: str

    def at(self, path: str, message: str, value: object = None, *, rule: str | None = None) -> Finding:
        """Return a finding about a JSON value."""
        return Finding(
            severity=self.severity,
            code=self.name,
            path=path,
            rule=self.rule if rule is None else rule,
            value=finding_value(value),
            message=message,
        )

    def error(self, message: str) -> InvalidEvent:
        """Return an exception about a whole document."""
        return InvalidEvent(message, rule=self.rule)


def _declare(severity: Severity, name: str, summary: str, rule: str = "") -> FindingCode:
    """Return a code; its rule is what follows the first hyphen of its name unless another one is given."""
    return FindingCode(name, severity, rule or name.partition("-")[2], summary)


_error = partial(_declare, Severity.ERROR)
_warning = partial(_declare, Severity.WARNING)
_information = partial(_declare, Severity.INFORMATION)

INPUT_DEPTH: Final = _error("input-depth", "Arrays and objects are nested deeper than 256 levels. Events need two.")
INPUT_JSON: Final = _error(
    "input-json",
    "The text is not JSON as defined by RFC 8259. Comments, trailing commas, single quotes, `NaN`, a byte order "
    "mark and lone surrogates are not allowed. Use a JSON library to write it.",
)
INPUT_LOCATION: Final = _error(
    "input-location",
    "The document holds no event at the given location. Only reading events out of other documents has this code.",
)
INPUT_SIZE: Final = _error(
    "input-size", "The document has more than 65,536 bytes. Send less; an event has a few hundred."
)
INPUT_TRUNCATED: Final = _error(
    "input-truncated",
    "The file ends within a document or an array: it was truncated, or is still being written. Only files have "
    "this code; a single document that ends early has `input-json`.",
)
INPUT_TYPE: Final = _error("input-type", "The document is JSON, but not an object.")
INPUT_UTF_8: Final = _error("input-utf-8", "The bytes are not UTF-8. Usually they are Latin-1 or UTF-16.")
ENVELOPE_DATA: Final = _error(
    "envelope-data",
    "The envelope contains no readable event: no data, data that is not an object, both `data` and `data_base64`, "
    "or `data_base64` that does not decode to an object. Put the event itself there, not a string that contains "
    "it.",
    rule="envelope",
)
ENVELOPE_EMPTY: Final = _error(
    "envelope-empty", "An attribute of the envelope is empty. Set it, or omit it if it is optional.", rule="minLength"
)
ENVELOPE_NESTED: Final = _error("envelope-nested", "The data is another envelope. Wrap an event once.", rule="envelope")
ENVELOPE_REQUIRED: Final = _error(
    "envelope-required",
    "The envelope lacks `specversion`, `id`, `source` or `type`, which CloudEvents requires.",
)
ENVELOPE_SOURCE: Final = _error(
    "envelope-source",
    "The source does not match the protocol. It is the protocol's first three parts, such as `io.choria.lifecycle`.",
    rule="envelope",
)
ENVELOPE_SUBJECT_DIFFERS: Final = _error(
    "envelope-subject-differs",
    "The subject of the envelope names a different node than the identity of the event. Set it to the identity, "
    "or omit it.",
    rule="envelope",
)
ENVELOPE_TIME: Final = _error(
    "envelope-time",
    "The time is not in RFC 3339 format: date, `T`, time of day, and `Z` or an offset such as `+01:00`.",
    rule="format",
)
ENVELOPE_TYPE: Final = _error("envelope-type", "An attribute of the envelope is not a string.")
ENVELOPE_TYPE_DIFFERS: Final = _error(
    "envelope-type-differs",
    "The type of the envelope is not the protocol of its data. Use the same value for both.",
    rule="envelope",
)
ENVELOPE_VERSION: Final = _error(
    "envelope-version", "The envelope has a CloudEvents version other than 1.0.", rule="enum"
)
PROTOCOL_UNKNOWN: Final = _error(
    "protocol-unknown",
    "The document claims to be one of Choria's events, by a protocol, type or source that begins like theirs or is "
    "close to one, or by its subject; but there is no contract for the protocol. Most likely it is misspelt.",
    rule="protocol",
)
SCHEMA_ENUM: Final = _error("schema-enum", "The value is not one that the contract lists. Case matters.")
SCHEMA_MAXIMUM: Final = _error("schema-maximum", "The number is too large.")
SCHEMA_MIN_LENGTH: Final = _error("schema-minLength", "The string is too short.")
SCHEMA_MINIMUM: Final = _error("schema-minimum", "The number is too small.")
SCHEMA_REQUIRED: Final = _error(
    "schema-required",
    "A field is missing. Choria's own readers accept such an event and make some fields up, with a random id and "
    "the time of reading.",
)
SCHEMA_TYPE: Final = _error(
    "schema-type",
    "The value does not have the type that the contract requires. Common mistakes are numbers in quotes, `1.0` "
    "for an integer and `null` for a string.",
)
NUMBER_RANGE: Final = _error(
    "number-range",
    "The number is out of Go's range: 64 bits for an integer, signed unless the contract sets a bound; a double "
    "for all others.",
)
ERRORS_CUT: Final = _error(
    "errors-cut",
    "More than 100 places break the contract, and the rest are not listed. Reported even if it is not selected.",
    rule="limit",
)
COMPONENT_TOKEN: Final = _warning(
    "component-token",
    "The component cannot be a single token of the subject. Use 1 to 128 letters A-Z and a-z, digits, `_` and `-`.",
)
DUPLICATE_KEY: Final = _warning(
    "duplicate-key",
    "An object has the same key more than once. Which one is used depends on the reader.",
    rule="duplicate",
)
ENVELOPE_CONTENT_TYPE: Final = _warning(
    "envelope-content-type",
    "The `datacontenttype` is not one of JSON. Choria's own readers then expect a string as data, and reject the "
    "envelope. Use `application/json`, or omit it.",
)
ENVELOPE_EXTENSION: Final = _warning(
    "envelope-extension",
    "The envelope has an extension that makes Choria's own readers reject all of it: its name is not letters and "
    "digits only, or that of an attribute in another case; or its value is an object, an array, or a number beyond 32 "
    "bits.",
)
ENVELOPE_TIME_DIFFERS: Final = _warning(
    "envelope-time-differs",
    "The time of the envelope differs from the timestamp of the event by more than a minute. Both are the time of the "
    "event.",
    rule="time",
)
FIELD_MISSPELT: Final = _warning(
    "field-misspelt",
    "A field is not in the contract, but its name is close to one that is. Case matters, although Choria's own "
    "readers ignore it.",
    rule="spelling",
)
ID_UUID: Final = _warning("id-uuid", "The id is not a UUID. Generate one for each event.")
IDENTITY_BLANK: Final = _warning(
    "identity-blank",
    "The identity is empty or only whitespace. Choria sends and reads such an event, which then counts as a node "
    "without a name.",
)
PROTOCOL_OLD: Final = _warning(
    "protocol-old",
    "The protocol uses the spelling of old releases. It is read here, and rejected by Choria's own readers.",
    rule="spelling",
)
SUBJECT_DIFFERS: Final = _warning(
    "subject-differs",
    "The event was sent on a subject other than its own. Subscribers to its own subject do not receive it.",
    rule="subject",
)
TIMESTAMP_RANGE: Final = _warning(
    "timestamp-range",
    "The timestamp is before 2000-01-01, or more than a day ahead of the validator's clock.",
)
TIMESTAMP_UNIT: Final = _warning(
    "timestamp-unit",
    "The timestamp looks like milliseconds, microseconds or nanoseconds. The unit is whole seconds since 1970.",
)
VERSION_BLANK: Final = _warning(
    "version-blank",
    "A version is empty or only whitespace. Choria sends and reads such an event, which then counts as a node without "
    "a version.",
)
WARNINGS_CUT: Final = _warning(
    "warnings-cut",
    "There are more than 100 warnings, and the rest are not listed. Reported even if it is not selected.",
    rule="limit",
)
INPUT_BOM: Final = _information(
    "input-bom",
    "The file begins with a byte order mark, which was skipped. JSON forbids it, and a single document that begins "
    "with it is rejected; write UTF-8 without one.",
    rule="json",
)
PROTOCOL_FOREIGN: Final = _information(
    "protocol-foreign",
    "The document is an event of something else: neither its protocol nor its subject is one of lifecycle and machine "
    "events. It is not checked, and counts neither as valid nor as rejected.",
    rule="protocol",
)

FINDING_CODES: Final[Mapping[str, FindingCode]] = MappingProxyType(
    {code.name: code for code in tuple(globals().values()) if isinstance(code, FindingCode)}
)
"""All codes by name, errors first."""

CODES: Final[Mapping[str, Severity]] = MappingProxyType({code.name: code.severity for code in FINDING_CODES.values()})
"""All codes with their severities; docs/validation.md has an example of each."""


def _by_rule(group: str) -> Mapping[str, FindingCode]:
    return MappingProxyType(
        {
            code.rule: code
            for name, code in FINDING_CODES.items()
            if name.startswith(f"{group}-") and code.severity is Severity.ERROR
        }
    )


INPUT_CODES: Final = _by_rule("input")
"""The codes of unreadable documents by the rule that the exception names."""

SCHEMA_CODES: Final = _by_rule("schema")
"""The codes of violations by JSON Schema keyword, for each keyword of the contracts that a document can violate."""
