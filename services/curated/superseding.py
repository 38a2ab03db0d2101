"""Several states of one record: the newest one stays.

A source that is read in parts, while it changes, gives the same record twice: as it was, and as
it became. Which of them is newer says the column `About.newest`; the others go to quarantine.
What this leaves (states that are equally new) is a matter of `services.publishing.checks`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from psycopg import sql

from core.models.feature_table import KEY_COLUMN
from infrastructure.database import Connection
from services.publishing import checks
from services.publishing.definitions import identifier, identifiers, staged
from services.vector import validating
from services.vector.model import Reason
from services.vector.plan import LayerPlan

_OLDER = "A newer state of this record came in, too"


def set_aside_older(
    connection: Connection,
    job_id: str,
    layers: Sequence[LayerPlan],
    newest: str,
    check: Callable[[], None],
) -> int:
    """Move into quarantine the staged rows whose key another row has with a greater value in the
    column `newest` (null is least); how many. Safe to repeat."""
    keys = layers[0].key_columns
    check()
    with checks.in_parallel(connection):
        repeated = connection.execute(
            sql.SQL(
                "CREATE TEMPORARY TABLE gf_repeated ON COMMIT DROP AS"
                " SELECT {keys}, max({newest}) AS gf_newest FROM ({rows}) AS keyed"
                " WHERE {known} GROUP BY {keys} HAVING count(*) > 1 AND max({newest}) IS NOT NULL"
            ).format(
                keys=identifiers(keys),
                newest=sql.Identifier(newest),
                rows=_rows(layers, [*keys, newest]),
                known=sql.SQL(" AND ").join(
                    sql.SQL("{} IS NOT NULL").format(sql.Identifier(key)) for key in keys
                ),
            )
        ).rowcount
        moved = 0
        if repeated:
            connection.execute("ANALYZE pg_temp.gf_repeated")
            for layer in layers:
                check()
                gids = _older(connection, layer, newest)
                moved += len(gids)
                validating.quarantine(
                    connection,
                    job_id,
                    layer,
                    layer.tables[0],
                    dict.fromkeys(gids, _OLDER),
                    Reason.SUPERSEDED,
                )
    connection.execute("DROP TABLE pg_temp.gf_repeated")
    return moved


def _older(connection: Connection, layer: LayerPlan, newest: str) -> list[int]:
    rows = connection.execute(
        sql.SQL(
            "SELECT {gid} AS gid FROM {table} JOIN pg_temp.gf_repeated USING ({keys})"
            " WHERE {newest} IS NULL OR {newest} < gf_newest ORDER BY {gid}"
        ).format(
            gid=sql.Identifier(KEY_COLUMN),
            table=identifier(staged(layer.tables[0].staged)),
            keys=identifiers(layer.key_columns),
            newest=sql.Identifier(newest),
        )
    )
    return [row["gid"] for row in rows]


def _rows(layers: Sequence[LayerPlan], columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {} FROM {}").format(
            identifiers(columns), identifier(staged(layer.tables[0].staged))
        )
        for layer in layers
    )
