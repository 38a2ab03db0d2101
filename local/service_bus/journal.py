"""Messages on disk: a SQLite file, written in groups.

Everything stored during one pass of the event loop goes into one transaction, and what depends on
it (acknowledgements, replies, deliveries) waits in `after_commit`. So a client never hears of
something that a crash could undo, and a hundred requests that came together cost one commit.

The file is in WAL mode. With `synchronous` at "normal", the default, a commit is in the operating
system's hands when it is acknowledged: it survives `kill -9` of this process at any moment, while
a power cut or a crash of the machine can take back the last commits (the file itself stays whole).
That is enough here, as the ledger in PostgreSQL, which is flushed, is what tasks live by, and its
reconciler sends again what got lost. "full" flushes every commit to the disk and survives a power
cut as well, at the disk's rate of flushes.

Deleted messages leave free pages, which new ones fill. Where few come, `compact` gives the pages
back to the file system, a step at a time, so the file follows the queues down as well as up.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from local.service_bus.amqp.codec import RawMap
from local.service_bus.messages import Message, State

Synchronous = Literal["normal", "full"]

FILE_NAME = "messages.sqlite3"

_SCHEMA_VERSION = 1
_SCHEMA = """
create table message (
    record integer primary key,
    queue text not null,
    sequence integer not null,
    state integer not null,
    enqueued_at integer not null,
    scheduled_for integer,
    expires_at integer,
    time_to_live integer,
    delivery_count integer not null,
    durable integer not null,
    priority integer not null,
    session_id text,
    dead_letter_source text,
    annotations blob not null,
    annotation_count integer not null,
    bare blob not null
);
create table next_sequence (
    queue text primary key,
    sequence integer not null
) without rowid;
create table session_state (
    queue text not null,
    session_id text not null,
    state blob not null,
    updated_at integer not null,
    primary key (queue, session_id)
) without rowid;
"""
_INSERT = f"insert into message values ({', '.join('?' * 16)})"
_UPDATE = """
update message set queue = ?, state = ?, enqueued_at = ?, expires_at = ?, time_to_live = ?,
       delivery_count = ?, dead_letter_source = ?, bare = ?
 where record = ?
"""

_CHECKPOINT_PAGES = 4000  # of 4 KiB: the log is folded into the file each 16 MB or so
_LOG_LIMIT_BYTES = 32 * 2**20
_SPARE_PAGES = 1024  # free pages that are not worth giving back: the next messages need them
_PAGES_A_STEP = 250  # given back in a few milliseconds, during which nothing else runs


class JournalError(Exception):
    """The file cannot be opened or written."""


class SessionState(NamedTuple):
    """What a client stored with a message session."""

    session_id: str
    state: bytes
    updated_at: int


class StoredQueue:
    """What the file holds of one queue."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.next_sequence = 1
        self.session_states: list[SessionState] = []


class Journal:
    """The file in `directory`; `schedule` calls a function in the event loop's next pass.

    `failed` is called with the error when a transaction cannot be written (a full disk, say).
    The process has to end then: what it holds in memory is ahead of the file, nothing of that has
    been acknowledged, and nothing will be.
    """

    def __init__(
        self,
        directory: Path,
        *,
        schedule: Callable[[Callable[[], None]], object],
        failed: Callable[[JournalError], None],
        synchronous: Synchronous = "normal",
    ) -> None:
        self._schedule = schedule
        self._failed = failed
        self._broken = False
        self._committing = False
        self._compacting = False
        self._inserted: dict[int, Message] = {}
        self._updated: dict[int, Message] = {}
        self._deleted: list[tuple[int]] = []
        self._next_sequences: dict[str, int] = {}
        self._session_states: dict[tuple[str, str], tuple[bytes | None, int]] = {}
        self._callbacks: list[Callable[[], None]] = []
        self._calling: list[Callable[[], None]] | None = None
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._database = _open(directory / FILE_NAME, synchronous)
            (self._last_record,) = self._database.execute(
                "select coalesce(max(record), 0) from message"
            ).fetchone()
        except (OSError, sqlite3.Error) as error:
            raise JournalError(_explain(directory, error)) from error

    # --- queues.Store -----------------------------------------------------------------

    def insert(self, message: Message) -> None:
        """A new message; it is given its record number."""
        self._last_record += 1
        message.record = self._last_record
        self._inserted[message.record] = message
        self._commit_soon()

    def update(self, message: Message) -> None:
        """A message whose fields have changed."""
        if message.record not in self._inserted:
            self._updated[message.record] = message
            self._commit_soon()

    def delete(self, message: Message) -> None:
        """A message that is gone."""
        if self._inserted.pop(message.record, None) is None:
            self._updated.pop(message.record, None)
            self._deleted.append((message.record,))
        self._commit_soon()

    def save_next_sequence(self, queue: str, sequence: int) -> None:
        """The sequence number that the next message of a queue will have."""
        self._next_sequences[queue] = sequence
        self._commit_soon()

    def save_session_state(
        self, queue: str, session_id: str, state: bytes | None, updated_at: int
    ) -> None:
        """What a client wants remembered of a message session; None to forget it."""
        self._session_states[queue, session_id] = (state, updated_at)
        self._commit_soon()

    # --- commits ----------------------------------------------------------------------

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Calls `callback` once all that was stored until now is committed; at once if it is."""
        if self._committing:
            self._callbacks.append(callback)
        elif not self._broken:
            callback()

    def call_last(self, callback: Callable[[], None]) -> None:
        """Calls `callback` when those that wait for a commit have been called, or else soon.

        So what they write goes out in the same pass of the event loop, and together.
        """
        if self._calling is not None:
            self._calling.append(callback)
        else:
            self._schedule(callback)

    def _commit_soon(self) -> None:
        if not self._committing:
            self._committing = True
            self._schedule(self.commit)

    def commit(self) -> None:
        """Writes what has gathered, and calls back those who wait for it."""
        if not self._committing or self._broken:
            return
        try:
            self._write()
        except sqlite3.Error as error:
            self._broken = True
            self._callbacks.clear()
            self._failed(JournalError(f"cannot write messages to disk: {error}"))
            return
        self._committing = False
        self._calling, self._callbacks = self._callbacks, []
        try:
            for callback in self._calling:  # which grows by what `call_last` is given
                callback()
        finally:
            self._calling = None

    def _write(self) -> None:
        execute, executemany = self._database.execute, self._database.executemany
        execute("begin")
        try:
            if self._inserted:
                executemany(_INSERT, map(_row, self._inserted.values()))
            if self._updated:
                executemany(_UPDATE, map(_changes, self._updated.values()))
            if self._deleted:
                executemany("delete from message where record = ?", self._deleted)
            if self._next_sequences:
                executemany(
                    "insert or replace into next_sequence values (?, ?)",
                    self._next_sequences.items(),
                )
            for (queue, session_id), (state, updated_at) in self._session_states.items():
                execute(
                    "delete from session_state where queue = ? and session_id = ?",
                    (queue, session_id),
                )
                if state is not None:
                    execute(
                        "insert into session_state values (?, ?, ?, ?)",
                        (queue, session_id, state, updated_at),
                    )
            execute("commit")
        except sqlite3.Error:
            if self._database.in_transaction:
                execute("rollback")
            raise
        self._inserted.clear()
        self._updated.clear()
        self._deleted.clear()
        self._next_sequences.clear()
        self._session_states.clear()

    # --- reading, compacting, closing -------------------------------------------------

    def load(self) -> dict[str, StoredQueue]:
        """All that is stored, by queue."""
        queues: dict[str, StoredQueue] = {}

        def of(queue: str) -> StoredQueue:
            return queues.setdefault(queue, StoredQueue())

        for row in self._database.execute("select * from message"):
            message = _message(row)
            of(message.queue).messages.append(message)
        for queue, sequence in self._database.execute("select * from next_sequence"):
            of(queue).next_sequence = sequence
        for queue, *state in self._database.execute("select * from session_state"):
            of(queue).session_states.append(SessionState(*state))
        return queues

    def compact(self) -> bool:
        """Gives some free pages back to the file system; whether there are more to give.

        Does nothing while a commit is due, nor while free pages are fewer than a quarter of the
        file: then new messages will fill them.
        """
        if self._committing or self._broken:
            return False
        free, pages = self._pragma("freelist_count"), self._pragma("page_count")
        more = free > max(_SPARE_PAGES, pages // 4)
        try:
            if more:
                # As a script, since the pragma frees one page for each step that is made of it,
                # and `execute` makes only the first.
                self._database.executescript(f"pragma incremental_vacuum({_PAGES_A_STEP})")
                self._compacting = True
            elif self._compacting:
                # Pages that were given back leave the file when the log is folded into it.
                self._database.execute("pragma wal_checkpoint(truncate)").fetchall()
                self._compacting = False
        except sqlite3.Error as error:
            self._broken = True
            self._failed(JournalError(f"cannot compact the messages on disk: {error}"))
            return False
        return more

    def close(self) -> None:
        """Commits what is left and closes the file."""
        self.commit()
        self._broken = True  # nothing can be stored from here on
        self._database.close()

    def _pragma(self, name: str) -> int:
        (value,) = self._database.execute(f"pragma {name}").fetchone()
        return int(value)


def _open(path: Path, synchronous: Synchronous) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None, timeout=0)
    try:
        # Exclusive: one process has the file as long as it lives, and a second one is told so.
        database.execute("pragma locking_mode = exclusive")
        database.execute("pragma auto_vacuum = incremental")  # has to come before the first table
        database.execute("pragma journal_mode = wal")
        database.execute(f"pragma synchronous = {synchronous}")
        database.execute(f"pragma wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        database.execute(f"pragma journal_size_limit = {_LOG_LIMIT_BYTES}")
        database.execute("begin immediate")
        (version,) = database.execute("pragma user_version").fetchone()
        if version == 0:
            for statement in filter(str.strip, _SCHEMA.split(";")):
                database.execute(statement)
            database.execute(f"pragma user_version = {_SCHEMA_VERSION}")
        database.execute("commit")
        if version not in (0, _SCHEMA_VERSION):
            raise sqlite3.DatabaseError(f"it has version {version}, not {_SCHEMA_VERSION}")
    except BaseException:
        database.close()
        raise
    return database


def _explain(directory: Path, error: Exception) -> str:
    if "locked" in str(error):
        return f"the messages in {directory} are in use by another process"
    return f"cannot open the messages in {directory}: {error}"


def _row(message: Message) -> tuple[Any, ...]:
    return (
        message.record,
        message.queue,
        message.sequence,
        int(message.state),
        message.enqueued_at,
        message.scheduled_for,
        message.expires_at,
        message.time_to_live,
        message.delivery_count,
        message.durable,
        message.priority,
        message.session_id,
        message.dead_letter_source,
        message.annotations.pairs,
        message.annotations.length,
        message.bare,
    )


def _changes(message: Message) -> tuple[Any, ...]:
    return (
        message.queue,
        int(message.state),
        message.enqueued_at,
        message.expires_at,
        message.time_to_live,
        message.delivery_count,
        message.dead_letter_source,
        message.bare,
        message.record,
    )


def _message(row: tuple[Any, ...]) -> Message:
    record, queue, sequence, state, enqueued_at, scheduled_for, expires_at, ttl, *rest = row
    delivery_count, durable, priority, session_id, dead_letter_source, pairs, count, bare = rest
    return Message(
        bare=bare,
        annotations=RawMap(pairs, count),
        durable=bool(durable),
        priority=priority,
        time_to_live=ttl,
        session_id=session_id,
        scheduled_for=scheduled_for,
        record=record,
        queue=queue,
        sequence=sequence,
        state=State(state),
        enqueued_at=enqueued_at,
        expires_at=expires_at,
        delivery_count=delivery_count,
        dead_letter_source=dead_letter_source,
    )
