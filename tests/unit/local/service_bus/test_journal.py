"""What the journal keeps, when it says so, and what room it takes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.service_bus.amqp.codec import RawMap
from local.service_bus.journal import FILE_NAME, Journal, JournalError, SessionState
from local.service_bus.messages import Message, State


class Loop:
    """Keeps what is scheduled until the test runs it."""

    def __init__(self) -> None:
        self.scheduled: list[Callable[[], None]] = []

    def schedule(self, callback: Callable[[], None]) -> None:
        self.scheduled.append(callback)

    def run(self) -> None:
        while self.scheduled:
            self.scheduled.pop(0)()


class Kept:
    """A journal with its loop and its failures."""

    def __init__(self, directory: Path) -> None:
        self.loop = Loop()
        self.failures: list[JournalError] = []
        self.journal = Journal(directory, schedule=self.loop.schedule, failed=self.failures.append)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """A new journal."""
    kept = Kept(tmp_path)
    yield kept
    kept.journal.close()


def message(number: int = 1, size: int = 100) -> Message:
    """A message with something in every field."""
    return Message(
        bare=b"b" * size,
        annotations=RawMap(b"pairs", 2),
        durable=False,
        priority=7,
        time_to_live=5000,
        session_id="s",
        scheduled_for=10,
        queue="q",
        sequence=number,
        state=State.SCHEDULED,
        enqueued_at=20,
        expires_at=30,
        delivery_count=3,
        dead_letter_source="other",
    )


def fields(message: Message) -> dict[str, object]:
    """All fields of a message that are kept."""
    return {
        name: getattr(message, name)
        for name in Message.__slots__
        if name not in ("lock_token", "locked_until")
    }


def reopen(kept: Kept, directory: Path) -> Kept:
    """The journal as the next process finds it."""
    kept.journal.close()
    return Kept(directory)


def test_a_message_is_kept_with_every_field(kept: Kept, tmp_path: Path) -> None:
    first, second = message(1), message(2)
    kept.journal.insert(first)
    kept.journal.insert(second)
    kept.journal.save_next_sequence("q", 3)
    kept.loop.run()
    second.queue, second.state, second.delivery_count = "q/dead", State.ACTIVE, 4
    second.expires_at, second.dead_letter_source, second.bare = None, "q", b"changed"
    kept.journal.update(second)
    kept.loop.run()

    again = reopen(kept, tmp_path)
    stored = again.journal.load()
    again.journal.close()
    assert stored.keys() == {"q", "q/dead"}
    assert stored["q"].next_sequence == 3
    assert [fields(m) for m in stored["q"].messages] == [fields(first)]
    assert [fields(m) for m in stored["q/dead"].messages] == [fields(second)]


def test_a_deleted_message_is_gone_and_its_record_not_mistaken(kept: Kept, tmp_path: Path) -> None:
    old = message(1)
    kept.journal.insert(old)
    kept.loop.run()
    kept.journal.update(old)
    kept.journal.delete(old)
    passing = message(2)
    kept.journal.insert(passing)
    kept.journal.update(passing)
    kept.journal.delete(passing)
    kept.journal.insert(message(3))
    kept.loop.run()
    again = reopen(kept, tmp_path)
    assert [m.sequence for m in again.journal.load()["q"].messages] == [3]
    again.journal.close()


def test_session_state_is_kept_and_forgotten(kept: Kept, tmp_path: Path) -> None:
    kept.journal.save_session_state("q", "a", b"1", 5)
    kept.journal.save_session_state("q", "b", b"2", 6)
    kept.loop.run()
    kept.journal.save_session_state("q", "a", None, 7)
    kept.journal.save_session_state("q", "b", b"3", 8)
    again = reopen(kept, tmp_path)
    assert again.journal.load()["q"].session_states == [SessionState("b", b"3", 8)]
    again.journal.close()


def test_what_waits_is_called_after_the_commit_in_order(kept: Kept) -> None:
    called: list[str] = []
    kept.journal.after_commit(lambda: called.append("at once"))
    kept.journal.insert(message())
    kept.journal.after_commit(lambda: called.append("first"))

    def second() -> None:
        called.append("second")
        kept.journal.call_last(lambda: called.append("last"))
        kept.journal.insert(message(2))
        kept.journal.after_commit(lambda: called.append("next commit"))

    kept.journal.after_commit(second)
    kept.journal.after_commit(lambda: called.append("third"))
    assert called == ["at once"]
    kept.loop.run()
    assert called == ["at once", "first", "second", "third", "last", "next commit"]


def test_nothing_is_acknowledged_once_the_disk_fails(kept: Kept) -> None:
    called: list[str] = []
    kept.journal._database.execute("pragma max_page_count = 1")  # as on a full disk
    for number in range(100):
        kept.journal.insert(message(number, size=1000))
    kept.journal.after_commit(lambda: called.append("acknowledged"))
    kept.loop.run()
    assert [str(error) for error in kept.failures] == [
        "cannot write messages to disk: database or disk is full"
    ]
    kept.journal.insert(message())
    kept.journal.after_commit(lambda: called.append("acknowledged"))
    kept.loop.run()
    assert called == []
    assert len(kept.failures) == 1
    assert not kept.journal.compact()


def test_the_file_follows_the_queues_down(kept: Kept, tmp_path: Path) -> None:
    many = [message(number, size=4000) for number in range(4000)]
    for each in many:
        kept.journal.insert(each)
    kept.loop.run()
    assert not kept.journal.compact()
    for each in many[:-10]:
        kept.journal.delete(each)
    assert not kept.journal.compact(), "not while a commit is due"
    kept.loop.run()
    full = size(tmp_path)
    steps = 0
    while kept.journal.compact():
        steps += 1
    assert 10 < steps < 20, "a step is small, but not too small"
    assert full > 16_000_000
    assert size(tmp_path) < 6_000_000
    again = reopen(kept, tmp_path)
    assert [m.sequence for m in again.journal.load()["q"].messages] == list(range(3990, 4000))
    again.journal.close()


def size(directory: Path) -> int:
    """Bytes in the files of a journal."""
    return sum(path.stat().st_size for path in directory.iterdir())


def test_a_second_process_is_told(kept: Kept, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="in use by another process"):
        Kept(tmp_path)


def test_what_is_no_journal_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / FILE_NAME
    file.write_bytes(b"something else" * 100)
    with pytest.raises(JournalError, match="not a database"):
        Kept(tmp_path)
    assert file.read_bytes() == b"something else" * 100
    with pytest.raises(JournalError, match="cannot open"):
        Kept(file)


def test_another_version_is_not_touched(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE_NAME) as database:
        database.execute("pragma user_version = 9")
    database.close()
    with pytest.raises(JournalError, match="it has version 9, not 1"):
        Kept(tmp_path)
