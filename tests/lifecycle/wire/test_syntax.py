from __future__ import annotations

import pytest

from choria_lifecycle import InvalidEvent
from choria_lifecycle.wire.jsontext import error_line, read_json


@pytest.mark.parametrize(
    ("text", "problem", "column", "found"),
    [
        ("Nov 30 12:00:00 host1 choria", "expected a value", 1, '"Nov 30 12:00:00 host…"'),
        ("Nov 30 12:00:00 host", "expected a value", 1, '"Nov 30 12:00:00 host"'),
        ("\x1b[31m", "expected a value", 1, '"\\u001b[31m"'),
        ("\u202e{}", "expected a value", 1, '"\\u202e{}"'),
        ('{"a":', "expected a value", 6, "the end of the document"),
        ('{"a":  ', "expected a value", 8, "the end of the document"),
        ('{"a":tru', "expected a value", 6, '"tru"'),
        ('{"a":NaN}', "expected a value", 6, '"NaN}"'),
        ('{"NaN\\"Infinity":[1,-Infinity]}', "expected a value", 21, '"-Infinity]}"'),
        ('{"a":.5}', "expected a value", 6, '".5}"'),
        ("{'a':1}", "expected a key in double quotes", 2, "\"'a':1}\""),
        ("{", "expected a key in double quotes", 2, "the end of the document"),
        ('{"a" 1}', "expected a colon", 6, '"1}"'),
        ('{"a":1', "expected a comma or a closing bracket", 7, "the end of the document"),
        ('{"a":1 "b"}', "expected a comma or a closing bracket", 8, '"\\"b\\"}"'),
        ('{"a":01}', "expected a comma or a closing bracket", 7, '"1}"'),
        ("{} x", "expected the end of the document", 4, '"x"'),
        ('{"a":1}{"b":2}', "expected the end of the document", 8, '"{\\"b\\":2}"'),
        ('{"a":1,}', "trailing comma", 7, '",}"'),
        ("[1 , ]", "trailing comma", 4, '", ]"'),
        ('["a\x01"]', "unescaped control character in a string", 4, '"\\u0001\\"]"'),
        ('["a\tb"]', "unescaped control character in a string", 4, '"\\tb\\"]"'),
        ('["a\\x"]', "invalid escape in a string", 4, '"\\\\x\\"]"'),
        ('["a\\u12"]', "invalid escape in a string", 4, '"\\\\u12\\"]"'),
        ('["abc]', "unclosed string", 2, '"\\"abc]"'),
        ('["\\', "unclosed string", 2, '"\\"\\\\"'),
        ('["\\ud83d\\ude00\\ud800"]', "half of a surrogate pair", 15, '"\\\\ud800\\"]"'),
        ('["\\\\ud800\\udc00"]', "half of a surrogate pair", 10, '"\\\\udc00\\"]"'),
        ('{"\\ud800\\u0041":1}', "half of a surrogate pair", 3, '"\\\\ud800\\\\u0041\\":1}"'),
    ],
)
def test_syntax_errors_say_what_was_found_where(text: str, problem: str, column: int, found: str) -> None:
    for before, where in (("", f"column {column}"), ("\n \n", f"line 3 column {column}")):
        with pytest.raises(InvalidEvent) as caught:
            read_json((before + text).encode())
        message, _, remedy = caught.value.message.partition("; ")
        assert message == f"invalid JSON: {problem} at {where}, found {found}"
        assert bool(remedy) == (not problem.startswith(("expected", "unclosed")))
        assert (caught.value.rule, caught.value.path) == ("json", "$")
        assert error_line((before + text).encode()) == before.count("\n")
