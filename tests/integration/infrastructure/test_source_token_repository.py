"""Tokens as rows: one for each account, whose time runs by the database's clock."""

from __future__ import annotations

from infrastructure import database, source_token_repository
from infrastructure.database import Connection


def test_a_token_is_stored_in_place_of_an_older(ledger: Connection) -> None:
    ledger.execute("TRUNCATE app.source_tokens")
    assert source_token_repository.find(ledger, "acled", "a") is None
    source_token_repository.store(ledger, "acled", "a", b"one", 10.0)
    source_token_repository.store(ledger, "acled", "b", b"other", 10.0)
    source_token_repository.store(ledger, "acled", "a", b"two", 86_400.0)
    found = source_token_repository.find(ledger, "acled", "a")
    assert found is not None
    assert found.sealed == b"two"
    assert abs(found.life_seconds - 86_400.0) < 1
    assert 0 < found.left_seconds <= found.life_seconds
    assert "two" not in repr(found)


def test_an_expired_token_is_found_as_such(ledger: Connection) -> None:
    source_token_repository.store(ledger, "acled", "c", b"one", 60.0)
    ledger.execute(
        "UPDATE app.source_tokens SET expires_at = expires_at - interval '1 hour',"
        " renewed_at = renewed_at - interval '1 hour' WHERE account = 'c'"
    )
    found = source_token_repository.find(ledger, "acled", "c")
    assert found is not None
    assert found.left_seconds < -3000
    assert abs(found.life_seconds - 60.0) < 1


def test_one_renews_an_account_at_a_time(ledger: Connection) -> None:  # settings
    with database.transaction() as first, database.transaction() as second:
        assert source_token_repository.try_turn(first, "acled", "a")
        assert not source_token_repository.try_turn(second, "acled", "a")
        assert source_token_repository.try_turn(second, "acled", "b")
    with database.transaction() as third:
        assert source_token_repository.try_turn(third, "acled", "a")
