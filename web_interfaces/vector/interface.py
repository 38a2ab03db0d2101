"""/api/interface/vector: published tables and runs, one table, and the report of one run."""

from __future__ import annotations

from typing import Any

import azure.durable_functions as df
import azure.functions as func

from core.counting import counted
from core.job_definition import JsonObject
from core.registry import registry
from services.access import HOW_TO_BE_SHOWN, Caller, may_see_restricted
from services.vector import reports, tables, wording
from services.vector.model import Reason, RepairKind
from web_interfaces.api.callers import caller
from web_interfaces.api.http import base_url, integer
from web_interfaces.pages.registry import Page, register
from web_interfaces.pages.rendering import auth_level, page_endpoint, render
from web_interfaces.vector import drawing

PAGE = register(
    Page(
        name="vector",
        title="Vector data",
        description="Published tables and their versions, and what was repaired and set aside.",
        order=50,
    )
)

_TABLES_A_PAGE = 25
_RUNS_A_PAGE = 15
_VERSIONS_A_PAGE = 25
_ROWS_A_PAGE = 10
_MOST_PLACES = 500
_MOST_ID = 2**63 - 1
_JOB_TYPE = "process_vector"

bp = df.Blueprint()


@bp.route(route="api/interface/vector", methods=["GET"], auth_level=auth_level())
@page_endpoint
def vector_page(req: func.HttpRequest) -> func.HttpResponse:
    """?tables= and ?runs= are the cursors of the two lists. Live while a run is under way."""
    tables_cursor, runs_cursor = req.params.get("tables"), req.params.get("runs")
    published = tables.list_tables(limit=_TABLES_A_PAGE, cursor=tables_cursor)
    runs = reports.list_reports(limit=_RUNS_A_PAGE, cursor=runs_cursor)
    return render(
        req,
        "vector/list.html",
        page=PAGE,
        live=any(_under_way(run) for run in runs["reports"]),
        tables=published["tables"],
        tables_cursor=tables_cursor,
        tables_next=published["next"],
        runs=runs["reports"],
        runs_cursor=runs_cursor,
        runs_next=runs["next"],
        base_url=base_url(req),
        job_type=_JOB_TYPE,
        has_form=any(each.name == _JOB_TYPE for each in registry),
        title_of=reports.title,
        sees_restricted=may_see_restricted(caller(req, auth_level())),
    )


@bp.route(route="api/interface/vector/tables/{table}", methods=["GET"], auth_level=auth_level())
@page_endpoint
def vector_table_page(req: func.HttpRequest) -> func.HttpResponse:
    """One table and its versions, from ?cursor= on."""
    table = tables.table_view(req.route_params["table"])
    cursor = req.params.get("cursor")
    page = tables.versions_page(table["table"], limit=_VERSIONS_A_PAGE, cursor=cursor)
    return render(
        req,
        "vector/table.html",
        page=PAGE,
        table=table,
        versions=page["versions"],
        cursor=cursor,
        next=page["next"],
        sees_restricted=may_see_restricted(caller(req, auth_level())),
        how_to_be_shown=HOW_TO_BE_SHOWN,
    )


@bp.route(route="api/interface/vector/{job_id}", methods=["GET"], auth_level=auth_level())
@page_endpoint
def vector_report_page(req: func.HttpRequest) -> func.HttpResponse:
    """The report of a run, live until it ends.

    ?kind=, ?repairs= (a cursor) and ?repair= (an id) choose among the repairs; ?reason=,
    ?quarantine= and ?record= among what was set aside.
    """
    job_id = req.route_params["job_id"]
    report = reports.report_view(job_id, caller=caller(req, auth_level()))
    live = _under_way(report)
    shows_rows = not (live or report["rows_withheld"])
    return render(
        req,
        "vector/report.html",
        page=PAGE,
        live=live,
        report=report,
        title=reports.title(report["source"]),
        wording=wording,
        counted=counted,
        shares=_shares(report["counts"]),
        has_steps=any(report["counts"]["steps"].get(step) for step in wording.STEPS),
        chosen=_chosen(req),
        width=drawing.WIDTH,
        height=drawing.HEIGHT,
        shows_rows=shows_rows,
        how_to_be_shown=HOW_TO_BE_SHOWN,
        **(_details(req, job_id, report) if shows_rows else {}),
    )


def _details(req: func.HttpRequest, job_id: str, report: JsonObject) -> dict[str, Any]:
    """The rows of the report and the drawings: they are still for a run that has ended."""
    kind, reason = req.params.get("kind") or None, req.params.get("reason") or None
    reader = caller(req, auth_level())
    repairs = reports.repairs_page(
        job_id, kind=kind, limit=_ROWS_A_PAGE, cursor=req.params.get("repairs"), caller=reader
    )
    quarantine = reports.quarantine_page(
        job_id,
        reason=reason,
        limit=_ROWS_A_PAGE,
        cursor=req.params.get("quarantine"),
        caller=reader,
    )
    return {
        "repairs": repairs,
        "repair": _repair(req, job_id, repairs["repairs"], reader),
        "quarantine": quarantine,
        "record": _record(req, job_id, reader),
        "overview": _overview(job_id, reader),
        "kinds": [each for each in RepairKind if each in report["counts"]["repairs_by_kind"]],
        "reasons": [each for each in Reason if each in report["counts"]["quarantined_by_reason"]],
    }


def _repair(
    req: func.HttpRequest, job_id: str, listed: list[JsonObject], reader: Caller
) -> JsonObject | None:
    """The chosen repair, or the first listed one that can be drawn, with its drawings."""
    chosen = _id(req, "repair")
    if chosen is None:
        chosen = next((each["repair_id"] for each in listed if each["drawn"]), None)
    if chosen is None:
        return None
    row = reports.repair(job_id, chosen, reader)
    view = reports.repair_view(row)
    fault = view["fault_at"] and (view["fault_at"][0], view["fault_at"][1])
    return {**view, "drawings": drawing.draw(row["before"], row["after"], fault)}


def _record(req: func.HttpRequest, job_id: str, reader: Caller) -> JsonObject | None:
    """The chosen quarantined record with its drawing."""
    chosen = _id(req, "record")
    if chosen is None:
        return None
    row = reports.quarantined(job_id, chosen, reader)
    return {**row, "drawings": drawing.draw(row["geom"], None)}


def _overview(job_id: str, reader: Caller) -> JsonObject | None:
    """Where the first faults are, where there are several."""
    places = reports.places(job_id, limit=_MOST_PLACES, caller=reader)
    if len(places) < 2:
        return None
    frame, placed = drawing.overview([(each["x"], each["y"]) for each in places])
    marks = [
        {"what": place["what"], "id": place["id"], "x": x, "y": y}
        for place, (x, y) in zip(places, placed, strict=True)
    ]
    return {"frame": frame, "marks": marks}


def _chosen(req: func.HttpRequest) -> dict[str, str | None]:
    """The choices in the address, to be kept by the links that change one of them."""
    names = ("kind", "repairs", "repair", "reason", "quarantine", "record")
    return {name: req.params.get(name) or None for name in names}


def _id(req: func.HttpRequest, name: str) -> int | None:
    if not req.params.get(name):
        return None
    return integer(req, name, default=0, low=0, high=_MOST_ID)


def _shares(counts: JsonObject) -> dict[str, float]:
    """Loaded and set aside in thousandths of what was read; what is not nothing is seen."""
    read = counts["read"]
    if not read:
        return {"loaded": 0.0, "quarantined": 0.0}
    aside = counts["quarantined"] / read * 1000
    if counts["quarantined"]:
        aside = min(max(aside, 4.0), 996.0 if counts["loaded"] else 1000.0)
    return {"loaded": round(1000 - aside, 1), "quarantined": round(aside, 1)}


def _under_way(report: JsonObject) -> bool:
    return report["status"] in ("queued", "running")
