"""The dashboard as the server renders it: its parts, its filters, and what is behind them."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import urlencode

import azure.functions as func
import pytest

from infrastructure import database
from services.dashboard.workers import Heart
from tests.support.ledger import Stage, add_job
from tests.support.pages import EVIL, html, text

Get = Callable[..., func.HttpResponse]

PAGE = "/api/interface/metrics"
HTMX = {"HX_Request": "true"}
PARTS = ("summary", "charts", "jobs", "system")

DONE = Stage("work", "completed", total=10, completed=10)


@pytest.fixture
def empty(ledger: database.Connection) -> database.Connection:
    """The ledger, with nothing in its charts, its lists of processes and of dead letters."""
    ledger.execute("TRUNCATE app.throughput, app.workers, app.dead_letters")
    return ledger


def asked(page: str) -> list[str]:
    """What the parts of a page ask for."""
    return [unescape(address) for address in re.findall(r'hx-get="([^"]+)"', page)]


def add_snapshots(connection: database.Connection, job_id: str, ended: list[int]) -> None:
    """Snapshots of a job's first stage, five seconds apart, the last one now."""
    for index, tasks in enumerate(reversed(ended)):
        connection.execute(
            """INSERT INTO app.job_metrics (job_id, "timestamp", metric_type, payload)
            VALUES (%s, now() - %s * interval '5 seconds', 'snapshot',
                    jsonb_build_object('context', '{}'::jsonb, 'progress', jsonb_build_object(
                        'stage', 0, 'tasks_completed', %s::integer, 'tasks_failed', 0)))""",
            (job_id, index, tasks),
        )


class TestParts:
    def test_the_page_has_all_of_them_and_htmx_gets_one(self, get: Get) -> None:
        whole = html(get(PAGE))
        found = asked(whole)
        assert [re.search(r"part=(\w+)", each)[1] for each in found] == [  # type: ignore[index]
            "summary", "charts", "jobs", "system",
        ]  # fmt: skip
        for name in PARTS:
            part = html(get(f"{PAGE}?part={name}", **HTMX))
            assert "<html" not in part
            assert part.count("hx-get=") == 1
            assert f"part={name}" in part

    def test_a_part_asks_with_the_filter_of_the_page(self, get: Get) -> None:
        for address in asked(html(get(f"{PAGE}?job_type=hello_fan_out&text=a%26b&code=KEY"))):
            assert "job_type=hello_fan_out" in address
            assert "text=a%26b" in address
            assert "code=KEY" in address

    def test_what_is_as_it_was_is_not_sent_again(
        self, get: Get, empty: database.Connection
    ) -> None:
        [jobs] = asked(html(get(f"{PAGE}?part=jobs", **HTMX)))
        again = get(jobs, **HTMX)
        assert (again.status_code, again.get_body()) == (204, b"")
        add_job(empty, DONE, status="completed")
        changed = get(jobs, **HTMX)
        assert changed.status_code == 200
        assert "Hello fan out" in text(changed)
        assert asked(html(changed)) != [jobs]

    def test_a_large_part_is_compressed_for_those_who_take_it(
        self, get: Get, empty: database.Connection
    ) -> None:
        for _ in range(8):
            add_job(empty)
        plain = get(f"{PAGE}?part=jobs", **HTMX)
        packed = get(f"{PAGE}?part=jobs", Accept_Encoding="gzip, br", **HTMX)
        assert packed.headers["Content-Encoding"] == "gzip"
        assert "Accept-Encoding" in packed.headers["Vary"]
        assert len(packed.get_body()) < len(plain.get_body()) / 3
        assert "Running now" in gzip.decompress(packed.get_body()).decode()
        assert "Content-Encoding" not in plain.headers

    def test_a_part_that_there_is_not_is_refused(self, get: Get) -> None:
        assert get(f"{PAGE}?part=everything", **HTMX).status_code == 422


class TestJobs:
    def test_the_time_left_is_told_with_its_spread(
        self, get: Get, ledger: database.Connection
    ) -> None:
        job_id = add_job(ledger, Stage("copy", total=2000, completed=200, began=60), created=61)
        add_snapshots(ledger, job_id, [0, 10, 30, 60, 70, 90, 120, 130, 150, 180, 200])
        shown = text(get(f"{PAGE}?part=jobs", **HTMX))
        assert re.search(r"Time left about \d+ min , \d+ to \d+ Errors", shown)

    def test_a_failed_job_says_why(self, get: Get, ledger: database.Connection) -> None:
        error = {"code": "bad", "message": f"No {EVIL}"}
        add_job(ledger, DONE, status="failed", error=error)
        page = get(f"{PAGE}?part=jobs", **HTMX)
        assert f"No {EVIL}" in text(page)
        assert EVIL not in html(page)

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("status=failed", {"a"}),
            ("job_type=process_vector", {"b", "c"}),
            ("text=roads", {"b"}),
            ("text=ROADS", {"b"}),
            ("text=no+such+place", {"a"}),
            ("text=100%25", {"c"}),
            ("text=_", {"b", "c", "a"}),
            ("status=completed&text=roads", set()),
            ("status=running&job_type=process_vector", {"b"}),
        ],
    )
    def test_a_filter_leaves_those_that_fit(
        self, get: Get, ledger: database.Connection, query: str, found: set[str]
    ) -> None:
        error = {"code": "bad", "message": "There is no such place."}
        ids = {
            "a": add_job(ledger, DONE, status="failed", error=error, parameters={"n": 1}),
            "b": add_job(ledger, job_type="process_vector", parameters={"blob": "x/roads.gpkg"}),
            "c": add_job(
                ledger, DONE, job_type="process_vector", status="completed",
                parameters={"blob": "100%.csv"},
            ),
        }  # fmt: skip
        page = html(get(f"{PAGE}?part=jobs&{query}", **HTMX))
        jobs = page.partition("<aside")[0]
        assert {name for name, job_id in ids.items() if f"/jobs/{job_id}" in jobs} == found
        if not found:
            assert "No job fits" in page

    @pytest.mark.parametrize(
        ("words", "is_found"),
        [
            ("x.gpkg?***", True),
            ("https://***@example.org/x", True),
            ('"b": "after"', True),
            ("why?", True),
            ("sig=SEKRET7", False),
            ("SEKRET", False),
            ("usr:", False),
        ],
    )
    def test_only_what_is_shown_of_an_address_is_found(
        self, get: Get, ledger: database.Connection, words: str, is_found: bool
    ) -> None:
        address = 'https://usr:pa"SEKRET8@example.org/x.gpkg?name="a"&sig=SEKRET7'
        parameters = {"a": address, "b": "after", "c": ["HTTP://example.org/?SEKRET9"], "d": "why?"}
        job_id = add_job(ledger, parameters=parameters)
        page = html(get(f"{PAGE}?{urlencode({'part': 'jobs', 'text': words})}", **HTMX))
        assert (f"/jobs/{job_id}" in page.partition("<aside")[0]) == is_found

    def test_a_job_is_found_by_the_beginning_of_its_id(
        self, get: Get, ledger: database.Connection
    ) -> None:
        job_id, other = add_job(ledger, parameters={"n": 1}), add_job(ledger, parameters={"n": 2})
        page = html(get(f"{PAGE}?part=jobs&text={job_id[:10].upper()}", **HTMX))
        found = page.partition("<aside")[0]
        assert f"/jobs/{job_id}" in found
        assert f"/jobs/{other}" not in found

    def test_the_form_remembers_what_was_looked_for(self, get: Get) -> None:
        page = html(get(f"{PAGE}?status=failed&job_type=hello_fan_out&text=%22%3Ea&span=week"))
        assert '<option value="failed" selected>' in page
        assert '<option value="hello_fan_out" selected>' in page
        assert 'value="&#34;&gt;a"' in page
        assert '<input type="hidden" name="span" value="week">' in page

    def test_what_fits_comes_in_pages_without_a_gap(
        self, get: Get, ledger: database.Connection
    ) -> None:
        ids = {
            add_job(ledger, DONE, status="failed", created=100 + n, ended=1, parameters={"n": n})
            for n in range(45)
        }
        seen: list[str] = []
        address: str | None = f"{PAGE}?status=failed"
        while address:
            page = html(get(address)).partition("<aside")[0]
            seen += re.findall(r'class="row-name"><a href="/api/interface/jobs/(\w{64})', page)
            links: list[Any] = re.findall(r'id="pager-next" href="([^"]+)"', page)
            address = unescape(links[0]) if links else None
        assert len(seen) == 45
        assert set(seen) == ids

    def test_a_search_that_ends_early_says_so_and_goes_on(
        self, get: Get, ledger: database.Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("infrastructure.dashboard_repository.MOST_SEARCHED", 3)
        oldest = add_job(
            ledger, DONE, status="failed", created=900, ended=1, parameters={"x": "hay"}
        )
        for n in range(5):
            add_job(ledger, DONE, status="failed", created=100 + n, ended=1, parameters={"n": n})
        first = html(get(f"{PAGE}?text=hay"))
        assert "None of the 3 jobs that were looked through has this text" in first
        [more] = re.findall(r'id="pager-next" href="([^"]+)"', first)
        assert f"/jobs/{oldest}" in html(get(unescape(more)))

    def test_a_status_that_there_is_not_is_refused(self, get: Get) -> None:
        assert get(f"{PAGE}?status=lost").status_code == 422
        assert get(f"{PAGE}?span=year").status_code == 422


class TestCharts:
    def test_says_what_ended_and_what_failed(self, get: Get, empty: database.Connection) -> None:
        assert "No task ended within the last hour." in text(get(f"{PAGE}?part=charts", **HTMX))
        empty.execute(
            "INSERT INTO app.throughput VALUES"
            " ('minute', date_trunc('minute', now()) - interval '5 min', 'process_vector', 90, 10),"
            " ('minute', date_trunc('minute', now()) - interval '7 min', 'hello_fan_out', 300, 0)"
        )
        page = get(f"{PAGE}?part=charts", **HTMX)
        assert "400 tasks ended within the last hour, 10 of them failed (2.5%)" in text(page)
        assert html(page).count("<rect") == 3
        assert "Process vector 100 10 10% Hello fan out 300 0" in text(page)
        one = text(get(f"{PAGE}?part=charts&job_type=hello_fan_out", **HTMX))
        assert "300 tasks ended within the last hour, none failed." in one

    def test_its_links_keep_the_filter(self, get: Get) -> None:
        page = html(get(f"{PAGE}?part=charts&job_type=hello_fan_out&text=a", **HTMX))
        assert f'href="{PAGE}?job_type=hello_fan_out&amp;text=a&amp;span=week"' in page


class TestSystem:
    def test_shows_processes_and_says_where_nothing_is_known(
        self, get: Get, empty: database.Connection
    ) -> None:
        assert "None was heard of within ten minutes." in text(get(f"{PAGE}?part=system", **HTMX))
        Heart().beat()
        shown = text(get(f"{PAGE}?part=system", **HTMX))
        assert "Processes 1 alive" in shown
        assert "alive 0 tasks" in shown
        assert "No message was given up within 24 hours" in shown

    def test_dead_letters_are_listed_and_escaped(
        self, get: Get, empty: database.Connection
    ) -> None:
        path = f"{PAGE}/dead-letters"
        assert "Every message was worked off." in text(get(path))
        job_id = add_job(empty, job_type="process_vector")
        for number in range(26):
            empty.execute(
                "INSERT INTO app.dead_letters (queue, reason, job_id, body)"
                " VALUES ('light', %s, %s, %s)",
                (f"reason {number}", job_id if number else None, EVIL),
            )
        page = get(path)
        assert "Process vector" in text(page)
        assert "reason 25" in text(page)
        assert EVIL not in html(page)
        [older] = re.findall(r'<a href="([^"]+)" rel="next">', html(page))
        last = text(get(unescape(older)))
        assert "reason 0" in last
        assert "none of ours" in last
        assert "None" in text(get(f"{path}?queue=heavy"))
        assert "26 messages were given up within 24 hours" in text(
            get(f"{PAGE}?part=system", **HTMX)
        )
