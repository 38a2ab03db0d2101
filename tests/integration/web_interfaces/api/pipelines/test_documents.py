"""Pipelines as documents: kept, changed, compared, copied, deleted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from core.pipelines.structure import MAX_NESTING
from infrastructure.database import Connection
from tests.support.in_process import InProcessClient
from tests.support.pipelines_api import (
    AT,
    GREETINGS,
    PIPELINES,
    broken,
    call,
    faults,
    greetings,
    problem,
)


def test_a_document_is_kept_and_comes_back_as_it_was(client: InProcessClient) -> None:
    answer = client.post(PIPELINES, GREETINGS)
    assert answer.status == 201, answer.text
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["Location"].endswith(AT)
    view = client.get(AT).json()
    assert view["document"] == GREETINGS
    assert list(view["document"]) == list(GREETINGS)
    assert (view["version"], view["latest_version"], view["problems"]) == (1, 1, [])
    assert view["layers"] == [["greet"], ["look"], ["again"]]
    exported = client.get(f"{AT}/export")
    assert exported.json() == GREETINGS
    assert exported.headers["Content-Disposition"] == 'attachment; filename="greetings.json"'


def test_a_name_is_taken_once(client: InProcessClient) -> None:
    client.post(PIPELINES, GREETINGS)
    problem(client.post(PIPELINES, GREETINGS), 409, "pipeline_exists")
    problem(client.post(f"{PIPELINES}/import", GREETINGS), 409, "pipeline_exists")


def test_each_fault_is_named_with_its_step(client: InProcessClient) -> None:
    document = broken()
    document["steps"][0]["parameters"]["sleep_ms"] = "long"
    document["steps"][1]["after"] = ["nowhere"]
    found = faults(client.post(PIPELINES, document))
    assert set(found) == {
        "steps.greet.parameters.sleep_ms",
        "steps.look.after.0",
        "steps.again.parameters.n",
    }
    checked = client.post(f"{PIPELINES}/validate", document).json()
    assert not checked["valid"]
    assert {".".join(map(str, each["loc"])) for each in checked["errors"]} == set(found)
    assert checked["outputs"]["again"]["properties"]["completed"]["type"] == "integer"
    assert checked["dependencies"]["look"] == []


@pytest.mark.parametrize(
    ("change", "loc"),
    [
        ({"steps": [{"kind": "job", "job": "hello_fan_out"}]}, "steps.0"),
        ({"steps": [{**GREETINGS["steps"][0], "max_parallel": 0}]}, "steps.greet.max_parallel"),
        ({"colour": "red"}, "colour"),
        ({"name": "runs"}, "name"),
        ({"title": "a\0b"}, "title"),
        ({"description": "\ud800"}, "description"),
    ],
)
def test_what_is_no_pipeline_is_refused_also_as_a_draft(
    client: InProcessClient, change: dict[str, Any], loc: str
) -> None:
    for draft in ("", "?draft=true"):
        found = faults(client.post(PIPELINES + draft, greetings(**change)))
        assert any(name.startswith(loc) for name in found), found


@pytest.mark.parametrize("depth", [MAX_NESTING, 500])
def test_what_is_nested_without_end_is_refused(client: InProcessClient, depth: int) -> None:
    document = greetings()
    document["steps"][0]["parameters"]["n"] = json.loads("[" * depth + "]" * depth)
    assert (
        "is nested more than"
        in faults(client.post(PIPELINES, document))["steps.greet.parameters.n"]
    )
    assert not client.post(f"{PIPELINES}/validate", document).json()["valid"]


def test_numbers_beyond_all_bounds_are_refused(client: InProcessClient) -> None:
    text = json.dumps(greetings(layout={"greet": {"x": 1, "y": 2}}))
    for number in ("1e999", "9" * 5000, "-1", "NaN"):
        body = text.replace('"x": 1', f'"x": {number}').encode()
        assert client.call("POST", PIPELINES, body).status in (400, 422)


def test_a_draft_keeps_its_problems_until_it_has_none(client: InProcessClient) -> None:
    view = client.post(f"{PIPELINES}?draft=true", broken()).json()
    assert [each["loc"] for each in view["problems"]] == [["steps", "again", "parameters", "n"]]
    [listed] = client.get(PIPELINES).json()["pipelines"]
    assert (listed["problems"], listed["next_run_at"]) == (1, None)
    assert client.put(AT, GREETINGS).json()["problems"] == []
    [listed] = client.get(PIPELINES).json()["pipelines"]
    assert (listed["version"], listed["problems"]) == (2, 0)


def test_a_change_is_another_version_and_the_same_again_is_not(client: InProcessClient) -> None:
    client.post(PIPELINES, GREETINGS)
    longer = greetings(title="More greetings")
    changed = client.put(f"{AT}?note=A+title", longer)
    assert (changed.status, changed.headers["ETag"]) == (200, '"2"')
    assert client.put(f"{AT}?note=Nothing", longer).json()["version"] == 2
    assert client.get(f"{AT}?version=1").json()["document"] == GREETINGS
    listed = client.get(f"{AT}/versions").json()["versions"]
    assert [(each["version"], each["note"], each["is_latest"]) for each in listed] == [
        (2, "A title", True),
        (1, None, False),
    ]


def test_a_change_of_what_somebody_else_has_changed_is_refused(client: InProcessClient) -> None:
    client.post(PIPELINES, GREETINGS)
    client.put(AT, greetings(title="Theirs"))
    mine = greetings(title="Mine")
    refused = problem(call(client, "PUT", AT, mine, If_Match='"1"'), 412, "precondition_failed")
    assert refused["etag"] == '"2"'
    assert call(client, "PUT", AT, mine, If_Match='"2"').status == 200
    assert call(client, "PUT", AT, mine, If_Match="3").status == 400


def test_the_name_in_the_document_is_that_in_the_address(client: InProcessClient) -> None:
    client.post(PIPELINES, GREETINGS)
    assert set(faults(client.put(AT, greetings(name="others")))) == {"name"}
    nameless = greetings(title="Without a name")
    del nameless["name"]
    assert client.put(AT, nameless).json()["document"]["name"] == "greetings"


def test_the_difference_of_versions_is_told_by_step_and_field(client: InProcessClient) -> None:
    client.post(PIPELINES, GREETINGS)
    document = greetings()
    document["steps"][0]["max_parallel"] = 8
    document["steps"].append({"id": "end", "kind": "gate", "message": "Done?"})
    client.put(AT, document)
    answer = client.get(f"{AT}/diff?from=1&to=2").json()
    assert (answer["from"], answer["to"]) == (1, 2)
    assert [(each["change"], each["loc"]) for each in answer["changes"]] == [
        ("changed", ["steps", "greet", "max_parallel"]),
        ("added", ["steps", "end"]),
    ]
    assert client.get(f"{AT}/diff?from=2&to=1").json()["changes"][1]["change"] == "removed"
    assert client.get(f"{AT}/diff?from=2").json()["changes"] == []
    assert set(faults(client.get(f"{AT}/diff"))) == {"query.from"}
    problem(client.get(f"{AT}/diff?from=1&to=9"), 404, "unknown_pipeline_version")


def test_an_import_replaces_only_where_it_is_asked_to(client: InProcessClient) -> None:
    assert client.post(f"{PIPELINES}/import", GREETINGS).status == 201
    answer = client.post(f"{PIPELINES}/import?replace=true", greetings(title="Imported"))
    assert (answer.status, answer.json()["version"]) == (200, 2)
    assert client.post(f"{PIPELINES}/import?replace=true", greetings(name="new_one")).status == 201


def test_a_clone_is_another_pipeline_that_runs_by_hand(client: InProcessClient) -> None:
    scheduled = greetings(schedule={"cron": "0 2 * * *", "inputs": {"counts": [1]}})
    client.post(PIPELINES, scheduled)
    answer = client.post(f"{AT}/clone", {"name": "more_greetings", "title": "More"})
    assert answer.status == 201
    document = answer.json()["document"]
    assert (document["name"], document["title"]) == ("more_greetings", "More")
    assert document["steps"] == scheduled["steps"]
    assert document["schedule"]["enabled"] is False
    listed = {each["name"]: each for each in client.get(PIPELINES).json()["pipelines"]}
    assert listed["greetings"]["next_run_at"] is not None
    assert listed["more_greetings"]["next_run_at"] is None
    problem(client.post(f"{AT}/clone", {"name": "more_greetings"}), 409, "pipeline_exists")
    assert set(faults(client.post(f"{AT}/clone", {"name": "No name"}))) == {"name"}
    assert set(faults(client.post(f"{AT}/clone", {}))) == {"name"}


def test_a_deleted_pipeline_is_gone_and_its_name_counts_on(client: InProcessClient) -> None:
    client.post(PIPELINES, GREETINGS)
    problem(client.delete(AT), 400, "confirmation_missing")
    assert client.delete(f"{AT}?confirm=yes").json() == {
        "name": "greetings",
        "deleted": True,
        "version": 1,
    }
    problem(client.get(AT), 404, "unknown_pipeline")
    problem(client.get(f"{AT}?version=1"), 404, "unknown_pipeline")
    assert client.get(PIPELINES).json() == {"pipelines": [], "next": None}
    assert client.post(PIPELINES, GREETINGS).json()["version"] == 2


def test_a_pipeline_with_active_runs_is_not_deleted(client: InProcessClient) -> None:
    client.post(PIPELINES, GREETINGS)
    run_id = client.post(f"{AT}/run", {"inputs": {"counts": [1]}}).json()["run_id"]
    assert problem(client.delete(f"{AT}?confirm=yes"), 409, "runs_under_way")["run_ids"] == [run_id]


def test_a_list_is_read_page_by_page(client: InProcessClient) -> None:
    names = [f"pipeline_{letter}" for letter in "abcde"]
    for name in names:
        client.post(PIPELINES, greetings(name=name))
    seen, cursor = [], ""
    while cursor is not None:
        page = client.get(f"{PIPELINES}?limit=2{cursor and f'&cursor={cursor}'}").json()
        seen += [each["name"] for each in page["pipelines"]]
        cursor = page["next"]
    assert seen == names
    assert set(faults(client.get(f"{PIPELINES}?limit=0"))) == {"query.limit"}
    assert set(faults(client.get(f"{PIPELINES}?cursor=%C3%A4"))) == {"query.cursor"}
    assert set(faults(client.get(f"{PIPELINES}?colour=red"))) == {"query.colour"}


@pytest.mark.parametrize("name", ["nothing", "No%20Name", "a%00b", "%F0%9F%8C%8D", "x" * 300])
def test_an_unknown_name_is_not_found(client: InProcessClient, name: str) -> None:
    at = f"{PIPELINES}/{name}"
    for answer in (
        client.get(at),
        client.put(at, GREETINGS),
        client.delete(f"{at}?confirm=yes"),
        client.get(f"{at}/versions"),
        client.get(f"{at}/export"),
        client.get(f"{at}/diff?from=1"),
        client.post(f"{at}/clone", {"name": "copy"}),
        client.post(f"{at}/run", {}),
    ):
        problem(answer, 404, "unknown_pipeline")


def test_names_that_are_alike_are_suggested(client: InProcessClient) -> None:
    client.post(PIPELINES, GREETINGS)
    assert problem(client.get(f"{PIPELINES}/greeting"), 404)["similar"] == ["greetings"]


def test_the_examples_can_be_imported_as_they_are(client: InProcessClient) -> None:
    shipped = client.get(f"{PIPELINES}/examples").json()["examples"]
    assert [each["name"] for each in shipped] == [
        "curated_with_approval",
        "raster_to_h3_by_country",
        "vector_to_map",
    ]
    for document in shipped:
        answer = client.post(f"{PIPELINES}/import", document)
        assert answer.status == 201, answer.text
        assert answer.json()["document"] == document
        assert answer.json()["warnings"] == []


def test_only_another_schedule_begins_to_count_anew(
    client: InProcessClient, db: Connection
) -> None:
    def counted_from() -> Any:
        row = db.execute("SELECT schedule_from FROM app.pipelines").fetchone()
        assert row is not None
        return row["schedule_from"]

    schedule = {"cron": "0 2 * * *", "inputs": {"counts": [1]}}
    client.post(PIPELINES, greetings(schedule=schedule))
    begun = counted_from()
    client.put(AT, greetings(schedule={**schedule, "inputs": {"counts": [2]}}))
    assert counted_from() == begun
    client.put(AT, greetings(schedule={**schedule, "cron": "0 3 * * *"}))
    assert counted_from() > begun
