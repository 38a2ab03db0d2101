"""The pages as the server renders them: what they show, escape, link and answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import azure.functions as func
import pytest

from infrastructure import database
from tests.support.ledger import Stage, Task, add_job
from tests.support.pages import EVIL, html, text
from web_interfaces.pages.formats import NOTHING

Get = Callable[..., func.HttpResponse]


def links(page: str) -> list[str]:
    return [unescape(link) for link in re.findall(r'(?:href|hx-get|data-url)="([^"]+)"', page)]


class Elements(HTMLParser):
    """The tags and attributes that a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


RUNNING = Stage("copy", total=200, completed=50, failed=2, began=30)
LATER = Stage("register", "pending", total=None, began=None)


class TestDashboard:
    def test_shows_how_to_begin_when_nothing_has_run(self, get: Get) -> None:
        page = get("/api/interface/metrics")
        assert "No job has run yet" in text(page)
        assert "/api/interface/jobs/new/hello_fan_out" in links(html(page))

    def test_shows_running_jobs_with_stages_rate_and_time_left(
        self, get: Get, ledger: database.Connection
    ) -> None:
        job_id = add_job(ledger, RUNNING, LATER, job_type="ingest_collection")
        shown = text(get("/api/interface/metrics"))
        assert "Running 1 Queued 0" in shown
        assert f"Ingest collection {job_id[:8]} 13%" in shown
        assert "copy 52 of 200 2 failed" in shown
        assert "then register" in shown
        assert re.search(r"Tasks a minute 10[0-9] Time left about \d+ s in this stage", shown)
        assert "Errors 3.9%" in shown

    def test_shows_ended_jobs_and_events(self, get: Get, ledger: database.Connection) -> None:
        job_id = add_job(ledger, status="failed", created=100, ended=40)
        ledger.execute(
            "INSERT INTO app.job_metrics (job_id, metric_type, payload) VALUES (%s, 'error', %s)",
            (job_id, '{"kind": "job_failed", "message": "Job failed: no container"}'),
        )
        shown = text(get("/api/interface/metrics"))
        assert "Failed, 24 h 1" in shown
        assert f"{job_id[:8]} failed 1 min" in shown
        assert "Error: Job failed: no container" in shown


class TestJob:
    def test_shows_stages_tasks_errors_parameters_and_result(
        self, get: Get, ledger: database.Connection
    ) -> None:
        error = {"code": "blob_not_found", "message": "There is no blob 'a'/'b'."}
        tasks = (Task(0, result={"bytes": 5}), Task(1, status="failed", error=error))
        stage = Stage("copy", "completed_with_errors", total=2, completed=1, failed=1, ended=9)
        quarantined = [{"item": "i1", "reason": "asset_missing"}]
        job_id = add_job(
            ledger,
            stage,
            status="completed_with_errors",
            tasks=tasks,
            result={"items_read": 1180, "quarantined": quarantined},
        )
        shown = text(get(f"/api/interface/jobs/{job_id}"))
        for part in (
            "completed with errors",
            "2 of 2 1 failed",
            "There is no blob 'a'/'b'. blob_not_found · 1 task of copy",
            "for example copy 1",
            "n 10",
            "items read 1,180",
            "item reason i1 asset_missing",
            f'copy 0 completed 1 {NOTHING} {{"bytes": 5}}',
            "Resume",
        ):
            assert part in shown

    def test_a_failed_job_says_why(self, get: Get, ledger: database.Connection) -> None:
        error = {"code": "no_container", "message": "No container.", "stage_name": "copy"}
        job_id = add_job(ledger, status="failed", error=error)
        assert "Why it failed No container. no_container in stage copy" in text(
            get(f"/api/interface/jobs/{job_id}")
        )

    def test_an_error_needs_no_more_than_a_message(
        self, get: Get, ledger: database.Connection
    ) -> None:
        """The engine records an error outside of a stage, such as of a finalizer, so."""
        task = Task(0, status="failed", error={"message": "Lost."})
        stage = Stage(total=1, failed=1)
        job_id = add_job(ledger, stage, status="failed", error={"message": "No."}, tasks=(task,))
        shown = text(get(f"/api/interface/jobs/{job_id}"))
        assert "Why it failed No. failed" in shown
        assert "Lost. failed" in shown

    def test_a_result_of_any_shape_can_be_shown(
        self, get: Get, ledger: database.Connection
    ) -> None:
        result = {
            "mixed": [{"a": 1}, "b", None, [2]],
            "deep": {"a": {"b": {"c": {"d": {"e": 1}}}}},
            "empty": {"list": [], "object": {}, "text": ""},
            "uneven": [{"a": 1}, {"b": 2}],
            "many": list(range(60)),
            "flag": False,
            "share": 0.125,
        }
        shown = text(
            get(f"/api/interface/jobs/{add_job(ledger, status='completed', result=result)}")
        )
        for part in ("mixed a 1 b none 2", '{"e": 1}', "and 10 more", "flag no", "share 0.12"):
            assert part in shown

    def test_offers_what_the_state_allows(self, get: Get, ledger: database.Connection) -> None:
        offered = {}
        for status in ("queued", "running", "completed", "failed", "cancelled"):
            job_id = add_job(ledger, status=status)
            page = html(get(f"/api/interface/jobs/{job_id}"))
            offered[status] = re.findall(r'data-action="(\w+)"', page)
        assert offered == {
            "queued": ["cancel"],
            "running": ["cancel"],
            "completed": [],
            "failed": ["resume"],
            "cancelled": ["resume"],
        }

    def test_filters_and_pages_tasks(self, get: Get, ledger: database.Connection) -> None:
        tasks = tuple(Task(n, status="failed" if n == 29 else "completed") for n in range(30))
        stage = Stage("copy", total=30, completed=29, failed=1)
        path = f"/api/interface/jobs/{add_job(ledger, stage, LATER, tasks=tasks)}"
        page = html(get(path))
        [more] = [link for link in links(page) if "cursor=" in link and link.endswith("#tasks")]
        assert "copy 29 failed" in text(get(more.removesuffix("#tasks")))
        filtered = text(get(f"{path}?task_status=failed&task_stage=0"))
        assert "copy 29 failed" in filtered
        assert "copy 3 completed" not in filtered

    def test_a_job_of_a_type_that_is_gone_can_still_be_read(
        self, get: Get, ledger: database.Connection
    ) -> None:
        job_id = add_job(ledger, job_type="retired_job", status="completed")
        page = get(f"/api/interface/jobs/{job_id}")
        assert "Retired job" in text(page)
        assert "Submit a similar job" not in text(page)


class TestList:
    def test_filters_by_status_and_type_and_keeps_the_filter_when_paging(
        self, get: Get, ledger: database.Connection
    ) -> None:
        for n in range(27):
            add_job(ledger, status="completed", parameters={"n": n})
        add_job(ledger, status="failed")
        page = html(get("/api/interface/jobs?status=completed&job_type=hello_fan_out"))
        assert page.count('data-label="Status"') == 25
        [older] = [link for link in links(page) if "cursor=" in link]
        assert "status=completed" in older
        assert "job_type=hello_fan_out" in older
        assert html(get(older)).count('data-label="Status"') == 2

    def test_an_empty_choice_is_no_filter(self, get: Get, ledger: database.Connection) -> None:
        add_job(ledger)
        assert "Hello fan out" in text(get("/api/interface/jobs?status=&job_type="))

    def test_a_filter_that_fits_nothing_says_so(self, get: Get) -> None:
        assert "No job matches the filter" in text(get("/api/interface/jobs?status=failed"))


class TestForm:
    @pytest.mark.parametrize("job_type", ["hello_fan_out", "ingest_collection"])
    def test_every_parameter_has_a_labelled_input_with_its_help(
        self, get: Get, job_type: str
    ) -> None:
        from core.registry import registry

        page = html(get(f"/api/interface/jobs/new/{job_type}"))
        elements = Elements(page).found
        names = {a["data-field"] for tag, a in elements if "data-field" in a}
        labels = {a["for"] for tag, a in elements if tag == "label"}
        model = registry.get(job_type).parameters
        assert names == set(model.model_fields)
        assert labels == {f"field-{name}" for name in names}
        for field in model.model_fields.values():
            assert str(field.description) in unescape(page)

    def test_begins_with_the_parameters_of_the_address(self, get: Get) -> None:
        page = html(get("/api/interface/jobs/new/hello_fan_out?n=77"))
        assert re.search(r'name="n"[^>]* value="77"', page)

    def test_an_unknown_job_type_is_told_with_those_that_exist(self, get: Get) -> None:
        page = get("/api/interface/jobs/new/nope")
        assert page.status_code == 404
        assert "hello_fan_out" in text(page)


class TestLivePart:
    def test_htmx_is_given_the_live_part_alone(self, get: Get, ledger: database.Connection) -> None:
        job_id = add_job(ledger, RUNNING)
        for path in (
            "/api/interface/metrics",
            "/api/interface/jobs",
            f"/api/interface/jobs/{job_id}",
        ):
            whole = html(get(path))
            part = get(path, HX_Request="true")
            assert part.status_code == 200
            assert html(part).strip().startswith('<div id="live" hx-get=')
            assert "<html" not in html(part)
            assert 'id="live" hx-get=' in whole

    def test_it_asks_for_what_it_shows(self, get: Get, ledger: database.Connection) -> None:
        job_id = add_job(ledger, RUNNING)
        page = html(get(f"/api/interface/jobs/{job_id}?task_status=failed&code=KEY"))
        [asked] = re.findall(r'hx-get="([^"]+)"', page)
        parts = urlsplit(unescape(asked))
        assert parts.path == f"/api/interface/jobs/{job_id}"
        assert dict(parse_qsl(parts.query)) == {"task_status": "failed", "code": "KEY"}

    def test_an_ended_job_tells_htmx_to_stop(self, get: Get, ledger: database.Connection) -> None:
        job_id = add_job(ledger, status="completed")
        part = get(f"/api/interface/jobs/{job_id}", HX_Request="true")
        assert part.status_code == 286
        assert "hx-get" not in html(part)
        assert "hx-get" not in html(get(f"/api/interface/jobs/{job_id}"))

    def test_later_pages_of_a_list_do_not_move(self, get: Get, ledger: database.Connection) -> None:
        for n in range(26):
            add_job(ledger, parameters={"n": n})
        [older] = [x for x in links(html(get("/api/interface/jobs"))) if "cursor=" in x]
        assert "hx-get" not in html(get(older))


class TestSafety:
    def test_whatever_a_job_carries_is_shown_as_text(
        self, get: Get, ledger: database.Connection
    ) -> None:
        job_id = add_job(
            ledger,
            Stage("copy", total=2, completed=0, failed=1),
            Stage("later", "pending", total=None, began=None),
            job_type=EVIL,
            parameters={"n": EVIL, EVIL: [EVIL, {EVIL: EVIL}]},
            result={EVIL: [{EVIL: EVIL}]},
            error={"code": EVIL, "message": EVIL, "stage_name": EVIL},
            status="failed",
            tasks=(
                Task(0, parameters={EVIL: EVIL}, result={EVIL: EVIL}),
                Task(1, status="failed", error={"code": EVIL, "message": EVIL}),
            ),
        )
        ledger.execute(
            "INSERT INTO app.job_metrics (job_id, metric_type, payload) VALUES (%s, 'error', %s)",
            (job_id, json.dumps({"kind": EVIL, "message": EVIL})),
        )
        ledger.execute(
            "INSERT INTO app.job_context (job_id, name, value) VALUES (%s, %s, to_jsonb(%s::text))",
            (job_id, EVIL, EVIL),
        )
        for path in (
            f"/api/interface/jobs/{job_id}",
            "/api/interface/jobs",
            "/api/interface/metrics",
            "/api/interface/jobs/new/hello_fan_out?n=" + "%3Cscript%3Ealert(1)%3C/script%3E%22",
            "/api/interface/jobs/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
            "/api/interface/jobs?status=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
        ):
            elements = Elements(html(get(path))).found
            sources = [a.get("src") for tag, a in elements if tag in ("script", "img")]
            assert all(source and source.startswith("/api/interface/static/") for source in sources)
            assert not [a for _, a in elements if any(name.startswith("on") for name in a)]
            assert "62615533" not in text(get(path))

    def test_pages_carry_their_policy(self, get: Get) -> None:
        for path in ("/api/interface", "/api/interface/jobs/nope"):
            headers = get(path).headers
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert "unsafe" not in headers["Content-Security-Policy"]
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Cache-Control"] == "no-store"

    def test_no_page_needs_an_inline_script_or_style(
        self, get: Get, ledger: database.Connection
    ) -> None:
        job_id = add_job(ledger, RUNNING, LATER, tasks=(Task(0),))
        for path in ("", "/metrics", "/jobs", f"/jobs/{job_id}", "/jobs/new/ingest_collection"):
            for tag, attributes in Elements(html(get(f"/api/interface{path}"))).found:
                assert tag != "style"
                assert tag != "script" or attributes["src"]
                assert not [n for n in attributes if n == "style" or n.startswith(("on", "hx-on"))]

    def test_the_function_key_goes_along_with_every_link(
        self, get: Get, ledger: database.Connection
    ) -> None:
        job_id = add_job(ledger, RUNNING, LATER, tasks=(Task(0),))
        for path in ("", "/metrics", "/jobs", f"/jobs/{job_id}", "/jobs/new/hello_fan_out"):
            for link in links(html(get(f"/api/interface{path}?code=a%2Bb"))):
                api = link.startswith("/api/jobs/")  # by script, with the key in a header
                if not link.startswith(("/api/interface/static/", "#")) and not api:
                    assert dict(parse_qsl(urlsplit(link).query))["code"] == "a+b", link


class TestErrors:
    @pytest.mark.parametrize(
        ("path", "status", "told"),
        [
            ("/api/interface/jobs/nope", 404, "There is no job 'nope'"),
            ("/api/interface/jobs?status=done", 422, "must be one of queued, running"),
            ("/api/interface/jobs?cursor=x", 422, "is not one that a page of this list gave"),
        ],
    )
    def test_are_pages_with_their_status(self, get: Get, path: str, status: int, told: str) -> None:
        page = get(path)
        assert page.status_code == status
        assert told in text(page)

    def test_a_database_that_is_down_is_said_so(
        self, get: Get, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        database.close_pool()
        monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
        monkeypatch.setenv("GEOFORGE_DATABASE_TIMEOUT_SECONDS", "0.2")
        from config import get_settings

        get_settings.cache_clear()
        page = get("/api/interface/metrics")
        assert page.status_code == 503
        assert "The database does not answer" in text(page)

    def test_what_nobody_foresaw_is_logged_and_not_told(
        self, get: Get, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(*_: Any) -> None:
            raise RuntimeError("a secret detail")

        monkeypatch.setattr("services.dashboard.overview.overview", fail)
        page = get("/api/interface/metrics")
        assert page.status_code == 500
        assert "secret" not in html(page)
        assert "a secret detail" in caplog.text


class TestFrontDoor:
    def test_leads_to_the_index_with_the_key(self, get: Get) -> None:
        answer = get("/?code=KEY")
        assert (answer.status_code, answer.headers["Location"]) == (302, "/api/interface?code=KEY")

    def test_the_index_lists_every_page_and_job_type(self, get: Get) -> None:
        found = links(html(get("/api/interface")))
        assert {"/api/interface/metrics", "/api/interface/jobs"} <= set(found)
        assert "/api/interface/jobs/new/ingest_collection" in found

    def test_static_files_are_kept_for_ever_under_their_version(self, get: Get) -> None:
        from web_interfaces.pages import assets

        answer = get(assets.url("js/main.js"))
        assert answer.mimetype == "text/javascript"
        assert "immutable" in answer.headers["Cache-Control"]
        assert get("/api/interface/static/js/main.js").headers["Cache-Control"] == "no-cache"

    def test_an_unchanged_file_is_not_sent_again(self, get: Get) -> None:
        path = "/api/interface/static/css/base.css"
        tag = get(path).headers["ETag"]
        again = get(path, If_None_Match=tag)
        assert (again.status_code, again.get_body()) == (304, b"")

    def test_there_is_nothing_beside_the_files(self, get: Get) -> None:
        assert get("/api/interface/static/../pages/assets.py").status_code == 404
