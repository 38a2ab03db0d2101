"""The registry of curated datasets over HTTP: a dataset called lakes, and what answers say."""

from __future__ import annotations

import json
from typing import Any

from core.models.curated import UpdateType
from core.models.feature_table import TableName
from infrastructure import curated_updates_repository as updates_log
from infrastructure.database import Connection
from tests.support.in_process import InProcessClient, Response

DATASETS = "/api/curated/datasets"
AT = f"{DATASETS}/lakes"
LAKES_TABLE = TableName(table_name="curated_lakes")
LOCHS_TABLE = TableName(table_name="curated_lochs")
LAKES_ROWS = "SELECT code, name FROM geo.curated_lakes"


def put_dataset(
    client: InProcessClient, body: dict[str, Any], at: str = AT, **headers: str
) -> Response:
    """Put a definition in place; the underscores of header names are hyphens."""
    return client.call(
        "PUT",
        at,
        json.dumps(body).encode(),
        {name.replace("_", "-"): text for name, text in headers.items()},
    )


def problem(answer: Response, status: int, code: str | None = None) -> dict[str, Any]:
    """What an answer that is a refusal says."""
    assert answer.status == status, answer.text
    assert answer.media_type == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert code is None or found["code"] == code
    return found


def faults(answer: Response) -> dict[str, str]:
    """What is wrong with each field, by the path to it."""
    errors = problem(answer, 422)["errors"]
    return {".".join(map(str, fault["loc"])): fault["msg"] for fault in errors}


def log(db: Connection, job_id: str, **options: Any) -> int:
    """Open a row of the log for lakes; its log_id."""
    return updates_log.begin(db, "lakes", job_id, UpdateType.MANUAL, **options)
