"""Log lines that say which job, stage, task and attempt they belong to."""

from __future__ import annotations

import contextvars
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from config import Settings
from infrastructure import telemetry
from infrastructure.telemetry import task_scope

JOB = "0123456789abcdef" * 4


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[logging.Logger]:
    factory = logging.getLogRecordFactory()
    settings = Settings(
        DATABASE_URL="postgresql://db/x",
        AZURE_STORAGE_CONNECTION_STRING="x",
        SERVICE_BUS_CONNECTION_STRING="x",
        APPLICATIONINSIGHTS_CONNECTION_STRING=None,
    )
    telemetry.configure(settings)
    telemetry.configure(settings)  # a second time adds nothing
    caplog.set_level(logging.INFO)
    yield logging.getLogger("services.test")
    logging.setLogRecordFactory(factory)


def test_a_line_names_its_task(log: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    with task_scope(job_id=JOB, stage=1), task_scope(task=7, attempt=2):
        log.info("copied %d bytes", 5)
    [record] = caplog.records
    assert record.getMessage() == ("[job_id=0123456789ab stage=1 task=7 attempt=2] copied 5 bytes")
    assert (record.job_id, record.stage, record.task, record.attempt) == (JOB, 1, 7, 2)


def test_a_scope_ends(log: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ValueError, match="x"), task_scope(job_id=JOB):
        raise ValueError("x")
    log.info("free")
    assert caplog.records[-1].getMessage() == "free"


def test_a_percent_sign_in_a_field_does_no_harm(
    log: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    with task_scope(task="100%s"):
        log.info("done with %s", "it")
    assert caplog.records[-1].getMessage() == "[task=100%s] done with it"


def test_threads_have_scopes_of_their_own(
    log: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    def work(task: int) -> None:
        with task_scope(task=task):
            log.info("task %d", task)

    with ThreadPoolExecutor(4) as threads, task_scope(job_id=JOB):
        scopes = [contextvars.copy_context() for _ in range(20)]
        list(threads.map(lambda scope, task: scope.run(work, task), scopes, range(20)))
    for record in caplog.records:
        task = record.args[0]  # type: ignore[index]
        assert record.getMessage() == f"[job_id=0123456789ab task={task}] task {task}"
