from __future__ import annotations

import os
import threading
import uuid

from choria_lifecycle.support import ids


def test_ids_are_random_uuids_of_version_4() -> None:
    made = [ids.uuid4() for _ in range(1000)]
    assert len(set(made)) == 1000
    parsed = [uuid.UUID(text) for text in made]
    assert [str(each) for each in parsed] == made
    assert {each.version for each in parsed} == {4}
    assert {each.variant for each in parsed} == {uuid.RFC_4122}
    for digit in set(range(32)) - {12, 16}:
        assert len({each.hex[digit] for each in parsed}) == 16
    assert {each.hex[16] for each in parsed} == set("89ab")


def test_threads_never_get_the_same_id() -> None:
    made: list[list[str]] = [[] for _ in range(4)]
    threads = [
        threading.Thread(target=lambda mine=mine: mine.extend(ids.uuid4() for _ in range(2000))) for mine in made
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({text for mine in made for text in mine}) == 8000


def test_a_child_process_does_not_reuse_its_parents_ids() -> None:
    ids._pool.clear()  # other tests may have left ids
    ids.uuid4()
    assert ids._pool
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(send, f"{len(ids._pool)}".encode())
        finally:
            os._exit(0)
    os.close(send)
    with os.fdopen(receive) as pipe:
        assert pipe.read() == "0"
    os.waitpid(child, 0)
