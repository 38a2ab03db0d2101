"""From a job to the form of one like it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import azure.functions as func
from pydantic import AliasChoices

from core.job_definition import JobDefinition
from core.models.curated import JOB_TYPE
from core.registry import registry
from services.orchestration import status
from web_interfaces.pages.forms import texts
from web_interfaces.pages.registry import ROOT
from web_interfaces.pages.rendering import link_to

# What makes one update of a curated dataset differ from the next.
_OF_ONE_UPDATE = ("update_type", "due_at", "request_id")

# Longer addresses are cut or refused by some of what lies between a browser and here.
_LONGEST_QUERY = 1500


def path(req: func.HttpRequest, job: Mapping[str, Any]) -> str | None:
    """The form that begins with a job's parameters; None where this version of the app has no
    such job type any more."""
    if _definition(job["job_type"]) is None:
        return None
    form = f"{ROOT}/jobs/new/{job['job_type']}"
    given = texts(_of_a_similar_job(job["job_type"], job["parameters"]))
    if len(urlencode(given)) > _LONGEST_QUERY:
        return link_to(req, form, like=job["job_id"])
    return link_to(req, form, **given)


def given(definition: JobDefinition[Any], query: Mapping[str, str]) -> dict[str, str]:
    """The texts that a form begins with: those of the job that `like` names, and over them those
    of the query. Raises `NotFound` for an unknown job."""
    like = query.get("like")
    if like is None:
        return dict(query)
    parameters = status.job_view(like)["parameters"]
    return {**texts(_of_a_similar_job(definition.name, parameters)), **query}


def in_order(job_type: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as the job type declares them: the ledger keeps no order of names."""
    definition = _definition(job_type)
    names = list(definition.parameters.model_fields) if definition else []
    known = {name: parameters[name] for name in names if name in parameters}
    return {**known, **parameters}


def _of_a_similar_job(job_type: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters without those that make a job the one of its kind: with them, submitting
    again would lead back to that job."""
    of_one_run = _OF_ONE_UPDATE if job_type == JOB_TYPE else ()
    names = _names(job_type)
    return {
        names.get(name, name): value for name, value in parameters.items() if name not in of_one_run
    }


def _names(job_type: str) -> dict[str, str]:
    """The names that forms and schemas have for the parameters of the ledger, where they differ:
    a parameter `schema` cannot be a field of that name."""
    definition = _definition(job_type)
    fields = definition.parameters.model_fields if definition else {}
    return {
        name: str(field.validation_alias.choices[0])
        for name, field in fields.items()
        if isinstance(field.validation_alias, AliasChoices)
    }


def _definition(job_type: str) -> JobDefinition[Any] | None:
    return next((each for each in registry if each.name == job_type), None)
