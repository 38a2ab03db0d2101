"""Writing the quality reports of process_vector.

A chunk's rows, its repairs, its quarantine and its counts are written by one transaction. The
child process that cleans the records sends repairs and quarantine as binary COPY streams, which
go into temporary tables without any id; the parent adds the ids::

    with connection.cursor() as cursor, cursor.copy(repairs_in(connection)) as copy:
        copy.write(...)
    keep_repairs(connection, job_id, layer)

Columns of the streams, in their order (source_row counts from 1; geometries are EWKB with SRID
4326; areas in square metres and lengths in metres, on the ellipsoid):

- repairs: source_row bigint, kinds text[], detail text, fault_at geometry, area_before,
  area_after, length_before, length_after float8, before geometry, after geometry
- quarantine: source_row bigint, reason text, detail text, properties jsonb, raw text,
  raw_truncated boolean, geom geometry
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

from psycopg import sql
from psycopg.types.json import Jsonb

from core.errors import TransientTaskError
from core.models.feature_table import GEOMETRY_COLUMN, FeatureTable
from core.models.vector_report import RecordCounts
from infrastructure import queries
from infrastructure.database import Connection
from infrastructure.json_values import shown

# What was set aside after the chunks were counted is kept as a chunk of this number.
_CORRECTIONS = -1
_WGS84 = 4326

_SQL = queries.load("vector_reports")


def begin_report(
    connection: Connection, job_id: str, source: Mapping[str, Any], inference: Mapping[str, Any]
) -> None:
    """Begin the report of a run, or say anew what was found in its file."""
    connection.execute(
        _SQL["begin"], {"job_id": job_id, "source": shown(source), "inference": shown(inference)}
    )


def chunk_done(connection: Connection, job_id: str, layer: int, chunk: int) -> RecordCounts | None:
    """The counts of a chunk that is staged; None where that is still to be done."""
    row = connection.execute(
        _SQL["chunk"], {"job_id": job_id, "layer": layer, "chunk": chunk}
    ).fetchone()
    return None if row is None else RecordCounts.model_validate(row["counts"])


def record_chunk(
    connection: Connection, job_id: str, layer: int, chunk: int, counts: RecordCounts
) -> None:
    """Say that a chunk is staged, in the transaction that stages it.

    Raises `TransientTaskError` where another attempt has staged it in the meantime: this
    transaction must not commit, and the next attempt finds the work done.
    """
    done = connection.execute(
        _SQL["record_chunk"],
        {"job_id": job_id, "layer": layer, "chunk": chunk, "counts": _counts(counts)},
    )
    if not done.rowcount:
        raise TransientTaskError(
            f"Chunk {chunk} of layer {layer} was staged by another attempt.",
            code="chunk_staged_already",
        )


def planned_together(connection: Connection, table: str, main: str) -> bool:
    """Whether a run that published the table had planned it beside another one, for the same
    layer. Both are named with their schemas."""
    schema, _, name = table.partition(".")
    row = connection.execute(
        _SQL["planned_together"],
        {
            "schema": schema,
            "table": name,
            "layers": shown({"layers": [{"tables": [{"table": main}, {"table": table}]}]}),
        },
    ).fetchone()
    return row is not None and bool(row["together"])


def forget_chunks(connection: Connection, job_id: str) -> None:
    """Take back what was said of chunks, repairs and quarantine: nothing of it is staged."""
    connection.execute(_SQL["forget_chunks"], {"job_id": job_id})


def repairs_in(connection: Connection) -> LiteralString:
    """Make the temporary table for a chunk's repairs; the COPY that fills it."""
    connection.execute(_SQL["create_repairs_in"])
    return _SQL["copy_repairs"]


def keep_repairs(connection: Connection, job_id: str, layer: int) -> int:
    """Move what `repairs_in` received into the report; the number of repairs."""
    return connection.execute(_SQL["keep_repairs"], {"job_id": job_id, "layer": layer}).rowcount


def quarantine_in(connection: Connection) -> LiteralString:
    """Make the temporary table for a chunk's quarantined records; the COPY that fills it."""
    connection.execute(_SQL["create_quarantine_in"])
    return _SQL["copy_quarantine"]


def keep_quarantine(connection: Connection, job_id: str, layer: int) -> int:
    """Move what `quarantine_in` received into the report; the number of records."""
    return connection.execute(_SQL["keep_quarantine"], {"job_id": job_id, "layer": layer}).rowcount


def set_aside(
    connection: Connection,
    job_id: str,
    layer: int,
    staged: sql.Composable,
    table: FeatureTable,
    details: Mapping[int, str],
    reason: str,
) -> int:
    """Move rows that a chunk had loaded out of a staged table into quarantine; how many.

    `details` says for each gid, which is the record's number in its layer, what is wrong. The
    counts of the run are corrected. A gid that is no longer there is passed over.
    """
    geom: sql.Composable = sql.SQL("NULL::geometry")
    if table.geometry is not None:
        geom = sql.SQL("ST_Transform(s.{}, {})").format(
            sql.Identifier(GEOMETRY_COLUMN), sql.Literal(_WGS84)
        )
    names = sql.SQL(", ").join(sql.Identifier("s", column.name) for column in table.columns)
    properties = (
        sql.SQL("(SELECT to_jsonb(attributes) FROM (SELECT {}) AS attributes)").format(names)
        if table.columns
        else sql.SQL("'{}'::jsonb")
    )
    rows = sql.SQL(_SQL["take_out"]).format(staged=staged, properties=properties, geom=geom)
    return add_quarantine(
        connection,
        job_id,
        layer,
        rows,
        {"gids": list(details), "details": list(details.values()), "reason": reason},
    )


def add_quarantine(
    connection: Connection,
    job_id: str,
    layer: int,
    rows: sql.Composable,
    parameters: Mapping[str, Any],
) -> int:
    """Quarantine the records that a statement returns, which were counted as loaded before.

    The statement (a SELECT, or a DELETE with RETURNING) returns the columns of the quarantine
    stream. The counts of the run are corrected; the number of records is returned.
    """
    found = connection.execute(
        sql.SQL(_SQL["add_quarantine"]).format(rows=rows),
        {**parameters, "job_id": job_id, "layer": layer},
    ).fetchall()
    by_reason = {row["reason"]: row["rows"] for row in found}
    count: int = sum(by_reason.values())
    if count:
        earlier = chunk_done(connection, job_id, layer, _CORRECTIONS) or RecordCounts()
        correction = earlier + RecordCounts(loaded=-count, quarantined=by_reason)
        connection.execute(
            _SQL["correct"],
            {
                "job_id": job_id,
                "layer": layer,
                "chunk": _CORRECTIONS,
                "counts": _counts(correction),
            },
        )
    return count


def totals(connection: Connection, job_id: str) -> dict[int, RecordCounts]:
    """The counts of each layer that has any, by the layer's number.

    `sum(totals(...).values(), RecordCounts())` are those of the run.
    """
    found: dict[int, RecordCounts] = {}
    for row in connection.execute(_SQL["chunk_counts"], {"job_id": job_id}):
        layer = row["layer"]
        found[layer] = found.get(layer, RecordCounts()) + RecordCounts.model_validate(row["counts"])
    return found


def finish_report(
    connection: Connection,
    job_id: str,
    counts: RecordCounts,
    tables: Sequence[Mapping[str, Any]],
) -> None:
    """Say what came of the run: its counts, and its tables.

    A table is {table: "geo.parks", version, loaded, rows} and whatever else is worth showing.
    """
    connection.execute(
        _SQL["finish"], {"job_id": job_id, "counts": _counts(counts), "tables": shown(tables)}
    )


def _counts(counts: RecordCounts) -> Jsonb:
    return shown(counts.model_dump())
