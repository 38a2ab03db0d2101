"""The handler of docs/adding-a-dataset.md, taken from the page as it stands and run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import jobs
from core.job_definition import JobDefinition
from core.registry import registry
from infrastructure import database
from infrastructure.database import Connection
from services.curated import handlers
from tests.support.curated_datasets import forget_all
from tests.support.file_server import File, FileServer, file_server
from tests.support.in_process import InProcessClient
from tests.support.run_job import JobRun, TaskFailed
from tests.support.settings import app_settings

CHECKOUT = Path(__file__).parents[2]
PAGE = (CHECKOUT / "docs" / "adding-a-dataset.md").read_text("utf-8")
DATASETS = "/api/curated/datasets"
KONSTANZ = {
    "code": "RH-01", "name": "Konstanz", "river": "Rhine", "opened": "1816-01-01",
    "height_m": 391.9, "lon": 9.17, "lat": 47.66,
}  # fmt: skip
KOELN = {**KONSTANZ, "code": "RH-02", "name": "Köln", "height_m": 35.0, "lon": 6.96, "lat": 50.94}
PASSAU = {**KONSTANZ, "code": "DO-01", "name": 'Passau, "Maxbrücke"', "river": "", "opened": None}


def code() -> str:
    """The one block of Python on the page."""
    [block] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    return str(block)


def definition(server: FileServer) -> dict[str, Any]:
    """What the page registers, at this server."""
    [body] = re.findall(r"/api/curated/datasets -d '(\{.*?\})'", PAGE, re.DOTALL)
    return {**json.loads(body), "source_url": server.url}


def offer(server: FileServer, release: str, *pages: list[dict[str, Any]]) -> None:
    """Publish a release of the water board."""

    def put(path: str, value: Any) -> None:
        headers = {"content-type": "application/json"}
        server.files[path] = File(json.dumps(value).encode(), headers)

    put("/release", {"name": release, "pages": len(pages)})
    for number, page in enumerate(pages, start=1):
        put(f"/{release}/gauges/{number}", page)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as server:
        yield server


@pytest.fixture
def connection(
    ledger_url: str,
    blob_connection_string: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Connection]:
    with (
        app_settings(
            DATABASE_URL=ledger_url,
            AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
            GEOFORGE_CURATED_CONTAINER=f"curated-{uuid.uuid4().hex[:12]}",
            GEOFORGE_SOURCE_CACHE_DIR=str(tmp_path / "sources"),
            GEOFORGE_ALLOWED_HOSTS="127.0.0.1",
        ),
        database.connect(autocommit=True) as connection,
    ):
        jobs.discover()
        forget_all(connection)
        module = ModuleType("gauges_handler")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(compile(code(), "docs/adding-a-dataset.md", "exec"), module.__dict__)
        known = {**handlers._BY_NAME, "gauges": module.Gauges()}
        monkeypatch.setattr(handlers, "_BY_NAME", known)
        monkeypatch.setattr(handlers, "_HANDLERS", tuple(known.values()))
        yield connection


@pytest.fixture
def client(connection: Connection) -> InProcessClient:
    from web_interfaces.api import curated, styles

    return InProcessClient(curated.bp, styles.bp)


def update(connection: Connection, client: InProcessClient, **asked: Any) -> Any:
    """Ask for an update over HTTP, and do its job in this process; the job's result."""
    begun = client.post(f"{DATASETS}/gauges/update", asked)
    assert begun.status == 202, begun.text
    job_id = begun.json()["job_id"]
    row = connection.execute(
        "SELECT job_type, parameters FROM app.jobs WHERE job_id = %s", (job_id,)
    ).fetchone()
    assert row is not None
    job: JobDefinition[Any] = registry.get(row["job_type"])
    run = JobRun(job, **row["parameters"])
    assert run.job_id == job_id
    return run.run()


def rows(connection: Connection) -> list[tuple[Any, ...]]:
    found = connection.execute(
        "SELECT code, name, river, opened::text, height_m, ST_AsText(geom) AS place"
        " FROM geo.curated_gauges ORDER BY code"
    ).fetchall()
    return [tuple(row.values()) for row in found]


def test_from_its_registration_to_its_table(
    connection: Connection, client: InProcessClient, server: FileServer
) -> None:
    offer(server, "2026-11", [KONSTANZ, KOELN], [PASSAU])
    created = client.post(DATASETS, definition(server))
    assert created.status == 201, created.text
    assert created.json()["handler"] == "gauges"

    planned = update(connection, client, dry_run=True)
    assert (planned["action"], planned["changes"]["added"]) == ("planned", 3)
    done = update(connection, client)

    assert (done["action"], done["source_version"]) == ("updated", "2026-11")
    assert (done["read"], done["loaded"], done["quarantined"]) == (3, 3, 0)
    assert rows(connection) == [
        ("DO-01", 'Passau, "Maxbrücke"', None, None, 391.9, "POINT(9.17 47.66)"),
        ("RH-01", "Konstanz", "Rhine", "1816-01-01", 391.9, "POINT(9.17 47.66)"),
        ("RH-02", "Köln", "Rhine", "1816-01-01", 35.0, "POINT(6.96 50.94)"),
    ]
    dataset = client.get(f"{DATASETS}/gauges").json()
    assert (dataset["state"], dataset["rows"]) == ("current", 3)


def test_the_same_release_is_skipped_and_the_next_one_compared_by_key(
    connection: Connection, client: InProcessClient, server: FileServer
) -> None:
    gates = {"row_count_change_pct": None, "extent_change_pct": None}
    offer(server, "2026-11", [KONSTANZ, KOELN], [PASSAU])
    client.post(DATASETS, {**definition(server), "gates": gates})
    update(connection, client)
    assert update(connection, client)["action"] == "skipped"

    offer(server, "2026-12", [{**KONSTANZ, "height_m": 392.0}, KOELN])
    changes = update(connection, client)["changes"]

    assert {name: changes[name] for name in ("added", "updated", "deleted", "unchanged")} == {
        "added": 0, "updated": 1, "deleted": 1, "unchanged": 1,
    }  # fmt: skip
    assert [row[0] for row in rows(connection)] == ["RH-01", "RH-02"]


def test_it_is_drawn_with_its_legend(
    connection: Connection, client: InProcessClient, server: FileServer
) -> None:
    offer(server, "2026-11", [KONSTANZ])
    client.post(DATASETS, definition(server))
    update(connection, client)
    style = client.get("/api/styles/curated_gauges/by-height").json()
    legend = style["metadata"]["legend"]
    assert [entry["label"] for entry in legend] == ["Below 300 m", "300 m and above"]


def test_a_release_that_is_gone_in_between_ends_the_update(
    connection: Connection, client: InProcessClient, server: FileServer
) -> None:
    offer(server, "2026-11", [KONSTANZ], [KOELN])
    del server.files["/2026-11/gauges/2"]
    client.post(DATASETS, definition(server))
    with pytest.raises(TaskFailed) as failed:
        update(connection, client)
    assert "404" in str(failed.value.__cause__)


def test_it_wants_an_address(client: InProcessClient, server: FileServer) -> None:
    answer = client.post(DATASETS, {**definition(server), "source_url": None})
    assert answer.status == 422
    assert answer.json()["errors"] == [{"loc": ["source_url"], "msg": "must be given"}]


def test_it_is_as_short_as_it_is_said_to_be_and_in_our_style(tmp_path: Path) -> None:
    assert len(code().splitlines()) < 80
    module = tmp_path / "gauges_handler.py"
    module.write_text(code(), "utf-8")
    ruff = [sys.executable, "-m", "ruff"]
    config = ["--config", str(CHECKOUT / "pyproject.toml")]
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [*ruff, *command, *config, str(module)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
