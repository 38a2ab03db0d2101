"""An update that is asked for over HTTP: of some days, or from an uploaded file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

import jobs
from infrastructure import database
from infrastructure.database import Connection
from services.curated import handlers
from services.curated.handler import Option
from services.curated.vector_file import VectorFile
from tests.support.curated_datasets import forget_all, register
from tests.support.in_process import InProcessClient, Response
from tests.support.settings import app_settings
from web_interfaces.api.curated import bp

AT = "/api/curated/datasets/lakes"
DAYS = {"from_date": "2024-02-01", "to_date": "2024-02-29"}
FILE = {"container_name": "uploads", "blob_name": "2024/lakes.zip"}


class Plain(VectorFile):
    """A handler that can be asked for nothing but an update."""

    name = "plain"
    options: ClassVar[frozenset[Option]] = frozenset()


class Daily(VectorFile):
    """A handler that reads by days."""

    name = "daily"
    options: ClassVar[frozenset[Option]] = frozenset({"days"})


class Manual(VectorFile):
    """A handler that reads uploaded files."""

    name = "by_hand"
    options: ClassVar[frozenset[Option]] = frozenset({"file"})


@pytest.fixture
def db(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    more = {handler.name: handler for handler in (Plain(), Daily(), Manual())}
    monkeypatch.setattr(handlers, "_BY_NAME", {**handlers._BY_NAME, **more})
    with app_settings(DATABASE_URL=ledger_url), database.connect(autocommit=True) as connection:
        jobs.discover()
        forget_all(connection)
        yield connection


@pytest.fixture
def client(db: Connection) -> InProcessClient:
    return InProcessClient(bp)


def faults(answer: Response) -> dict[str, str]:
    assert (answer.status, answer.media_type) == (422, "application/problem+json"), answer.text
    return {".".join(map(str, each["loc"])): each["msg"] for each in answer.json()["errors"]}


def asked(client: InProcessClient) -> list[dict[str, Any]]:
    """What the log says was asked for, newest first."""
    history = client.get(f"{AT}/history").json()["history"]
    return [entry["details"].get("asked", {}) for entry in history]


@pytest.mark.parametrize(
    ("handler", "options"), [("plain", []), ("daily", ["days"]), ("by_hand", ["file"])]
)
def test_a_dataset_says_what_it_can_be_asked_for(
    client: InProcessClient, db: Connection, handler: str, options: list[str]
) -> None:
    register(db, handler=handler)
    shown = client.get(AT).json()
    assert shown["options"] == options
    # It may stay in what is put again.
    assert client.put(AT, shown).status == 200


def test_of_a_handler_that_is_not_here_nothing_is_known(
    client: InProcessClient, db: Connection
) -> None:
    register(db, handler="crystal_ball")
    assert client.get(AT).json()["options"] == []


@pytest.mark.parametrize(("handler", "wanted"), [("daily", DAYS), ("by_hand", FILE)])
def test_the_job_is_told_and_so_is_the_log(
    client: InProcessClient, db: Connection, handler: str, wanted: dict[str, str]
) -> None:
    register(db, handler=handler)

    answer = client.post(f"{AT}/update", wanted)

    assert answer.status == 202, answer.text
    row = db.execute(
        "SELECT parameters FROM app.jobs WHERE job_id = %s", (answer.json()["job_id"],)
    ).fetchone()
    assert row is not None
    assert {name: row["parameters"].get(name) for name in wanted} == wanted
    assert asked(client) == [wanted]


@pytest.mark.parametrize(
    ("handler", "wanted"),
    [("plain", DAYS), ("plain", FILE), ("daily", FILE), ("by_hand", DAYS)],
)
def test_what_a_handler_cannot_do_is_refused_by_field(
    client: InProcessClient, db: Connection, handler: str, wanted: dict[str, str]
) -> None:
    register(db, handler=handler)
    assert list(faults(client.post(f"{AT}/update", wanted))) == list(wanted)
    assert asked(client) == []


def test_fields_that_do_not_fit_each_other_are_refused(
    client: InProcessClient, db: Connection
) -> None:
    register(db, handler="daily")
    backwards = {"from_date": "2024-03-01", "to_date": "2024-02-29"}
    assert faults(client.post(f"{AT}/update", backwards)) == {
        "to_date": "must not be before the first day"
    }
    assert list(faults(client.post(f"{AT}/update", {"blob_name": "x.zip"}))) == ["container_name"]
    assert asked(client) == []
