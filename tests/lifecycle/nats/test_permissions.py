"""The server's permission errors, worded as nats-server sends them."""

from __future__ import annotations

import pytest

from choria_lifecycle.errors import ConnectionFailed, NotAuthorised
from choria_lifecycle.nats.permissions import PermissionWatcher, RefusedSubscription

INBOX = "_INBOX.me"


async def test_only_the_publisher_of_the_subject_is_notified() -> None:
    watcher = PermissionWatcher(INBOX)
    with (
        watcher.publishing({"a.b", "a.c"}) as concerned,
        watcher.publishing({"a"}) as publishing,
        watcher.subscribing("a.b", "") as subscribing,
    ):
        assert watcher.dispatch('Permissions Violation for Publish to "a.b"')
        error = concerned.result()
        assert type(error) is NotAuthorised
        assert str(error) == "the server does not allow this user to publish to a.b"
        assert not publishing.done()
        assert not subscribing.done()
        assert watcher.dispatch('Permissions Violation for Publish to "a.c"')  # a second one changes nothing
        assert concerned.result() is error
        assert not watcher.dispatch('Permissions Violation for Publish to "unknown"')
    assert publishing.cancelled()
    assert not watcher.dispatch('Permissions Violation for Publish to "a.b"')


@pytest.mark.parametrize(
    ("message", "queue", "sid"),
    [
        ('Permissions Violation for Subscription to "a.*"', "", None),
        ('Permissions Violation for Subscription to "a.*" (sid "7")', "", 7),
        ('Permissions Violation for Subscription to "a.*" using queue "workers"', "workers", None),
        ('permissions violation for subscription to "a.*" using queue "workers" (sid "7")', "workers", 7),
    ],
)
async def test_only_the_subscriber_with_subject_and_queue_is_notified(message: str, queue: str, sid: int) -> None:
    watcher, refused = PermissionWatcher(INBOX), []
    with (
        watcher.subscribing("a.*", "") as plain,
        watcher.subscribing("a.*", "workers") as worker,
        watcher.publishing({"a.*"}, inbox=True) as publishing,
    ):
        watcher.on_subscription = lambda refusal: bool(refused.append(refusal))
        assert watcher.dispatch(message)
        concerned, other = (worker, plain) if queue else (plain, worker)
        error = concerned.result()
        assert isinstance(error, NotAuthorised)
        assert str(error) == "the server does not allow this user to subscribe to a.*"
        assert not other.done()
        assert not publishing.done()
    assert refused == [RefusedSubscription("a.*", queue, sid, error)]


@pytest.mark.parametrize("known", [True, False])
async def test_a_confirmed_subscription_is_left_to_its_owner(known: bool) -> None:
    watcher = PermissionWatcher(INBOX)
    watcher.on_subscription = lambda _: known
    assert watcher.dispatch('Permissions Violation for Subscription to "a"') is known


async def test_a_refused_inbox_concerns_only_callers_that_need_replies() -> None:
    watcher = PermissionWatcher(INBOX)
    with watcher.publishing({"a"}, inbox=True) as stored, watcher.publishing({"a"}) as plain:
        assert not watcher.dispatch('Permissions Violation for Subscription to "_INBOX.meadow.1"')
        assert watcher.dispatch('Permissions Violation for Subscription to "_INBOX.me.1.*"')
        assert isinstance(stored.result(), NotAuthorised)
        assert not plain.done()


@pytest.mark.parametrize("message", ["Maximum Subscriptions Exceeded", "Invalid Subject"])
async def test_errors_without_a_subject_fail_every_pending_subscription(message: str) -> None:
    watcher = PermissionWatcher(INBOX)
    with (
        watcher.subscribing("a", "") as one,
        watcher.subscribing("b", "") as two,
        watcher.publishing({"a"}) as publishing,
    ):
        assert watcher.dispatch(message)
        for refused in (one, two):
            error = refused.result()
            assert type(error) is ConnectionFailed
            assert str(error) == f"the server refused the subscription: {message}"
        assert not publishing.done()
    assert not watcher.dispatch(message)


async def test_other_errors_concern_no_caller() -> None:
    watcher = PermissionWatcher(INBOX)
    with watcher.publishing({"a"}, inbox=True), watcher.subscribing("a", ""):
        for message in ("Stale Connection", "Authorization Violation", "Permissions Violation", ""):
            assert not watcher.dispatch(message)


@pytest.mark.parametrize(
    ("quoted", "subject", "shown"),
    [
        (r'"a.\"b\\"', 'a."b\\', 'a."b\\'),
        (r'"a.\u00e9"', "a.é", "a.é"),
        (r'"a.\x1b[2J"', r"a.\x1b[2J", r"a.\x1b[2J"),  # Go's escape, which JSON does not have
        ('"a.\u202e"', "a.\u202e", r"a.\u202e"),
    ],
)
async def test_quoted_subjects_are_read_and_shown_safely(quoted: str, subject: str, shown: str) -> None:
    watcher = PermissionWatcher(INBOX)
    with watcher.publishing({subject}) as refused:
        assert watcher.dispatch(f"Permissions Violation for Publish to {quoted}")
        assert str(refused.result()) == f"the server does not allow this user to publish to {shown}"


async def test_two_callers_with_equal_entries_are_kept_apart() -> None:
    watcher = PermissionWatcher(INBOX)
    with watcher.publishing({"a"}) as outer:
        with watcher.publishing({"a"}):
            pass
        assert watcher.dispatch('Permissions Violation for Publish to "a"')
        assert outer.done()
