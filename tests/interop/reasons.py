"""The reasons for differences, by the short names that cases and records use."""

REASONS = {
    # events made on one side and read on the other
    "escapes": "Go writes <, >, &, U+2028 and U+2029 as \\u escapes, which JSON allows; here they stay as they are.",
    "short-escapes": "Go's envelopes have \\u0008 and \\u000c where this side writes the shorter \\b and \\f.",
    "order": "Go orders the keys of measurements, and fields that may be absent, differently; JSON has no order.",
    "floats": "Go writes a whole number among floats as 0 and Python as 0.0; JSON has one kind of number.",
    "order-and-floats": (
        "Besides the order of keys, Go writes a whole number among floats as 0 and Python as 0.0; JSON has one kind."
    ),
    "trimmed": "Go strips blanks around an id in the envelope, but not in the data; here both stay as they are.",
    "year-1": "The first second of the year 1 is Go's zero time and left out of the envelope; here it is a time.",
    "year-0": "Go's calendar has a year 0; Python's starts with the year 1 and cannot represent such a time.",
    "year-10000": "Go writes times beyond the year 9999, which RFC 3339 does not allow, and cannot read them back.",
    "token": "Go puts any component into the subject; here one that is not a single plain token is not published.",
    "shown": "Go shows text unchanged; here characters that are not plainly visible are escaped.",
    "stage-dropped": "Go silently drops an unknown stage, and sends the event without one.",
    "no-governor": "Go makes and sends an event that Go itself refuses to read.",
    # any document
    "utf-8": "Go replaces invalid UTF-8 by U+FFFD and reads on; here a document that is not UTF-8 is refused.",
    "half-pair": "Go replaces half of a surrogate pair by U+FFFD; here it is refused, as it is not a character.",
    "size": "Go reads whatever the server lets through; here the default limit is 65,536 bytes per document.",
    "depth": "Go reads 10,000 levels; here the limit is 256, far more than an event has.",
    # the event
    "made-up": "Go makes up missing values: a random id, the time of reading, empty text, 0. Here nothing is made up.",
    "null": "Go treats null as absent and makes the value up, or leaves it empty; the contract forbids null here.",
    "case": "Go's JSON reader ignores the case of keys; in JSON and in the contract it matters.",
    "old-spelling": "Go can parse the old spelling, but its format detection refuses it; here both are read.",
    "two-protocols": "Go takes the type from the first protocol and the value from the last; here the last one counts.",
    "stage": "Go reads any event_type; the contract has four.",
    # the envelope
    "required": "Go checks only the parts of an envelope that it uses; here all that CloudEvents 1.0 requires.",
    "both-data": "Go takes the later of data and data_base64; CloudEvents allows one of them.",
    "empty": "Go treats an empty attribute as absent; CloudEvents does not allow empty attributes.",
    "contradiction": "Go reads only the data; here an envelope that contradicts its data is refused.",
    "tail": "Go stops reading at the end of the envelope; here nothing may follow it.",
    "media-type": "Go expects data to be text unless the media type is JSON; here data is always an object.",
    "text-data": "Go reads data from text if the media type is not JSON; here data is always an object.",
    "names": "Go refuses attributes with names that CloudEvents does not allow; here they are ignored.",
    "nameless": "Go stops reading an envelope at an empty key; here it is an unknown field, and ignored.",
    "values": "Go refuses extension attributes of types that CloudEvents does not have; here they are ignored.",
    "nested": "Go unwraps an envelope within an envelope; here an event has one envelope at most.",
    "twice": "Go's reader of envelopes refuses a second specversion; here the last one counts, as everywhere in JSON.",
    "first-data": "Go prefers data that comes before the media type; here the last one counts, as everywhere in JSON.",
    "null-base64": "Go reads data_base64 null as empty data; in CloudEvents null means that an attribute is absent.",
    "lower-case": "Go requires the T and the Z of a time in upper case; RFC 3339 allows both.",
    "lax-time": "Go reads times that RFC 3339 does not allow.",
    # machine events
    "bare": "Go reads machine events in envelopes only; here both formats are read, as for all events.",
    "lifecycle": "Go has a reader for each family; decode reads all events that have a contract.",
    "contract": "Go reads any JSON that fits its types; here an event must satisfy the contract.",
    "history-time": "Go parses the times of the history; in the contract they are text.",
}

NOT_IN_GO: dict[str, str] = {}
"""The protocols of events that the Go release under comparison does not have, and the reasons for their contracts."""
