"""Why the two sides differ, by the short name that the cases and their records give."""

REASONS = {
    # events made on one side and read on the other
    "escapes": "Go writes <, >, &, U+2028 and U+2029 as \\u escapes, which JSON allows; here they stay as they are.",
    "short-escapes": "Go's envelopes have \\u0008 and \\u000c where JSON also has \\b and \\f, which are written here.",
    "order": "Go has the keys of measurements, and history before annotations, in another order; JSON has no order.",
    "order-and-floats": (
        "Besides the order of keys, Go writes a whole number among floats as 0 and Python as 0.0; JSON has one kind."
    ),
    "trimmed": "Go takes the blanks around an id away in the envelope, not in the data; here both stay as they are.",
    "year-1": "The first second of the year 1 is Go's empty time and left out of the envelope; here it is a time.",
    "year-0": "Go's clock has a year 0; Python's begins with the year 1, so that there is no such time here.",
    "year-10000": "Go writes times beyond the year 9999, which RFC 3339 has not, and cannot read them back.",
    "token": "Go puts any component into the subject; here one that is not a single plain token is not published.",
    "shown": "Go shows text as it came; here what is not plainly visible is shown as an escape.",
    "stage-dropped": "An unknown stage is dropped by Go without a word, and the event sent without one.",
    "no-governor": "Go makes and sends an event that Go itself refuses to read.",
    "no-contract": "Nobody holds a contract for the states of this watcher; decode says so by UnknownProtocol.",
    # any document
    "utf-8": "Go replaces what is no text by U+FFFD and reads on; here a document that is not UTF-8 is no JSON text.",
    "half-pair": "Go replaces half of a surrogate pair by U+FFFD; here it is refused, for it stands for no character.",
    "size": "Go reads what the server lets through; here a document has at most 65,536 bytes unless told otherwise.",
    "depth": "Go reads 10,000 levels; here there are at most 256, far more than an event has.",
    # the event
    "made-up": "Go makes up what is missing: a random id, the time of reading, empty text, 0. Here nothing is made up.",
    "null": "Go takes null for absent and makes the value up, or leaves it empty; the contract has no null here.",
    "case": "Go's JSON reader takes any case for a key; JSON and the contract have one.",
    "old-spelling": "Go parses the old spelling and its format detection lets none through; here both are read.",
    "two-protocols": "Go takes the type from the first protocol and the value from the last; here the last one counts.",
    "stage": "Go reads any event_type; the contract has four.",
    "signed": "A sequence is a signed 64-bit integer here, as all integers of the contract are; Go's has one bit more.",
    # the envelope
    "required": "Go holds an envelope to the parts it uses; here all that CloudEvents 1.0 requires must be there.",
    "both-data": "Go takes the later of data and data_base64; CloudEvents allows one of them.",
    "empty": "Go takes an empty attribute for an absent one; CloudEvents has no empty attributes.",
    "contradiction": "Go reads the data only; here an envelope that contradicts its data is refused.",
    "tail": "Go stops reading at the end of the envelope; here a document ends where its JSON does.",
    "media-type": "Go wants data as text unless it knows the media type for JSON; here data is an object always.",
    "text-data": "Go reads data out of text where the media type is not JSON; here data is an object always.",
    "names": "Go refuses attributes with names that CloudEvents does not allow; here they are ignored.",
    "nameless": "Go stops reading an envelope at a key without a name; here it is an extra field, and ignored.",
    "values": "Go refuses extension attributes of types that CloudEvents does not have; here they are ignored.",
    "nested": "Go opens an envelope within an envelope; an event travels in one at most.",
    "twice": "Go's reader of envelopes refuses a second specversion; here the last one counts, as everywhere in JSON.",
    "first-data": "Go prefers data that comes before the media type; here the last one counts, as everywhere in JSON.",
    "null-base64": "Go takes data_base64 null for empty data; CloudEvents lets null stand for an absent attribute.",
    "lower-case": "Go wants the T and the Z of a time in upper case; RFC 3339 allows both.",
    "lax-time": "Go reads times that RFC 3339 has not.",
    # machine events
    "bare": "Go reads machine events in envelopes only; here both formats are read, as for all events.",
    "lifecycle": "Go has a reader for each family; decode reads all events that have a contract.",
    "contract": "Go reads whatever JSON fits into its types; here an event is held to the contract.",
    "history-time": "Go reads the times of the history; the contract has text there.",
}
