"""Tokens that sources granted, as rows that all workers share.

What a row holds is sealed by who stores it. Each function runs in the caller's transaction; who
renews a token takes its turn first (`try_turn`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from infrastructure import queries
from infrastructure.database import Connection
from infrastructure.locks import Space, try_lock

_SQL = queries.load("source_tokens")


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A sealed token. How long it serves is by the database's clock, in seconds: what is left
    (less than 0 where it has expired), and what it had when it was stored."""

    sealed: bytes = field(repr=False)
    left_seconds: float
    life_seconds: float


def try_turn(connection: Connection, service: str, account: str) -> bool:
    """Whether nobody else renews the account's token; then nobody does to the transaction's
    end."""
    return try_lock(connection, Space.SOURCE_TOKEN, service, account)


def find(connection: Connection, service: str, account: str) -> StoredToken | None:
    """The token of an account, whether it still serves or not."""
    row = connection.execute(_SQL["find"], {"service": service, "account": account}).fetchone()
    if row is None:
        return None
    return StoredToken(bytes(row["sealed"]), row["left_seconds"], row["life_seconds"])


def store(
    connection: Connection, service: str, account: str, sealed: bytes, life_seconds: float
) -> None:
    """Enter the token of an account, which serves so long from now on, in place of an older."""
    connection.execute(
        _SQL["store"],
        {
            "service": service,
            "account": account,
            "sealed": sealed,
            "life_seconds": life_seconds,
        },
    )
