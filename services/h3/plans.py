"""The plan of an aggregation, kept in the job's workspace between its stages."""

from __future__ import annotations

from core.job_definition import Workspace
from services.h3.model import Plan

_NAME = "plan.json"


def keep(workspace: Workspace, plan: Plan) -> None:
    """Keep the plan; one of an earlier attempt is replaced."""
    workspace.write_bytes(_NAME, plan.model_dump_json().encode())


def read(workspace: Workspace) -> Plan:
    """The plan that the first stage has kept."""
    return Plan.model_validate_json(workspace.read_bytes(_NAME))
