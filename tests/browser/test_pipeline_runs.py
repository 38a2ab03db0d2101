"""Runs of pipelines on their page: watched, decided, failed and resumed, looked into."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from azure.storage.blob import BlobServiceClient
from playwright.sync_api import BrowserContext, FilePayload, Page, expect

from tests.servers import StackUnderTest
from tests.support.vector_job import collection, feature, square

Contexts = Callable[..., BrowserContext]

ROOT = "/api/interface/pipelines"
PATIENCE = 180_000


@pytest.fixture
def keep(api: httpx.Client) -> Callable[..., str]:
    """Keeps a pipeline of some steps; its name."""

    def keep(*steps: dict[str, Any], **more: Any) -> str:
        name = f"watched_{secrets.token_hex(4)}"
        document = {"format": "geoforge.pipeline/1", "name": name, "title": name, **more}
        answer = api.post("/api/pipelines", json={**document, "steps": list(steps)})
        answer.raise_for_status()
        return name

    return keep


@pytest.fixture
def run(api: httpx.Client) -> Callable[..., str]:
    """Runs a pipeline; the path of the run's page."""

    def run(name: str, **inputs: Any) -> str:
        answer = api.post(f"/api/pipelines/{name}/run", json={"inputs": inputs})
        answer.raise_for_status()
        return f"{ROOT}/runs/{answer.json()['run_id']}"

    return run


def hello(step: str, **more: Any) -> dict[str, Any]:
    return {
        "id": step,
        "kind": "job",
        "job": "hello_fan_out",
        "parameters": {"n": 1, **more.pop("parameters", {})},
        **more,
    }


def file_of(content: bytes) -> FilePayload:
    return {"name": "copy.json", "mimeType": "application/json", "buffer": content}


def test_a_run_waits_for_a_decision_and_goes_on_live(
    page: Page, keep: Callable[..., str], run: Callable[..., str]
) -> None:
    gate = {"id": "look", "kind": "gate", "message": "Is it fit to be shown?", "after": ["first"]}
    name = keep(hello("first"), gate, hello("last", after=["look"]))
    page.goto(run(name))
    decision = page.get_by_role("region", name="Look")
    expect(decision).to_contain_text("Is it fit to be shown?", timeout=PATIENCE)
    expect(page.locator(".step-card.step-awaiting_approval")).to_contain_text("Look")

    # A note that is being written is not taken away by what comes in.
    decision.get_by_label("Note").fill("Looks well")
    with page.expect_response(re.compile("/runs/")):
        pass
    expect(decision.get_by_label("Note")).to_have_value("Looks well")
    # Enter in a field decides nothing.
    decision.get_by_label("Your name").press("Enter")
    decision.get_by_role("button", name="Approve").click()
    page.get_by_role("dialog", name="Approve this step?").get_by_role(
        "button", name="Approve"
    ).click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("completed", timeout=PATIENCE)
    expect(decision).to_have_count(0)
    expect(page.locator("#step-look")).to_contain_text("Approved")
    expect(page.locator("#step-look")).to_contain_text("Looks well")
    expect(page.locator(".step-card.step-completed")).to_have_count(3)
    # Nothing is asked of a run that has ended.
    expect(page.locator("#live")).not_to_have_attribute("hx-get", re.compile("."))


def test_a_rejected_gate_ends_the_run_and_says_so(
    page: Page, keep: Callable[..., str], run: Callable[..., str]
) -> None:
    gate = {"id": "look", "kind": "gate", "message": "Go on?"}
    page.goto(run(keep(gate, hello("last", after=["look"]))))
    page.get_by_role("button", name="Reject").click(timeout=PATIENCE)
    dialog = page.get_by_role("dialog", name="Reject this step?")
    expect(dialog).to_contain_text("Look. What comes after it does not run.")
    dialog.get_by_role("button", name="Keep it as it is").click()
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Reject").click()
    dialog.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("failed", timeout=PATIENCE)
    expect(page.get_by_role("region", name="Why it failed")).to_be_visible()
    expect(page.locator("#step-look")).to_contain_text("Rejected")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()


def test_a_fan_out_shows_each_job_with_its_value(
    page: Page, keep: Callable[..., str], run: Callable[..., str]
) -> None:
    each = hello("each", for_each="inputs.numbers", parameters={"n": {"$expr": "item"}})
    numbers = {"type": "list", "items": "integer", "description": "Tasks of each job"}
    page.goto(run(keep(each, inputs={"numbers": numbers}), numbers=[3, 1, 2]))
    expect(page.get_by_role("heading", level=1)).to_contain_text("completed", timeout=PATIENCE)
    step = page.locator("#step-each")
    expect(step).to_contain_text("3 of 3 done")
    step.get_by_role("link", name="All jobs and values of this step").click()
    rows = page.get_by_role("table", name="Jobs").locator("tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.first.locator("[data-label=Value]")).to_have_text("3")
    rows.first.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Hello fan out")


def test_inputs_are_asked_for_and_what_is_wrong_is_said_beside_them(
    page: Page, keep: Callable[..., str]
) -> None:
    inputs = {"n": {"type": "integer", "description": "Tasks"}}
    name = keep(hello("only", parameters={"n": {"$expr": "inputs.n"}}), inputs=inputs)
    page.goto(f"{ROOT}/{name}")
    page.get_by_role("button", name="Run", exact=True).click()
    dialog = page.get_by_role("dialog", name=f"Run {name}")
    dialog.get_by_role("button", name="Run it").click()
    expect(dialog.locator("#run-field-n-error")).to_contain_text("a value is required")
    dialog.get_by_label(re.compile("^N ")).fill("many")
    dialog.get_by_role("button", name="Run it").click()
    expect(dialog.locator("#run-field-n-error")).to_contain_text("whole number")
    dialog.get_by_label(re.compile("^N ")).fill("2")
    dialog.get_by_role("button", name="Run it").click()
    page.wait_for_url(re.compile("/runs/"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("completed", timeout=PATIENCE)


def test_what_a_step_published_is_one_click_away(
    page: Page, keep: Callable[..., str], run: Callable[..., str], stack: StackUnderTest
) -> None:
    blob = f"squares_{secrets.token_hex(4)}.geojson"
    squares = collection(*[feature("Polygon", square(x, 10), code=x) for x in range(3)])
    with BlobServiceClient.from_connection_string(
        stack.environment["AZURE_STORAGE_CONNECTION_STRING"]
    ) as service:
        container = service.get_container_client("watched-runs")
        if not container.exists():
            container.create_container()
        container.upload_blob(blob, json.dumps(squares).encode())
    load = {
        "id": "load",
        "kind": "job",
        "job": "process_vector",
        "parameters": {"container_name": "watched-runs", "blob_name": blob},
    }
    page.goto(run(keep(load)))
    step = page.locator("#step-load")
    expect(step).to_contain_text("completed", timeout=PATIENCE)
    step.locator(".published").get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(blob.removesuffix(".geojson"))


def test_pages_show_without_scripts(
    contexts: Contexts, keep: Callable[..., str], run: Callable[..., str]
) -> None:
    gate = {"id": "look", "kind": "gate", "message": "Go on?"}
    name = keep(gate, hello("last", after=["look"]))
    path = run(name)
    page = contexts(java_script_enabled=False).new_page()
    for where in (f"{ROOT}/{name}", path):
        page.goto(where)
        expect(page.locator(".flow .step-card")).to_have_count(2)
        expect(page.locator(".flow-edge-after")).to_have_count(1)
        expect(page.locator("button:visible")).to_have_count(0)


def test_the_list_finds_pipelines_and_takes_files(
    page: Page, api: httpx.Client, keep: Callable[..., str]
) -> None:
    name = keep(hello("only"))
    page.goto(f"{ROOT}?search={name}")
    expect(page.get_by_role("region", name="Pipelines").get_by_role("listitem")).to_have_count(1)
    page.goto(f"{ROOT}?search=nothing-is-called-so")
    expect(page.get_by_text("No pipeline has “nothing-is-called-so”")).to_be_visible()

    document = api.get(f"/api/pipelines/{name}/export").json()
    page.get_by_label("Import a file").set_input_files(file_of(b"{"))
    expect(page.get_by_role("alert").first).to_contain_text("copy.json is not JSON")
    copy = json.dumps({**document, "name": f"{name}_copy", "title": "Brought from elsewhere"})
    page.get_by_label("Import a file").set_input_files(file_of(copy.encode()))
    page.wait_for_url(re.compile(rf"{name}_copy$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Brought from elsewhere")

    page.get_by_text("More", exact=True).click()
    page.get_by_role("button", name="Make a copy").click()
    dialog = page.get_by_role("dialog", name="Make a copy")
    dialog.get_by_label("Its name in addresses").fill(name)
    dialog.get_by_role("button", name="Make the copy").click()
    expect(dialog.get_by_role("alert")).to_contain_text(name)
    dialog.get_by_label("Its name in addresses").fill(f"{name}_third")
    dialog.get_by_role("button", name="Make the copy").click()
    page.wait_for_url(re.compile(rf"{name}_third/edit$"))

    page.goto(f"{ROOT}/{name}_copy")
    page.get_by_text("More", exact=True).click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Delete it").click()
    page.wait_for_url(re.compile(rf"{ROOT}$"))
    assert api.get(f"/api/pipelines/{name}_copy").status_code == 404
