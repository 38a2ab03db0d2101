"""A ledger whose charts and processes are empty too."""

from __future__ import annotations

import pytest

from infrastructure import database


@pytest.fixture
def charts(ledger: database.Connection) -> database.Connection:
    """The ledger; nothing was ever counted, and the next count may come at once."""
    ledger.execute("TRUNCATE app.throughput, app.throughput_counted, app.workers")
    ledger.execute("UPDATE app.throughput_turn SET at = now() - interval '1 hour'")
    return ledger
