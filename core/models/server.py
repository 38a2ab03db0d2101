"""How the database server does."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TableSize:
    """A table with its indexes. `about_rows` is the server's estimate."""

    name: str
    bytes: int
    about_rows: int


@dataclass(frozen=True, slots=True)
class ServerFigures:
    """The database server at one moment.

    connections: sessions of clients, of at most `connections_max`; `active` run a statement.
    waiting_for_locks: sessions that wait for another's lock.
    longest_transaction_seconds: age of the oldest transaction; None where none is open.
    replicas: servers that follow this one.
    bytes: size of the database.
    """

    version: str
    up_seconds: float
    connections: int
    connections_max: int
    active: int
    waiting_for_locks: int
    longest_transaction_seconds: float | None
    replicas: int
    bytes: int
    largest_tables: tuple[TableSize, ...]
