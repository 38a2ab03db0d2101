"""Runs that fall due: each due time once, the latest of those missed, and what cannot begin."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from core.job_definition import JobDefinition
from core.models.pipeline import FORMAT
from core.registry import registry
from infrastructure.database import Connection
from services.pipelines import documents, scheduling
from tests.support.engine import Load
from tests.support.pipeline_runs import expression, job, saved

DAILY = {"cron": "0 2 * * *"}


def at(day: int, hour: int = 3) -> datetime:
    return datetime(2031, 5, day, hour, tzinfo=UTC)


def scheduled(pipelines: Connection, *steps: Any, **fields: Any) -> str:
    """A pipeline that is scheduled from noon of the first day."""
    name = saved(*steps, **{"schedule": DAILY, **fields})
    pipelines.execute(
        "UPDATE app.pipelines SET schedule_from = %s WHERE name = %s", (at(1, 12), name)
    )
    return name


def rows(pipelines: Connection) -> list[dict[str, Any]]:
    return pipelines.execute("SELECT * FROM app.pipeline_runs ORDER BY due_at").fetchall()


def test_a_run_begins_when_it_is_due(pipelines: Connection, load: JobDefinition[Load]) -> None:
    name = scheduled(
        pipelines,
        job("only", load, parameters={"label": expression("inputs.place")}),
        inputs={"place": {"type": "string"}},
        schedule={**DAILY, "inputs": {"place": "Delft"}},
    )
    assert scheduling.run_due(at(1, 13)) == []
    [begun] = scheduling.run_due(at(2))
    [row] = rows(pipelines)
    assert (begun.run_id, begun.name, begun.created) == (row["run_id"], name, True)
    assert (row["began_by"], row["due_at"]) == ("schedule", at(2, 2))
    assert row["inputs"] == {"place": "Delft"}


def test_of_those_missed_only_the_latest_is_made_up_for(
    pipelines: Connection, load: JobDefinition[Load]
) -> None:
    scheduled(pipelines, job("only", load))
    scheduling.run_due(at(20))
    assert [row["due_at"] for row in rows(pipelines)] == [at(20, 2)]


def test_a_due_time_has_one_run(pipelines: Connection, load: JobDefinition[Load]) -> None:
    scheduled(pipelines, job("only", load))
    assert len(scheduling.run_due(at(2))) == 1
    assert scheduling.run_due(at(2)) == []
    assert scheduling.run_due(at(2, 23)) == []
    assert len(scheduling.run_due(at(3))) == 1
    # A clock that is set back doubles nothing.
    assert scheduling.run_due(at(2)) == []


def test_what_is_disabled_a_draft_or_deleted_does_not_run(
    pipelines: Connection, load: JobDefinition[Load]
) -> None:
    scheduled(pipelines, job("only", load), schedule={**DAILY, "enabled": False})
    scheduled(pipelines, job("only", load, after=["nobody"]), problems=1)
    deleted = scheduled(pipelines, job("only", load))
    pipelines.execute("UPDATE app.pipelines SET deleted_at = now() WHERE name = %s", (deleted,))
    assert scheduling.run_due(at(2)) == []
    assert rows(pipelines) == []


def test_what_cannot_begin_is_shown_once_and_stops_no_other(
    pipelines: Connection,
    load: JobDefinition[Load],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone = scheduled(pipelines, job("only", load), job("then", load, after=["only"]))
    monkeypatch.delitem(registry._definitions, load.name)
    for _ in range(3):
        assert scheduling.run_due(at(2)) == []
    [row] = rows(pipelines)
    assert (row["name"], row["status"]) == (gone, "failed")
    assert row["error"]["message"].startswith("The scheduled run could not begin: ")
    steps = pipelines.execute("SELECT status, reason FROM app.pipeline_steps").fetchall()
    assert [step["status"] for step in steps] == ["skipped", "skipped"]
    assert sum(record.levelname == "ERROR" for record in caplog.records) == 1


@pytest.mark.parametrize("how", ["as a new version", "as it was"])
def test_a_draft_that_is_mended_makes_up_for_nothing(
    pipelines: Connection, load: JobDefinition[Load], how: str
) -> None:
    """While it had problems nothing of it was due."""
    long_ago = datetime(2001, 5, 1, tzinfo=UTC)
    good = [job("only", load)]
    bad = good if how == "as it was" else [job("only", load, after=["nobody"])]
    name = saved(*bad, problems=1, schedule=DAILY)
    pipelines.execute("UPDATE app.pipelines SET schedule_from = %s", (long_ago,))
    documents.replace(name, {"format": FORMAT, "steps": good, "schedule": DAILY})
    [row] = pipelines.execute("SELECT schedule_from, now() AS now FROM app.pipelines").fetchall()
    assert long_ago < row["schedule_from"] <= row["now"]
    assert scheduling.run_due(row["schedule_from"]) == []


def test_a_clock_that_was_ahead_does_not_hold_schedules_up(
    pipelines: Connection, load: JobDefinition[Load]
) -> None:
    name = scheduled(pipelines, job("only", load))
    pipelines.execute("UPDATE app.pipelines SET schedule_from = %s WHERE name = %s", (at(25), name))
    assert scheduling.run_due(at(2, 1)) == []
    assert len(scheduling.run_due(at(2))) == 1
