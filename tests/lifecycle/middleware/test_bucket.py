"""The in-memory bucket, and the rules for names and keys."""

from __future__ import annotations

import pytest

from choria_lifecycle.errors import NoStream, OptionError
from choria_lifecycle.middleware.bucket import InMemoryBucket, RevisionConflict, WriteResult, check_bucket, check_key

TTL = 10.0


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_a_write_needs_the_current_revision() -> None:
    bucket = InMemoryBucket("B", TTL)
    first = await bucket.write("k", "a", 0, "t1", 1)
    other = await bucket.write("other", "x", 0, "t2", 1)
    assert 0 < first.revision < other.revision
    for wrong in (0, other.revision):
        with pytest.raises(RevisionConflict):
            await bucket.write("k", "b", wrong, "t3", 1)
    assert bucket.entries["k"].value == "a"
    second = await bucket.write("k", "b", first.revision, "t4", 1)
    assert second.revision > other.revision
    assert bucket.entries["k"].value == "b"


async def test_a_retry_returns_the_original_result() -> None:
    bucket = InMemoryBucket("B", TTL)
    result = await bucket.write("k", "a", 0, "token", 1)
    assert await bucket.write("k", "a", 0, "token", 1) == result
    with pytest.raises(RevisionConflict):
        await bucket.write("k", "a", 0, "another token", 1)


async def test_a_released_key_is_reported_to_the_next_writer_only() -> None:
    bucket = InMemoryBucket("B", TTL)
    first = await bucket.write("k", "a", 0, "t1", 1)
    with pytest.raises(RevisionConflict):
        await bucket.release("k", first.revision + 1, 1)
    await bucket.release("k", first.revision, 1)
    second = await bucket.write("k", "b", 0, "t2", 1)
    assert second == WriteResult(first.revision + 2, previous_released=True)
    assert not (await bucket.write("k", "b", second.revision, "t3", 1)).previous_released
    bucket.delete("k")
    assert not (await bucket.write("k", "c", 0, "t4", 1)).previous_released
    with pytest.raises(RevisionConflict):
        await bucket.release("unknown", 1, 1)


@pytest.mark.parametrize(("ttl", "seconds", "expired"), [(TTL, 9.9, False), (TTL, TTL, True), (0.0, 1e9, False)])
async def test_a_key_expires_after_the_ttl(ttl: float, seconds: float, expired: bool) -> None:
    time = Time()
    bucket = InMemoryBucket("B", ttl, clock=time)
    assert await bucket.ttl(1) == ttl
    first = await bucket.write("k", "a", 0, "t1", 1)
    time.now += seconds
    if expired:
        with pytest.raises(RevisionConflict):
            await bucket.release("k", first.revision, 1)
        assert (await bucket.write("k", "b", 0, "t2", 1)).revision > first.revision
    else:
        with pytest.raises(RevisionConflict):
            await bucket.write("k", "b", 0, "t2", 1)
        await bucket.release("k", first.revision, 1)


async def test_a_missing_bucket_has_no_keys() -> None:
    bucket = InMemoryBucket("NONE", None)
    for request in (bucket.ttl(1), bucket.write("k", "a", 0, "t", 1), bucket.release("k", 1, 1)):
        with pytest.raises(NoStream, match="there is no bucket NONE"):
            await request


@pytest.mark.parametrize("key", ["a", "a.b", "A-z/0_9=", "a/b.c"])
def test_valid_keys(key: str) -> None:
    check_key(key)


@pytest.mark.parametrize("key", ["", ".", ".a", "a.", "a..b", "a b", "a\n", "*", ">", "é"])
async def test_invalid_keys(key: str) -> None:
    with pytest.raises(OptionError, match="is not a valid key: use letters") as raised:
        check_key(key)
    assert raised.value.invalid == ("key",)
    with pytest.raises(OptionError, match="is not a valid key"):
        await InMemoryBucket("B", TTL).write(key, "a", 0, "t", 1)


@pytest.mark.parametrize("name", ["", "a.b", "a b", "a/b", "a=", "a\n", "*", "é"])
def test_invalid_bucket_names(name: str) -> None:
    check_bucket("CHORIA_LEADER-1")
    with pytest.raises(OptionError, match="is not a valid bucket name: use letters") as raised:
        check_bucket(name)
    assert raised.value.invalid == ("name",)
