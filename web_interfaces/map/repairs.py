"""Geometries before and after their repair, of one quality report."""

from __future__ import annotations

from typing import Any, Final

import azure.functions as func

from core.job_definition import JsonObject
from services.access import HOW_TO_BE_SHOWN, Caller
from services.vector import reports, wording
from web_interfaces.api.callers import caller
from web_interfaces.api.http import integer
from web_interfaces.pages.rendering import auth_level
from web_interfaces.vector import drawing

_REPORTS_A_PAGE: Final = 20
_REPAIRS_A_PAGE: Final = 10
_MOST_ID: Final = 2**63 - 1


def context(req: func.HttpRequest) -> dict[str, Any]:
    """What the template needs: ?report= is the job, ?repair= the repair that is looked at, ?page=
    the cursor of the repairs; without a report ?page= is that of the reports."""
    job_id, cursor = req.params.get("report") or None, req.params.get("page") or None
    found: dict[str, Any] = {
        "cursor": cursor,
        "wording": wording,
        "width": drawing.WIDTH,
        "height": drawing.HEIGHT,
        "title_of": reports.title,
        "how_to_be_shown": HOW_TO_BE_SHOWN,
        "reports": None,
        "report": None,
        "repairs": None,
        "repair": None,
        "data": None,
    }
    if job_id is None:
        return found | {"reports": reports.list_reports(limit=_REPORTS_A_PAGE, cursor=cursor)}
    reader = caller(req, auth_level())
    report = reports.report_view(job_id, caller=reader)
    found["report"] = report
    if report["rows_withheld"]:
        return found
    repairs = reports.repairs_page(job_id, limit=_REPAIRS_A_PAGE, cursor=cursor, caller=reader)
    return found | {
        "repairs": repairs,
        "repair": _repair(req, job_id, repairs["repairs"], reader),
        "data": {"f": "geojson", **({} if cursor is None else {"cursor": cursor})},
    }


def _repair(
    req: func.HttpRequest, job_id: str, listed: list[JsonObject], reader: Caller
) -> JsonObject | None:
    """The repair that was chosen, or the first of the list that can be drawn; with drawings."""
    asked = req.params.get("repair")
    chosen = (
        integer(req, "repair", default=0, low=0, high=_MOST_ID)
        if asked
        else next((each["repair_id"] for each in listed if each["drawn"]), None)
    )
    if chosen is None:
        return None
    row = reports.repair(job_id, chosen, reader)
    view = reports.repair_view(row)
    fault = view["fault_at"] and (view["fault_at"][0], view["fault_at"][1])
    return {**view, "drawings": drawing.draw(row["before"], row["after"], fault)}
