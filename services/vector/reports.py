"""The quality reports of process_vector as the API and the pages show them."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from core.errors import NotFound
from core.identifiers import is_job_id
from core.job_definition import JsonObject
from core.models.vector_report import RecordCounts
from infrastructure import database, vector_report_reader, vector_report_repository
from infrastructure.database import Connection, Row
from services.access import ANYONE, Caller, may_see_restricted, refusal
from services.orchestration.paging import cursor_after, job_key, one_of, row_key
from services.vector import wording
from services.vector.model import Reason, RepairKind

R = TypeVar("R")


def links(job_id: str, base_url: str = "") -> JsonObject:
    """Where a report and what belongs to it are found."""
    report = f"{base_url}/api/vector/reports/{job_id}"
    return {
        "self": report,
        "repairs": f"{report}/repairs",
        "quarantine": f"{report}/quarantine",
        "quarantine_geojson": f"{report}/quarantine.geojson",
        "page": f"{base_url}/api/interface/vector/{job_id}",
        "job": f"{base_url}/api/jobs/{job_id}",
    }


def list_reports(*, limit: int = 50, cursor: str | None = None, base_url: str = "") -> JsonObject:
    """A page of reports, newest first: {reports, next}. Raises `InvalidParameters`."""
    before = None if cursor is None else job_key(cursor)
    with database.transaction() as connection:
        rows = vector_report_reader.reports(connection, limit=limit + 1, before=before)
        views = [_summary(connection, row, base_url) for row in rows[:limit]]
    last = rows[limit - 1] if len(rows) > limit else None
    return {
        "reports": views,
        "next": last and cursor_after(last["created_at"].isoformat(), last["job_id"]),
    }


def exists(job_id: str) -> bool:
    """Whether the job has a report."""
    with database.transaction() as connection:
        return vector_report_reader.has_report(connection, job_id)


def report_view(job_id: str, *, base_url: str = "", caller: Caller = ANYONE) -> JsonObject:
    """One report, also of a run that is still under way. Raises `NotFound`.

    `rows_withheld` tells that the rows are restricted and the caller may not see them: then it
    quotes no values either.
    """
    return read_report(job_id, lambda connection: _report(connection, job_id, base_url, caller))


def repairs_page(
    job_id: str,
    *,
    kind: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
    caller: Caller = ANYONE,
) -> JsonObject:
    """A page of repairs: {repairs, next}. Raises `NotFound`, `Forbidden` for what is restricted,
    `InvalidParameters`."""
    wanted, after = one_of(RepairKind, "kind", kind), after_cursor(cursor)

    def read(connection: Connection) -> JsonObject:
        rows = vector_report_reader.repairs(
            connection, job_id, limit=limit + 1, after=after, kind=wanted
        )
        return {"repairs": [repair_view(row) for row in rows[:limit]], "next": _next(rows, limit)}

    return read_rows(job_id, caller, read)


def quarantine_page(
    job_id: str,
    *,
    reason: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
    caller: Caller = ANYONE,
) -> JsonObject:
    """A page of quarantined records: {quarantine, next}. Raises as `repairs_page`."""
    wanted, after = one_of(Reason, "reason", reason), after_cursor(cursor)

    def read(connection: Connection) -> JsonObject:
        rows = vector_report_reader.quarantine(
            connection, job_id, limit=limit + 1, after=after, reason=wanted
        )
        return {"quarantine": rows[:limit], "next": _next(rows, limit)}

    return read_rows(job_id, caller, read)


def repair(job_id: str, repair_id: int, caller: Caller = ANYONE) -> Row:
    """One repair with its geometries as WKB. Raises `NotFound`, `Forbidden`."""
    row = read_rows(
        job_id,
        caller,
        lambda connection: vector_report_reader.repair(connection, job_id, repair_id),
    )
    if row is None:
        raise NotFound(f"The report has no repair {repair_id}.", code="unknown_repair")
    return row


def quarantined(job_id: str, quarantine_id: int, caller: Caller = ANYONE) -> Row:
    """One quarantined record with its geometry as WKB. Raises `NotFound`, `Forbidden`."""
    row = read_rows(
        job_id,
        caller,
        lambda connection: vector_report_reader.quarantined(connection, job_id, quarantine_id),
    )
    if row is None:
        raise NotFound(
            f"The report has no quarantined record {quarantine_id}.", code="unknown_record"
        )
    return row


def places(job_id: str, *, limit: int, caller: Caller = ANYONE) -> list[Row]:
    """Where the first faults are: rows of what (repair or quarantine), id, x, y in degrees."""
    return read_rows(
        job_id,
        caller,
        lambda connection: vector_report_reader.places(connection, job_id, limit=limit),
    )


def repair_view(row: Row) -> JsonObject:
    """A repair with the change of the area as a share, and the fault as a position."""
    shown = {name: value for name, value in row.items() if name not in ("fault_x", "fault_y")}
    located = row["fault_x"] is not None
    return {
        **shown,
        "fault_at": [row["fault_x"], row["fault_y"]] if located else None,
        "area_change": _change(row["area_before"], row["area_after"]),
        "length_change": _change(row["length_before"], row["length_after"]),
    }


def source_name(source: JsonObject) -> str:
    """The name of the source as people call it: bronze/parks/parks.kml, or its address."""
    if source.get("address"):
        return str(source["address"])
    files = source.get("files") or ["unnamed source"]
    path = f"{source['container']}/{files[0]}" if source.get("container") else str(files[0])
    return path if len(files) == 1 else f"{path} and {len(files) - 1} more"


def title(source: JsonObject) -> str:
    """The file's own name, without the way to it."""
    if source.get("address"):
        path = unquote(urlsplit(str(source["address"])).path).rstrip("/")
        return posixpath.basename(path) or str(source["address"])
    files = source.get("files") or ["unnamed source"]
    return posixpath.basename(str(files[0]).rstrip("/"))


def read_report(job_id: str, read: Callable[[Connection], R]) -> R:
    """Read in one transaction. Raises `NotFound` for a job that has no report."""
    if not is_job_id(job_id):
        raise _unknown(job_id)
    with database.transaction() as connection:
        if not vector_report_reader.has_report(connection, job_id):
            raise _unknown(job_id)
        return read(connection)


def read_rows(job_id: str, caller: Caller, read: Callable[[Connection], R]) -> R:
    """Read what shows rows of the source, as `read_report`. Raises `Forbidden` (restricted) where
    the caller may not see them."""

    def read_if_allowed(connection: Connection) -> R:
        if _is_withheld(connection, job_id, caller):
            raise refusal(f"The rows that the job {job_id} read")
        return read(connection)

    return read_report(job_id, read_if_allowed)


def _is_withheld(connection: Connection, job_id: str, caller: Caller) -> bool:
    return not may_see_restricted(caller) and vector_report_reader.is_restricted(connection, job_id)


def _unknown(job_id: str) -> NotFound:
    return NotFound(
        f"There is no vector report of a job {job_id!r}. A report begins when the job has "
        "looked into its source.",
        code="unknown_report",
        job_id=job_id,
    )


def _report(connection: Connection, job_id: str, base_url: str, caller: Caller) -> JsonObject:
    row = vector_report_reader.report(connection, job_id)
    if row is None:
        raise _unknown(job_id)
    counts = _counts(connection, row)
    by_layer = vector_report_repository.totals(connection, job_id)
    inference = row["inference"]
    withheld = _is_withheld(connection, job_id, caller)
    layers = [
        {
            **(_without_values(layer) if withheld else layer),
            "counts": _counts_view(by_layer.get(number, RecordCounts())),
        }
        for number, layer in enumerate(inference.get("layers", []))
    ]
    return {
        **_view(row, counts, base_url),
        "error": row["error"],
        "rows_withheld": withheld,
        "counts": _counts_view(counts),
        "layers": layers,
        "notes": inference.get("notes", []),
    }


def _without_values(layer: JsonObject) -> JsonObject:
    """A layer without why its columns are of their types, for which values are quoted."""
    return {**layer, "columns": [{**each, "evidence": []} for each in layer.get("columns", [])]}


def _summary(connection: Connection, row: Row, base_url: str) -> JsonObject:
    counts = _counts(connection, row)
    return {
        **_view(row, counts, base_url),
        "counts": {
            "read": counts.read,
            "loaded": counts.loaded,
            "quarantined": counts.set_aside,
            "repaired": counts.repaired,
        },
    }


def _view(row: Row, counts: RecordCounts, base_url: str) -> JsonObject:
    """What a report and its line in the list have in common."""
    tables = [str(table["table"]) for table in row["tables"]]
    ended = row["finished_at"]
    return {
        "job_id": row["job_id"],
        "status": row["status"],
        "summary": wording.sentence(counts, tables, status=row["status"]),
        "source": {"name": source_name(row["source"]), **row["source"]},
        "tables": row["tables"],
        "created_at": row["created_at"],
        "finished_at": ended,
        "elapsed_seconds": ended and round((ended - row["created_at"]).total_seconds(), 3),
        "links": links(row["job_id"], base_url),
    }


def _counts(connection: Connection, row: Row) -> RecordCounts:
    """The counts of a run; of one that has not ended, those of its chunks so far."""
    if row["counts"] is not None:
        return RecordCounts.model_validate(row["counts"])
    by_layer = vector_report_repository.totals(connection, row["job_id"])
    return sum(by_layer.values(), RecordCounts())


def _counts_view(counts: RecordCounts) -> JsonObject:
    return {
        "read": counts.read,
        "loaded": counts.loaded,
        "quarantined": counts.set_aside,
        "quarantined_by_reason": _largest_first(counts.quarantined),
        "repaired": counts.repaired,
        "repairs_by_kind": _largest_first(counts.repairs),
        "steps": counts.steps,
        "value_faults": [
            {"column": column, "reason": reason, "values": number}
            for column, by_reason in counts.value_faults.items()
            for reason, number in by_reason.items()
        ],
        "balanced": counts.balanced,
    }


def _largest_first(counts: dict[str, int]) -> dict[str, int]:
    # jsonb keeps no order of names.
    return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))


def _change(before: float | None, after: float | None) -> float | None:
    """The change as a share of what was before; None where that is not known or was nothing."""
    if before is None or after is None or before == 0:
        return None
    return (after - before) / before


def after_cursor(cursor: str | None) -> int:
    """The id after which a page of rows begins; 0 for the first."""
    return 0 if cursor is None else row_key(cursor)


def _next(rows: list[Row], limit: int) -> str | None:
    if len(rows) <= limit:
        return None
    last = rows[limit - 1]
    return cursor_after(last.get("repair_id") or last["quarantine_id"])
