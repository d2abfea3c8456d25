"""What the state of a stream tells about what it stores."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from choria_lifecycle.nats.stream_choice import StreamInfo
from choria_lifecycle.nats.stream_watch import StreamWatch

SUBJECT = "choria.lifecycle.event.>"
# The server's clock minus that of `steady`.
OFFSET = 1_800_000_000.0


class Sink:
    """The receiver of the intervals in doubt."""

    def __init__(self) -> None:
        self.doubts: list[tuple[float, float, str]] = []

    def doubt(self, begin: float, end: float, reason: str) -> None:
        self.doubts.append((begin, end, reason))


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def watch(sink: Sink) -> StreamWatch:
    return StreamWatch(sink, SUBJECT)  # type: ignore[arg-type]


def info(leader: str | None = "s1", since: str = "", state: dict[str, Any] | None = None, **config: Any) -> StreamInfo:
    """Return the state of a stream in a cluster."""
    return msgspec.convert(
        {
            "config": {"name": "CHORIA_EVENTS", "subjects": [SUBJECT]} | config,
            "state": state or {},
            "cluster": {"name": "bed", "leader_since": since} | ({"leader": leader} if leader else {}),
        },
        StreamInfo,
    )


def test_a_stream_that_stays_well_is_not_in_doubt(watch: StreamWatch, sink: Sink) -> None:
    for at in (10.0, 20.0, 30.0):
        watch.seen(info(since="2027-01-15T08:00:00Z"), at, OFFSET)
    assert (sink.doubts, watch.fault) == ([], "")


@pytest.mark.parametrize(
    ("later", "reason"),
    [
        (info("s2"), "its leader changed from s1 to s2"),
        (info(since="2027-01-15T08:00:15Z"), "its leader was elected anew"),  # 15 s after OFFSET
    ],
)
def test_another_leader_puts_the_time_since_the_last_check_in_doubt(
    watch: StreamWatch, sink: Sink, later: StreamInfo, reason: str
) -> None:
    watch.seen(info(), 10.0, OFFSET)
    watch.seen(later, 20.0, OFFSET)
    assert sink.doubts == [(8.0, 20.0, f"the stream CHORIA_EVENTS may not have stored them: {reason}")]
    watch.seen(later, 30.0, OFFSET)
    assert len(sink.doubts) == 1


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        (info(None), "it has no leader"),
        (info(sealed=True), "it is sealed"),
        (info(discard="new", max_msgs=5, state={"messages": 5}), "it is full and refuses new messages"),
        (info(discard="new", max_bytes=900, state={"bytes": 901}), "it is full and refuses new messages"),
        (info(subjects=["choria.lifecycle.event.startup.>"]), f"it no longer stores all of {SUBJECT}"),
        (info(subjects=None), f"it no longer stores all of {SUBJECT}"),
    ],
)
def test_a_stream_that_stores_nothing(
    watch: StreamWatch, sink: Sink, bad: StreamInfo, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    watch.seen(info(), 10.0, OFFSET)
    for at in (20.0, 30.0):
        watch.seen(bad, at, OFFSET)
        assert fault in watch.fault
        assert sink.doubts == []
    watch.seen(info(), 40.0, OFFSET)
    assert [(begin, end) for begin, end, _ in sink.doubts] == [(8.0, 40.0)]
    assert fault in sink.doubts[0][2]
    assert watch.fault == ""
    assert len(caplog.records) == 2


def test_a_stream_without_an_answer(watch: StreamWatch, sink: Sink) -> None:
    watch.seen(info(), 10.0, OFFSET)
    watch.unreadable("CHORIA_EVENTS", "no reply")
    assert watch.fault == "it cannot be read: no reply"
    watch.seen(info(), 40.0, OFFSET)
    assert watch.fault == "it cannot be read: no reply"
    watch.readable("CHORIA_EVENTS")
    assert (watch.fault, [each[:2] for each in sink.doubts]) == ("", [(8.0, 40.0)])


def test_each_reason_is_logged_once_until_the_fault_is_over(
    watch: StreamWatch, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        for reason in ("no reply", "unavailable", "no reply", "unavailable"):
            watch.unreadable("CHORIA_EVENTS", reason)
        watch.readable("CHORIA_EVENTS")
    assert [record.message for record in caplog.records] == 2 * [
        "the stream CHORIA_EVENTS: it cannot be read: no reply",
        "the stream CHORIA_EVENTS: it cannot be read: unavailable",
        "the stream CHORIA_EVENTS can be read again",
    ]


def test_a_stream_that_answers_and_cannot_be_read_is_in_doubt_once(watch: StreamWatch, sink: Sink) -> None:
    """As while the servers have no meta leader, which creates consumers."""
    watch.seen(info(), 10.0, OFFSET)
    for at in (20.0, 25.0, 30.0):
        watch.seen(info(), at, OFFSET)
        watch.unreadable("CHORIA_EVENTS", "no reply")
    watch.seen(info(), 35.0, OFFSET)
    watch.readable("CHORIA_EVENTS")
    watch.readable("CHORIA_EVENTS")
    watch.seen(info(), 45.0, OFFSET)
    assert [each[:2] for each in sink.doubts] == [(18.0, 35.0)]


def test_a_paused_consumer_puts_nothing_in_doubt(watch: StreamWatch, sink: Sink) -> None:
    watch.seen(info(), 10.0, OFFSET)
    watch.unreadable("CHORIA_EVENTS", "its consumer is paused", storing=True)
    watch.seen(info(), 20.0, OFFSET)
    assert watch.fault == "it cannot be read: its consumer is paused"
    watch.readable("CHORIA_EVENTS")
    assert (watch.fault, sink.doubts) == ("", [])


def test_a_stream_that_copies_others_makes_up_for_what_it_missed(watch: StreamWatch, sink: Sink) -> None:
    sources = {"subjects": None, "sources": [{"name": "SITE"}]}
    watch.seen(info("s1", **sources), 10.0, OFFSET)
    watch.seen(info("s2", **sources), 20.0, OFFSET)
    watch.seen(info(None, **sources), 30.0, OFFSET)
    assert (watch.fault, sink.doubts) == ("", [])


@pytest.mark.parametrize(
    ("origins", "fault"),
    [
        ({"mirror": {"name": "SITE", "active": 31 * 10**9}}, "it hears nothing from SITE"),
        ({"sources": [{"name": "A", "active": 31 * 10**9}, {"name": "B", "active": 80 * 10**9}]}, "nothing from A, B"),
        ({"sources": [{"name": "A", "active": 31 * 10**9}, {"name": "B", "active": 10**9}]}, ""),
        ({"sources": [{"name": "A", "active": -1}]}, ""),
    ],
)
def test_a_stream_that_hears_none_of_those_that_it_copies(
    watch: StreamWatch, sink: Sink, origins: dict[str, Any], fault: str
) -> None:
    state = msgspec.convert({"config": {"name": "CENTRAL"}, "state": {}} | origins, StreamInfo)
    watch.seen(state, 10.0, OFFSET)
    assert fault in watch.fault
    assert bool(watch.fault) == bool(fault)
    for each in state.origins:
        each.active = 10**9
    watch.seen(state, 20.0, OFFSET)
    assert (watch.fault, sink.doubts) == ("", [])


def test_a_server_without_a_cluster_has_another_name_after_a_restart(watch: StreamWatch, sink: Sink) -> None:
    """While it is down, nobody can publish."""
    for at, name in enumerate(("NA", "NB", "")):
        state = info()
        assert state.cluster is not None
        state.cluster.name, state.cluster.leader = "", name
        watch.seen(state, float(at), OFFSET)
    assert (watch.fault, sink.doubts) == ("", [])
