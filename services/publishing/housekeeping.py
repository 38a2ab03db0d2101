"""What the housekeeping timer does about staged tables."""

from __future__ import annotations

import logging

from core.counting import counted
from infrastructure import database, locks
from services.publishing import staging

log = logging.getLogger(__name__)


def drop_abandoned() -> None:
    """Drop the staged tables that no job will publish any more."""
    with locks.singleton("staged_tables") as mine:
        if not mine:
            return
        with database.transaction() as connection:
            dropped = staging.sweep(connection)
    if dropped:
        log.info("dropped %s of jobs that ended", counted(len(dropped), "staged table"))
