"""The pages of pipelines as the server renders them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest

import jobs as job_types
from core.pipelines import checking
from core.registry import JobRegistry, registry
from infrastructure import database
from services.pipelines import advancing, control, documents, runs
from tests.support.in_process import InProcessClient, Response
from tests.support.pages import EVIL
from tests.support.settings import app_settings

ROOT = "/api/interface/pipelines"


@pytest.fixture
def client(ledger_url: str) -> Iterator[InProcessClient]:
    with app_settings(DATABASE_URL=ledger_url), database.connect(autocommit=True) as connection:
        job_types.discover()
        connection.execute("TRUNCATE app.jobs, app.pipelines CASCADE")
        # Imported here: who may open a page is settled at the import, from the settings.
        from web_interfaces.pipelines import builder, interface
        from web_interfaces.pipelines import runs as run_pages

        # Literals of addresses come before names, as hosts have it.
        yield InProcessClient(run_pages.bp, builder.bp, interface.bp)


def shown(answer: Response) -> str:
    """What a reader sees, in one line."""
    assert (answer.status, answer.media_type) == (200, "text/html")
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def keep(name: str, *steps: dict[str, Any], draft: bool = False, **more: Any) -> dict[str, Any]:
    document = {"name": name, "steps": [{"kind": "job", **step} for step in steps], **more}
    return documents.create(document, draft=draft)


def hello(step: str, n: object = 1, **more: Any) -> dict[str, Any]:
    return {"id": step, "job": "hello_fan_out", "parameters": {"n": n}, **more}


def test_without_pipelines_the_page_says_how_to_begin(client: InProcessClient) -> None:
    text = shown(client.get(ROOT))
    assert "There is no pipeline yet" in text
    for example in ("Vector files to the map", "A raster by country", "that somebody approves"):
        assert example in text


def test_the_list_says_when_each_runs_and_what_keeps_it_from_it(client: InProcessClient) -> None:
    keep("nightly_counts", hello("a"), schedule={"cron": "0 2 * * *"}, title="Nightly counts")
    keep("half_done", {"id": "a", "job": "hello_fan_out"}, draft=True)
    text = shown(client.get(ROOT))
    assert re.search(r"Nightly counts 1 step nightly at 02:00 UTC next run in \d+ (h|min|s)", text)
    assert "Half done 1 step by hand draft: 1 problem" in text
    assert "Half done" not in shown(client.get(f"{ROOT}?search=counts+HELLO"))
    assert "No pipeline has" in shown(client.get(f"{ROOT}?search=nowhere"))


def test_what_people_write_never_becomes_a_part_of_a_page(client: InProcessClient) -> None:
    evil = EVIL[:180]
    gate = {"id": "look", "kind": "gate", "message": evil, "title": evil}
    step = hello("b", {"$expr": "inputs.n"}, title=evil, after=["look"])
    inputs = {"n": {"type": "integer", "description": evil, "required": False, "default": 1}}
    keep("hostile", gate, step, title=evil, description=evil, inputs=inputs)
    changed = {**documents.document("hostile"), "description": f"{evil}!"}
    documents.replace("hostile", changed, note=evil)
    run = runs.start("hostile", {})
    paths = ["", "/hostile", "/hostile/edit", "/hostile/compare", "/hostile/inputs"]
    for path in [
        *paths,
        f"/runs/{run.run_id}",
        f"/runs/{run.run_id}/steps/look",
        f"?search={evil}",
    ]:
        answer = client.get(f"{ROOT}{path}")
        assert answer.status == 200, path
        assert "<script>alert" not in answer.text, path
        assert "<img src=x" not in answer.text, path
        assert str(7919 * 7907) not in answer.text, path


def test_the_function_key_goes_along_with_every_link(client: InProcessClient) -> None:
    keep("keyed", hello("a"), hello("b", after=["a"]))
    documents.replace("keyed", {**documents.document("keyed"), "title": "Other"})
    run = runs.start("keyed", {})
    for path in ("", "/keyed", "/keyed/compare", f"/runs/{run.run_id}"):
        answer = client.get(f"{ROOT}{path}?code=secret")
        links = re.findall(r'href="(/api/[^"]+)"', answer.text)
        pages = [each for each in links if "/static/" not in each]
        assert pages
        assert [each for each in pages if "code=secret" not in each] == []


def test_a_draft_says_what_is_wrong_and_cannot_be_run(client: InProcessClient) -> None:
    keep("half_done", {"id": "a", "job": "hello_fan_out", "title": "Say hello"}, draft=True)
    answer = client.get(f"{ROOT}/half_done")
    assert "A draft: it cannot be run yet Say hello: n" in shown(answer)
    assert "step-card step-problem" in answer.text
    assert "data-run=" not in answer.text


def test_a_version_is_checked_once_and_again_where_the_job_types_are_others(
    client: InProcessClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep("watched", hello("a"))
    check, checked = checking.check_document, []

    def counted(document: object, jobs: JobRegistry) -> checking.Check:
        checked.append(document)
        return check(document, jobs)

    monkeypatch.setattr(checking, "check_document", counted)
    for _ in range(3):
        assert "data-run=" in client.get(f"{ROOT}/watched").text
    assert len(checked) == 1
    monkeypatch.setattr(registry, "_definitions", {})
    assert "there is no job type hello_fan_out" in shown(client.get(f"{ROOT}/watched"))
    assert len(checked) == 2


def test_the_page_of_a_step_says_of_which_run_it_is(client: InProcessClient) -> None:
    keep("greeting", hello("a", title="Say hello"), title="Greetings")
    run = runs.start("greeting", {})
    answer = client.get(f"{ROOT}/runs/{run.run_id}/steps/a")
    assert f"Greetings / run {run.run_id[:8]} Say hello pending hello fan out" in shown(answer)
    assert 'hx-trigger="every 2s' in answer.text
    assert client.get(f"{ROOT}/runs/{run.run_id}/steps/b").status == 404


def test_of_a_whole_step_the_comparison_shows_only_what_was_written(
    client: InProcessClient,
) -> None:
    keep("changing", hello("a"))
    both = {**documents.document("changing"), "steps": [hello("a", 2), hello("b", 7)]}
    both["steps"] = [{"kind": "job", **step} for step in both["steps"]]
    documents.replace("changing", both)
    text = shown(client.get(f"{ROOT}/changing/compare?from=1&to=2"))
    assert "A: n changed before: 1 after: 2" in text
    assert "B added after: job hello_fan_out parameters n 7" in text
    assert "max failed share" not in text
    assert "Bring version 1 back" in text


def test_a_run_that_has_ended_asks_for_nothing_more(client: InProcessClient) -> None:
    keep("stopped", hello("a"))
    run = runs.start("stopped", {})
    asking = client.get(f"{ROOT}/runs/{run.run_id}")
    assert 'hx-trigger="every 2s' in asking.text
    control.cancel(run.run_id)
    with database.transaction() as connection:
        connection.execute(
            "UPDATE app.pipeline_steps SET status = 'cancelled', finished_at = now()"
        )
        connection.execute("UPDATE app.pipeline_runs SET status = 'cancelled', finished_at = now()")
    ended = client.get(f"{ROOT}/runs/{run.run_id}")
    assert "hx-trigger" not in ended.text
    assert 'data-action="resume_run"' in ended.text


def test_the_run_of_a_deleted_pipeline_leads_to_nothing_that_is_gone(
    client: InProcessClient,
) -> None:
    keep("passing", hello("a"))
    run = runs.start("passing", {})
    page = f"{ROOT}/runs/{run.run_id}"
    assert "data-run=" in client.get(page).text
    with database.transaction() as connection:
        connection.execute("UPDATE app.pipeline_runs SET status = 'completed', finished_at = now()")
    documents.delete("passing")
    for path in (page, f"{page}/steps/a"):
        answer = client.get(path)
        assert "Passing" in shown(answer)
        assert f"{ROOT}/passing" not in answer.text
    text = client.get(page).text
    assert "version 1 of a pipeline that has been deleted" in text
    assert "data-run=" not in text


def test_a_run_that_waits_for_somebody_is_listed_as_such(client: InProcessClient) -> None:
    keep("waiting", {"id": "look", "kind": "gate", "message": "Go on?"})
    run = runs.start("waiting", {})
    advancing.advance(run.run_id)
    assert "Last run of waiting: awaiting approval" in client.get(ROOT).text


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/nothing/edit", "/nothing/compare", "/nothing/inputs", "/NOT%20A%20NAME",
     "/runs/0123", f"/runs/{'0' * 64}", f"/runs/{'0' * 64}/steps/a"],
)  # fmt: skip
def test_what_there_is_not_is_answered_with_a_page(client: InProcessClient, path: str) -> None:
    answer = client.get(ROOT + path)
    assert (answer.status, answer.media_type) == (404, "text/html")
    assert "<h1" in answer.text


def test_what_a_schedule_means_is_said(client: InProcessClient) -> None:
    text = shown(client.get(f"{ROOT}/parts/schedule?cron=30+6+*+*+mon"))
    assert text.startswith("Every Monday at 06:30 UTC")
    assert "This is no schedule yet" in shown(client.get(f"{ROOT}/parts/schedule?cron=sometimes"))
