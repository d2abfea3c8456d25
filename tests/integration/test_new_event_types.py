"""A new event type upstream needs no hand-written line: everything but its typed factory follows from the contract."""

from __future__ import annotations

import json
import re

import pytest

from tests.bed.scratch import Scratch, schema_of


@pytest.fixture(scope="module")
def stranded(tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    """Upstream adds a type with fields of its own, whose name begins like `startup`.

    Its name and that of the required field are ones that upstream is unlikely ever to use.
    """
    text = json.dumps(schema_of("shutdown")).replace("shutdown", "stranded")
    schema = json.loads(text)
    schema["properties"] |= {"motive": {"type": "string"}, "graceful": {"type": "boolean"}, "code": {"type": "integer"}}
    schema["required"] += ["motive"]
    names = ("protocol", "id", "identity", "component", "timestamp", "motive", "graceful", "code")
    sentences = dict.fromkeys(names, "A field.")
    return Scratch(tmp_path_factory.mktemp("stranded"), "choria/lifecycle/v1/stranded.json", schema, sentences)


def test_the_commands_report_the_type_and_what_is_left_to_write(stranded: Scratch) -> None:
    to_do = (
        "events/factories.py: has no factory for `stranded`: write one, and export it in "
        "lifecycle/choria_lifecycle/__init__.py\n"
    )
    changed = "io.choria.lifecycle.v1.stranded: event type added (choria/lifecycle/v1/stranded.json) (minor)\n"
    missing = "to do: choria/lifecycle/v1/stranded.json: has no sentence in descriptions.toml\n"
    assert stranded.synced.startswith(f"{changed}{missing}to do: {to_do}1 change; version step: minor\n")
    assert f"to do: {to_do}" in stranded.generated
    assert stranded.run("-m", "codegen", "drift", status=1) == to_do


LIBRARY = """
import asyncio, json
import choria_lifecycle as lifecycle
from choria_lifecycle.tally.exposition import render
from choria_lifecycle.tally.state import TallyState
from choria_lifecycle.tally.recorder import Recorder
from choria_lifecycle.wire.codec import decode
from choria_schemas.lifecycle.v1 import Stranded

assert "stranded" in lifecycle.EVENT_TYPES
event = lifecycle.new("stranded", identity="n1", component="server", motive="upgrade")
assert type(event) is Stranded and event.protocol == "io.choria.lifecycle.v1.stranded"
assert (event.motive, event.graceful, event.code) == ("upgrade", None, None)
full = lifecycle.new("stranded", identity="n1", component="server", motive="x", graceful=True, code=3)
assert (full.graceful, full.code) == (True, 3)
for options, message in (
    ({}, "missing identity, component, motive"),
    ({"identity": "n", "component": "a.b", "motive": ""}, "component must be one token"),
    ({"identity": "n", "component": "a", "motive": "x", "new_version": "1"}, "new_version belongs to upgraded"),
    ({"identity": "n", "component": "a", "motive": "x", "graceful": "yes"}, "graceful must be boolean"),
    ({"identity": "n", "component": "a", "motve": "x"}, "did you mean motive?"),
):
    try:
        lifecycle.new("stranded", **options)
    except lifecycle.OptionError as error:
        assert str(error).startswith("cannot create the stranded event: ") and message in str(error), error
    else:
        raise AssertionError(options)
try:
    lifecycle.shutdown(identity="n", component="a", motive="x")
except lifecycle.OptionError as error:
    assert "motive belongs to stranded" in str(error)

assert lifecycle.event_type(event) == "stranded"
assert lifecycle.subject(event) == "choria.lifecycle.event.stranded.server"
assert lifecycle.describe(event) == "[stranded] n1: server motive upgrade"
assert lifecycle.describe(full) == "[stranded] n1: server motive x graceful true code 3"
for made in (event, full):
    for form in lifecycle.Format:
        raw = lifecycle.encode(made, format=form)
        assert b"null" not in raw
        assert lifecycle.parse(raw) == decode(raw) == made
        old = raw.replace(b"io.choria.lifecycle.v1.stranded", b"choria:lifecycle:stranded:1")
        assert lifecycle.parse(old) == made
        errors = [finding for finding in lifecycle.validate(raw) if finding.severity == "error"]
        assert errors == []
bad = json.loads(lifecycle.encode(event)) | {"motive": 5}
[finding] = lifecycle.validate(json.dumps(bad))
assert (finding.code, finding.path) == ("schema-type", "$.motive")
[finding] = lifecycle.validate(b'{"protocol":"io.choria.lifecycle.v1.strandd"}')
assert "did you mean io.choria.lifecycle.v1.stranded?" in finding.message

recorder = Recorder(now=0.0)
recorder.record(event, 1.0)
assert recorder.event_types == {("server", "stranded"): 1} and recorder.nodes == 0
text = render(recorder, TallyState(connected=True, started=0.0, now=1.0), now=1.0).decode()
assert 'event_types{active="1",component="server",type="stranded"} 1' in text

async def main():
    transport = lifecycle.InMemoryTransport()
    async with lifecycle.Middleware(transport) as middleware, middleware.events("stranded") as events:
        await middleware.publish(event)
        await middleware.publish(lifecycle.shutdown(identity="n1", component="server"))
        await middleware.publish(full, format=lifecycle.Format.CLOUDEVENTS)
        assert [await anext(events), await anext(events)] == [event, full]

asyncio.run(main())
"""


def test_the_library_knows_the_type(stranded: Scratch) -> None:
    stranded.run("-c", LIBRARY)
    stranded.check_hand_written()


def test_the_command_knows_the_type(stranded: Scratch) -> None:
    command = ("-m", "choria_lifecycle")
    emit = ("emit", "stranded", "--identity", "n1", "--component", "server", "--dry-run")
    subject, document = stranded.run(
        *command, *emit, "--motive", "a", "--graceful", "false", "--code", "7"
    ).splitlines()
    assert subject == "choria.lifecycle.event.stranded.server"
    assert json.loads(document) | {"id": "", "timestamp": 0} == {
        "protocol": "io.choria.lifecycle.v1.stranded",
        "id": "",
        "identity": "n1",
        "component": "server",
        "timestamp": 0,
        "motive": "a",
        "graceful": False,
        "code": 7,
    }
    assert "missing motive" in stranded.run(*command, *emit, status=2)
    assert "--graceful" in stranded.run(*command, *emit, "--motive", "a", "--graceful", "yes", status=2)
    help_text = stranded.run(*command, "emit", "--help")
    assert re.search(r"--motive TEXT +The motive, for stranded\.", help_text)
    assert re.search(r"stranded +1", stranded.run(*command, "validate", "-v", stdin=document))
    assert "io.choria.lifecycle.v1.stranded" in stranded.run(*command, "schema", "list")
    view = stranded.run(*command, "view", "--type", "stranded", "--input", "-", stdin=f"{document}\n")
    assert "[stranded] n1: server motive a graceful false code 7" in view


def test_type_checkers_know_the_type(stranded: Scratch) -> None:
    program = stranded.root / "program.py"
    program.write_text(
        "import choria_lifecycle as lifecycle\n"
        'lifecycle.new("stranded", identity="n1", component="a", motive="x")\n'
        'lifecycle.new("strandd", identity="n1", component="a", motive="x")\n',
        encoding="utf-8",
    )
    found = stranded.run("-m", "mypy", "--strict", "--config-file=", str(program), status=1)
    assert re.findall(r"program\.py:(\d+): error: .*\[arg-type\]", found) == ["3"], found


@pytest.fixture(scope="module")
def second_version(tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    """Upstream publishes a second version of startup beside the first, with a further required field."""
    schema = json.loads(json.dumps(schema_of("startup")).replace("lifecycle/v1/", "lifecycle/v2/"))
    schema["title"] = "io.choria.lifecycle.v2.startup"
    schema["properties"] |= {
        "protocol": {"type": "string", "enum": ["io.choria.lifecycle.v2.startup"]},
        "pid": {"type": "integer", "minimum": 1},
    }
    schema["required"] += ["pid"]
    names = ("protocol", "id", "identity", "component", "timestamp", "version", "pid")
    sentences = dict.fromkeys(names, "A field.")
    return Scratch(tmp_path_factory.mktemp("second"), "choria/lifecycle/v2/startup.json", schema, sentences)


def test_a_second_version_is_reported(second_version: Scratch) -> None:
    assert "choria/lifecycle/v2/startup.json: new file, neither used nor ignored" in second_version.synced
    added = "io.choria.lifecycle.v2.startup: event type added (choria/lifecycle/v2/startup.json) (minor)\n"
    assert added in second_version.synced
    assert "factories" not in second_version.synced
    assert second_version.run("-m", "codegen", "drift") == ""


BOTH_VERSIONS = """
import json
import choria_lifecycle as lifecycle
from choria_lifecycle.tally.recorder import Recorder
from choria_schemas.lifecycle import v1, v2

assert lifecycle.EVENT_TYPES.count("startup") == 1
options = {"identity": "n1", "component": "server", "version": "1.2"}
first = lifecycle.startup(**options)
assert type(first) is type(lifecycle.new("startup", **options)) is v1.Startup
second = v2.Startup(protocol="io.choria.lifecycle.v2.startup", id=first.id, timestamp=first.timestamp, pid=7, **options)
for event in (first, second):
    assert lifecycle.event_type(event) == "startup"
    assert lifecycle.subject(event) == "choria.lifecycle.event.startup.server"
    for form in lifecycle.Format:
        raw = lifecycle.encode(event, format=form)
        assert lifecycle.parse(raw) == event
        assert lifecycle.parse(json.dumps(json.loads(raw))) == event
        assert lifecycle.validate(raw, subject=lifecycle.subject(event)) == []
assert lifecycle.describe(first) == "[startup] n1: server version 1.2"
assert lifecycle.describe(second) == "[startup] n1: server version 1.2 pid 7"
for field, value, code in (("pid", 0, "schema-minimum"), ("protocol", first.protocol, "")):
    found = lifecycle.validate(json.dumps(json.loads(lifecycle.encode(second)) | {field: value}))
    assert [finding.code for finding in found] == ([code] if code else []), found
try:
    lifecycle.startup(pid=7, **options)
except lifecycle.OptionError as error:
    assert str(error) == "cannot create the startup event: pid belongs to io.choria.lifecycle.v2.startup"
[finding] = lifecycle.validate(b'{"protocol":"io.choria.lifecycle.v2.startupp"}')
assert "did you mean io.choria.lifecycle.v2.startup?" in finding.message

recorder = Recorder(now=0.0)
recorder.record(first, 1.0)
recorder.record(second, 2.0)
assert recorder.event_types == {("server", "startup"): 2} and recorder.nodes == 1
"""


SHOW = "for event in (first, second): print(lifecycle.encode(event).decode())"


def test_both_versions_are_read_and_the_first_is_made(second_version: Scratch) -> None:
    second_version.run("-c", BOTH_VERSIONS)
    second_version.check_hand_written()
    events = second_version.run("-c", BOTH_VERSIONS + SHOW)
    view = second_version.run("-m", "choria_lifecycle", "view", "--type", "startup", "--input", "-", stdin=events)
    assert re.findall(r"\[startup\] n1: server version 1\.2(?: pid 7)?", view) == [
        "[startup] n1: server version 1.2",
        "[startup] n1: server version 1.2 pid 7",
    ]
    checked = second_version.run("-m", "choria_lifecycle", "validate", "-v", stdin=events)
    assert re.findall(r"^choria +(\S+) +(\d+)", checked, re.MULTILINE) == [("startup", "2")]


def test_a_factory_of_the_second_version_makes_it_by_name_too(second_version: Scratch) -> None:
    factories = second_version.root / "lifecycle/choria_lifecycle/events/factories.py"
    text = factories.read_text("utf-8")
    changed = text.replace("\n__all__ = ", "\nfrom choria_schemas.lifecycle.v2 import Startup\n\n__all__ = ", 1)
    changed = re.sub(r"(def startup\(.*?version: str,)", r"\1 pid: int,", changed, flags=re.DOTALL)
    factories.write_text(changed, encoding="utf-8")
    try:
        second_version.run(
            "-c",
            "import choria_lifecycle as lifecycle\n"
            'for make in (lifecycle.startup, lambda **options: lifecycle.new("startup", **options)):\n'
            '    event = make(identity="n1", component="server", version="1", pid=7)\n'
            '    assert event.protocol == "io.choria.lifecycle.v2.startup" and event.pid == 7\n',
        )
        assert second_version.run("-m", "codegen", "drift") == ""
        factories.write_text(text.replace("version: str,", "", 1), encoding="utf-8")
        expected = "events/factories.py: the factory for `startup` lacks the option version\n"
        assert second_version.run("-m", "codegen", "drift", status=1) == expected
    finally:
        factories.write_text(text, encoding="utf-8")
