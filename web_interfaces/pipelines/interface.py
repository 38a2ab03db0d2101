"""/api/interface/pipelines: the list, one pipeline with its versions, two versions compared."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from core.models.pipeline import Pipeline
from core.schedules import Schedule, ScheduleError
from services.pipelines import documents, examples, views
from web_interfaces.api.http import integer
from web_interfaces.api.pipelines import MAX_VERSION, pipeline_name
from web_interfaces.curated import wording
from web_interfaces.pages.formats import words
from web_interfaces.pages.registry import Page, register
from web_interfaces.pages.rendering import auth_level, page_endpoint, render
from web_interfaces.pipelines import faces
from web_interfaces.pipelines.drawing import draw

PAGE = register(
    Page(
        name="pipelines",
        title="Pipelines",
        description="Steps put together: drawn, run by hand or by schedule, and watched.",
        order=30,
    )
)

# There are tens of pipelines. What is beyond these is left to the API.
_MOST_PIPELINES = 500
_RUNS_SHOWN = 8
_RUNS_A_PAGE = 15
_VERSIONS_A_PAGE = 15

bp = df.Blueprint()


@bp.route(route="api/interface/pipelines", methods=["GET"], auth_level=auth_level())
@page_endpoint
def pipelines_page(req: func.HttpRequest) -> func.HttpResponse:
    """All pipelines, ?search= some of them, and the newest runs. Live: a schedule may begin one."""
    listed = documents.page(limit=_MOST_PIPELINES)
    search = req.params.get("search", "").strip()[:200]
    return render(
        req,
        "pipelines/list.html",
        page=PAGE,
        live=True,
        pipelines=[each for each in listed["pipelines"] if _matches(each, search)],
        total=len(listed["pipelines"]),
        are_all=listed["next"] is None,
        search=search,
        examples=examples.documents(),
        waiting=views.runs_page(awaiting_approval=True, limit=_RUNS_SHOWN)["runs"],
        runs=views.runs_page(limit=_RUNS_SHOWN)["runs"],
        schedule=_schedule,
    )


@bp.route(route="api/interface/pipelines/{name}", methods=["GET"], auth_level=auth_level())
@page_endpoint
def pipeline_page(req: func.HttpRequest) -> func.HttpResponse:
    """One pipeline, ?version= an earlier one of it; its versions and runs. Live: runs move."""
    name = pipeline_name(req)
    view = documents.view(name, version=version_of(req))
    pipeline = Pipeline.model_validate(view["document"])
    return render(
        req,
        "pipelines/pipeline.html",
        page=PAGE,
        live=True,
        view=view,
        pipeline=pipeline,
        is_latest=view["version"] == view["latest_version"],
        drawn=draw(pipeline),
        faces=faces.of_pipeline(pipeline, view["problems"]),
        schedule=_schedule(view["document"].get("schedule")),
        times=_times(pipeline) if not view["problems"] else [],
        versions=documents.versions_page(
            name, limit=_VERSIONS_A_PAGE, cursor=req.params.get("versions")
        ),
        runs=views.runs_page(name=name, limit=_RUNS_A_PAGE, cursor=req.params.get("runs")),
        titles={step.id: faces.title_of(step) for step in pipeline.steps},
        place=_place,
    )


@bp.route(route="api/interface/pipelines/{name}/compare", methods=["GET"], auth_level=auth_level())
@page_endpoint
def compare_page(req: func.HttpRequest) -> func.HttpResponse:
    """What changed from version ?from= to ?to=, as a drawing and field by field."""
    name = pipeline_name(req)
    latest = documents.view(name)
    to = version_of(req, "to") or latest["latest_version"]
    since = version_of(req, "from") or max(1, to - 1)
    found = documents.diff(name, since, to)
    before, after = documents.document(name, version=since), documents.document(name, version=to)
    both, marked = faces.of_versions(
        Pipeline.model_validate(before), Pipeline.model_validate(after), found["changes"]
    )
    return render(
        req,
        "pipelines/compare.html",
        page=PAGE,
        view=latest,
        diff={**found, "changes": [_as_written(each, before, after) for each in found["changes"]]},
        before=before,
        drawn=draw(both),
        faces=marked,
        titles={step.id: faces.title_of(step) for step in both.steps},
        place=_place,
        versions=documents.versions_page(name, limit=100)["versions"],
    )


def _matches(pipeline: Mapping[str, Any], search: str) -> bool:
    texts = [pipeline["name"], pipeline["title"], pipeline["description"], *pipeline["job_types"]]
    found = " ".join([*texts, *map(words, texts)]).lower()
    return all(word in found for word in search.lower().split())


def version_of(req: func.HttpRequest, name: str = "version") -> int | None:
    """The version that the query names; None where it names none. Raises `InvalidParameters`."""
    if not req.params.get(name):
        return None
    return integer(req, name, default=1, low=1, high=MAX_VERSION)


def _schedule(schedule: Mapping[str, Any] | None) -> str:
    """When a pipeline runs, in words."""
    if schedule is None:
        return "by hand"
    try:
        Schedule.parse(schedule["cron"])
    except ScheduleError:
        return "by a schedule that cannot be read"
    text = wording.schedule(schedule["cron"])
    return text if schedule.get("enabled", True) else f"by hand; its schedule, {text}, is off"


def _times(pipeline: Pipeline) -> list[datetime]:
    """When it runs next by itself."""
    if pipeline.schedule is None or not pipeline.schedule.enabled:
        return []
    try:
        return wording.next_times(Schedule.parse(pipeline.schedule.cron), datetime.now(UTC))
    except (ScheduleError, OverflowError):
        return []


def _as_written(
    change: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The change; of a whole step only what its document says, without what is so by default."""
    if change["loc"][:1] != ["steps"] or len(change["loc"]) != 2:
        return change
    side, document = ("after", after) if change["change"] == "added" else ("before", before)
    step = next(step for step in document["steps"] if step["id"] == change["loc"][1])
    said = {name: value for name, value in step.items() if name not in ("id", "kind")}
    return {**change, side: said}


def _place(loc: list[str | int], titles: Mapping[str, str]) -> str:
    """Where a change or a problem is, for people: 'Load the file: table name'."""
    if loc[:1] != ["steps"] or len(loc) < 2:
        return " \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} ".join(
            words(str(each)) for each in loc
        )
    field = [words(str(each)) for each in loc[2:] if each != "parameters"]
    step = titles.get(str(loc[1]), str(loc[1]))
    return f"{step}: {' '.join(field)}" if field else step
