"""Overviews of large tables: what makes the tiles of small zooms quick.

A tile of the whole world would read every feature of a table, with all its points. For tables
that are large enough to matter, the housekeeping timer makes an overview of each new version:
a copy with the points that can be told apart at `DEEPEST_OVERVIEW`, in which each feature has
the first zoom at which it is drawn. Until then, tiles are made from the table itself.
"""

from __future__ import annotations

import logging

import psycopg

from core.counting import counted
from core.errors import GeoforgeError
from core.models.feature_table import TableName
from infrastructure import database, features_repository, locks, overviews_repository
from infrastructure.features_repository import PublishedTable
from infrastructure.overviews_repository import Overview, Plan
from infrastructure.tiles_repository import MAX_TEXT, geometry_of
from services.tiles.areas import bounds_in
from services.tiles.fields import shown
from services.tiles.grid import TOLERANCE_PIXELS, Tile
from services.tiles.versions import version_token

log = logging.getLogger(__name__)

# The last zoom that is served from overviews. A pixel is 600 m wide here.
DEEPEST_OVERVIEW = 7
# The last zoom that is served from their far part, which is smaller still.
DEEPEST_FAR = 2

# Smaller tables need no overview.
_LEAST_ROWS = 20_000
_LEAST_BYTES = 32_000_000

_WORLD = Tile(0, 0, 0)


def refresh() -> None:
    """What the housekeeping timer does: drop the overviews of what is no longer published, make
    those that are missing. One that could not be made is tried again after a day, or with the
    next version; one that gave way to whoever publishes the table, the next time."""
    with locks.singleton("tile_overviews") as mine:
        if not mine:
            return
        tables = {table.name: table for table in features_repository.published_tables()}
        with database.transaction() as connection:
            overviews_repository.forget_failures(connection)
            there = overviews_repository.overviews(connection)
            sizes = overviews_repository.table_sizes(connection)
        for overview in there:
            if not _is_current(overview, tables):
                overviews_repository.drop(overview)
        have = {(each.name, each.token) for each in there}
        for table in tables.values():
            wanted = is_due(table, sizes.get(table.name, 0))
            if wanted and (table.name, version_token(table)) not in have:
                _try_to_build(table)


def build(name: TableName) -> int:
    """Make the overview of the present version of a table, whatever its size; its rows.

    Raises `NotFound` for a table that is not published or has no geometry.
    """
    rows = overviews_repository.build(name, _plan)
    log.info("made an overview of %s: %s", name, counted(rows, "row"))
    return rows


def _try_to_build(table: PublishedTable) -> None:
    try:
        build(table.name)
    except psycopg.errors.QueryCanceled:
        log.info("the overview of %s gave way to who publishes it, and is made later", table.name)
    except (GeoforgeError, psycopg.Error) as error:
        log.warning("there is no overview of %s: %s", table.name, error)
        if not (isinstance(error, GeoforgeError) or database.is_outage(error)):
            with database.transaction() as connection:
                overviews_repository.record_failure(
                    connection, table.name, version_token(table), str(error)
                )


def _is_current(overview: Overview, tables: dict[TableName, PublishedTable]) -> bool:
    table = tables.get(overview.name)
    return table is not None and version_token(table) == overview.token


def is_due(table: PublishedTable, size_bytes: int) -> bool:
    """Whether there is to be an overview of a table of so many bytes without indexes."""
    if table.shape.geometry is None:
        return False
    return table.row_count >= _LEAST_ROWS or size_bytes >= _LEAST_BYTES


def _plan(table: PublishedTable) -> Plan:
    deepest, deepest_far = Tile(DEEPEST_OVERVIEW, 0, 0), Tile(DEEPEST_FAR, 0, 0)
    srid = geometry_of(table).srid
    return Plan(
        token=version_token(table),
        srid=srid,
        deepest=deepest.z,
        deepest_far=deepest_far.z,
        pixel=_WORLD.pixel,
        tolerance=deepest.pixel * TOLERANCE_PIXELS,
        tolerance_far=deepest_far.pixel * TOLERANCE_PIXELS,
        world=bounds_in(srid, _WORLD, table.bbox),
        columns=shown(table.shape),
        max_text=MAX_TEXT,
    )
