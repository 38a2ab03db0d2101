"""Updates that read days, or an uploaded file: who may ask for them, and where that is said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from core.errors import Conflict, InvalidParameters
from core.models.curated import UpdateType
from infrastructure import curated_updates_repository as updates_log
from infrastructure import database, job_repository
from infrastructure.database import Connection
from services.curated import updates
from services.curated.handler import Days, UploadedFile
from services.curated.parameters import CuratedUpdate
from services.curated.vector_file import VectorFile
from services.orchestration import closing, submission
from tests.support.curated import JOB_TYPE, Context, add_dataset, forget_datasets, register_job_type

FAILURE = {"code": "source_unreachable", "message": "The source does not answer."}
MARCH = {"dataset_id": "lakes", "to_date": "2024-03-31"}


@pytest.fixture(autouse=True)
def registry_of_datasets(
    ledger: Connection, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Connection]:
    """One dataset, `lakes`, and a job type that updates it."""
    register_job_type(monkeypatch)
    forget_datasets(ledger)
    add_dataset(ledger)
    return ledger


def details(connection: Connection, job_id: str) -> Any:
    found = updates_log.of_job(connection, job_id)
    assert found is not None
    return found["details"]


def fail(job_id: str) -> None:
    """End a job as its orchestrator does."""
    with database.transaction() as connection:
        resumes = job_repository.get(connection, job_id).resumes
    closing.finalize_job(job_id, FAILURE, resumes)


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"days": Days(date(2024, 1, 1), date(2024, 3, 31))}, ["from_date", "to_date"]),
        ({"days": Days(None, date(2024, 3, 31))}, ["to_date"]),
        ({"file": UploadedFile("uploads", "lakes.zip")}, ["container_name", "blob_name"]),
    ],
)
def test_what_the_handler_does_not_know_is_refused(
    ledger: Connection, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], named: list[str]
) -> None:
    monkeypatch.setattr(VectorFile, "options", frozenset())
    with pytest.raises(InvalidParameters, match=", ".join(named)) as refusal:
        updates.start("lakes", UpdateType.MANUAL, **asked)
    assert [error["loc"] for error in refusal.value.errors] == [[name] for name in named]
    assert all("vector_file" in error["msg"] for error in refusal.value.errors)
    assert ledger.execute("SELECT FROM app.jobs").fetchall() == []
    assert ledger.execute("SELECT FROM app.curated_update_log").fetchall() == []


def test_the_job_and_the_log_are_told(ledger: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VectorFile, "options", frozenset({"days", "file"}))
    job = updates.start(
        "lakes",
        UpdateType.MANUAL,
        days=Days(date(2024, 1, 1), None),
        file=UploadedFile("uploads", "lakes.zip"),
    )
    asked = {"from_date": "2024-01-01", "container_name": "uploads", "blob_name": "lakes.zip"}
    parameters = job_repository.get(ledger, job.job_id).parameters
    assert {name: parameters[name] for name in asked} == asked
    assert parameters["to_date"] is None
    assert details(ledger, job.job_id) == {"asked": asked}


def test_a_file_is_read_without_the_credentials_of_the_source(
    ledger: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RIVERS_KEY", raising=False)
    add_dataset(ledger, "rivers", credential_key="RIVERS_KEY")
    with pytest.raises(Conflict, match="RIVERS_KEY"):
        updates.start("rivers", UpdateType.MANUAL)
    assert updates.start(
        "rivers", UpdateType.MANUAL, file=UploadedFile("uploads", "rivers.zip")
    ).created


def test_the_log_is_told_of_a_job_that_was_submitted_as_such(ledger: Connection) -> None:
    job = submission.submit(JOB_TYPE, MARCH)
    updates.opened(ledger, Context(job.job_id, CuratedUpdate.model_validate(MARCH)))
    assert details(ledger, job.job_id) == {"asked": {"to_date": "2024-03-31"}}
    fail(job.job_id)
    assert details(ledger, job.job_id) == {"asked": {"to_date": "2024-03-31"}, "error": FAILURE}


def test_the_log_is_told_of_a_job_that_ended_before_it_had_a_row(ledger: Connection) -> None:
    job = submission.submit(JOB_TYPE, MARCH)
    fail(job.job_id)
    assert details(ledger, job.job_id) == {"asked": {"to_date": "2024-03-31"}, "error": FAILURE}
