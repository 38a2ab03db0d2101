"""/api/interface/curated: the registry of curated datasets, one dataset, and a form for both."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import azure.durable_functions as df
import azure.functions as func

from core.counting import counted
from core.job_definition import JsonObject
from core.models.curated import JOB_TYPE, NIGHTLY, SourceType
from core.registry import registry
from core.schedules import Schedule, ScheduleError
from services.curated import registry as datasets
from services.curated import updates, versions
from services.curated.views import State
from web_interfaces.api.callers import caller
from web_interfaces.api.http import base_url
from web_interfaces.curated import facts, form, maps, plans, wording
from web_interfaces.pages.formats import ahead, number, utc_minute
from web_interfaces.pages.registry import Page, register
from web_interfaces.pages.rendering import auth_level, page_endpoint, render

PAGE = register(
    Page(
        name="curated",
        title="Curated data",
        description="Reference data that keeps itself current: sources, updates, versions, maps.",
        order=60,
    )
)

# A registry has tens of datasets. What is beyond these is left to the API.
_MOST_DATASETS = 500
_ATTEMPTS_A_PAGE = 15
_VERSIONS_A_PAGE = 10
_FILTERS = {"all": "All", "enabled": "Enabled", "failed": "Failed or held"}
_TROUBLED = (State.FAILED, State.HELD)

bp = df.Blueprint()


@bp.route(route="api/interface/curated", methods=["GET"], auth_level=auth_level())
@page_endpoint
def curated_page(req: func.HttpRequest) -> func.HttpResponse:
    """All datasets, ?show=enabled or failed some of them. Live: a schedule may begin any time."""
    listed = datasets.page(limit=_MOST_DATASETS)
    all_of_them = listed["datasets"]
    shown = req.params.get("show") or "all"
    shown = shown if shown in _FILTERS else "all"
    return render(
        req,
        "curated/list.html",
        page=PAGE,
        live=True,
        total=len(all_of_them),
        more=listed["next"] is not None,
        datasets=[each for each in all_of_them if shown in _groups(each)],
        counts=Counter(group for each in all_of_them for group in _groups(each)),
        filters=_FILTERS,
        shown=shown,
        wording=wording,
        enabling=_enabling,
        base_url=base_url(req),
    )


@bp.route(route="api/interface/curated/{dataset_id}", methods=["GET"], auth_level=auth_level())
@page_endpoint
def curated_dataset_page(req: func.HttpRequest) -> func.HttpResponse:
    """One dataset; ?history= and ?versions= are the cursors of its two lists. Live as the list."""
    dataset_id = req.route_params["dataset_id"]
    dataset = datasets.view(dataset_id)
    history_cursor, versions_cursor = req.params.get("history"), req.params.get("versions")
    history = updates.history(dataset_id, limit=_ATTEMPTS_A_PAGE, cursor=history_cursor)
    published = versions.versions_page(dataset_id, limit=_VERSIONS_A_PAGE, cursor=versions_cursor)
    return render(
        req,
        "curated/dataset.html",
        page=PAGE,
        live=True,
        dataset=dataset,
        target=f"{dataset['target_schema']}.{dataset['target_table_name']}",
        schedule=_schedule(dataset),
        facts=facts.of(dataset),
        incremental=facts.is_incremental(form.registered(dataset)),
        map=maps.of(dataset, caller(req, auth_level())),
        why_no_map=maps.why_none,
        held=published["held"],
        plan=None if history_cursor else plans.last_dry_run(history["history"]),
        samples=plans.samples,
        versions=published["versions"],
        versions_cursor=versions_cursor,
        versions_next=published["next"],
        history=history["history"],
        history_cursor=history_cursor,
        history_next=history["next"],
        wording=wording,
        counted=counted,
        enabling=_enabling,
        about_held=functools.partial(_about_held, dataset),
        about_version=functools.partial(_about_version, dataset),
    )


@bp.route(route="api/interface/curated/datasets/new", methods=["GET"], auth_level=auth_level())
@page_endpoint
def new_dataset_page(req: func.HttpRequest) -> func.HttpResponse:
    """An empty form. Its schedule is explained by the route below, as it is written."""
    return _form(req, dataset=None, text=NIGHTLY)


@bp.route(route="api/interface/curated/{dataset_id}/edit", methods=["GET"], auth_level=auth_level())
@page_endpoint
def edit_dataset_page(req: func.HttpRequest) -> func.HttpResponse:
    """The same form with what is registered. It is refused where someone was faster."""
    dataset = datasets.view(req.route_params["dataset_id"])
    return _form(req, dataset=dataset, text=dataset["update_schedule"] or NIGHTLY)


@bp.route(route="api/interface/curated/datasets/schedule", methods=["GET"], auth_level=auth_level())
@page_endpoint
def schedule_part(req: func.HttpRequest) -> func.HttpResponse:
    """What ?update_schedule= means, for the form: words, and when it is due next."""
    text = req.params.get("update_schedule", "").strip() or NIGHTLY
    return render(req, "curated/schedule.html", **_explained(text))


def _form(req: func.HttpRequest, *, dataset: JsonObject | None, text: str) -> func.HttpResponse:
    return render(
        req,
        "curated/form.html",
        page=PAGE,
        dataset=dataset,
        groups=form.groups(dataset),
        stages=[stage for each in registry if each.name == JOB_TYPE for stage in each.stages],
        etag=None if dataset is None else form.etag(dataset),
        **_explained(text),
    )


def _explained(text: str) -> dict[str, Any]:
    try:
        parsed = Schedule.parse(text)
    except ScheduleError as error:
        return {"means": None, "times": [], "wrong": str(error)}
    return {
        "means": wording.schedule(text),
        "times": wording.next_times(parsed, datetime.now(UTC)),
        "wrong": None,
    }


def _groups(dataset: Mapping[str, Any]) -> list[str]:
    """The filters that a dataset passes."""
    groups = ["all"]
    if dataset["enabled"]:
        groups.append("enabled")
    if dataset["state"] in _TROUBLED:
        groups.append("failed")
    return groups


def _schedule(dataset: Mapping[str, Any]) -> str:
    if dataset["source_type"] is SourceType.MANUAL:
        return "by hand only"
    return wording.schedule(dataset["update_schedule"] or NIGHTLY)


def _enabling(dataset: Mapping[str, Any]) -> str:
    """What enabling a dataset will do, for the question that is asked before."""
    parsed = Schedule.parse(dataset["update_schedule"] or NIGHTLY)
    due = parsed.next_after(datetime.now(UTC))
    return (
        f"{dataset['name']} is then updated {_schedule(dataset)}; first {ahead(due)}, "
        f"on {utc_minute(due)}."
    )


def _about_held(dataset: Mapping[str, Any], version: Mapping[str, Any]) -> str:
    return (
        f"{dataset['name']}, version {version['source_version']} of the source, "
        f"{number(version['rows'])} rows."
    )


def _about_version(dataset: Mapping[str, Any], version: Mapping[str, Any]) -> str:
    source = version["source_version"]
    of_the_source = f", {source} of the source" if source else ""
    return (
        f"{dataset['name']}, version {version['version']}{of_the_source}, "
        f"{number(version['rows'])} rows."
    )
