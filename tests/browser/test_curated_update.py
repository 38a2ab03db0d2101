"""Asking for an update with the form of its page: by mouse, by keyboard, without scripts."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from azure.storage.blob import BlobServiceClient
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from tests.servers import StackUnderTest
from tests.support.vector_job import collection, feature, square

Contexts = Callable[..., BrowserContext]

ROOT = "/api/interface/curated"
CONTAINER = "uploads-by-hand"
PATIENCE = 120_000


@pytest.fixture
def blob(stack: StackUnderTest) -> str:
    """A file of five squares that somebody has uploaded; its path."""
    name = f"squares-{secrets.token_hex(4)}.geojson"
    squares = [feature("Polygon", square(x, 10), code=x) for x in range(5)]
    connection_string = stack.environment["AZURE_STORAGE_CONNECTION_STRING"]
    with BlobServiceClient.from_connection_string(connection_string) as service:
        container = service.get_container_client(CONTAINER)
        if not container.exists():
            container.create_container()
        container.upload_blob(name, json.dumps(collection(*squares)).encode())
    return name


@pytest.fixture
def dataset_id(api: httpx.Client) -> str:
    """A dataset whose source cannot be reached from here."""
    definition: dict[str, Any] = {
        "dataset_id": f"squares_{secrets.token_hex(4)}",
        "name": "Squares",
        "source_type": "manual",
        "source_url": "https://squares.invalid/squares.zip",
        "source_config": {"key_columns": ["code"]},
    }
    definition["target_table_name"] = f"curated_{definition['dataset_id']}"
    api.post("/api/curated/datasets", json=definition).raise_for_status()
    return str(definition["dataset_id"])


def attempts(page: Page) -> Any:
    return page.get_by_role("table", name="Attempts").locator("tbody tr")


def test_an_uploaded_file_becomes_the_published_table(
    page: Page, dataset_id: str, blob: str
) -> None:
    page.goto(f"{ROOT}/{dataset_id}")
    page.get_by_role("link", name="Update", exact=True).click()
    page.get_by_label("Container").fill(CONTAINER)
    page.get_by_role("button", name="Update now").click()
    expect(page.locator("#field-blob_name-error")).to_contain_text("must be given too")
    # What was wrong is where one goes on, and what was right is still there.
    expect(page.get_by_label("Path of the file")).to_be_focused()
    expect(page.get_by_label("Container")).to_have_value(CONTAINER)

    page.get_by_label("Path of the file").fill(blob)
    page.get_by_role("button", name="Update now").click()

    expect(attempts(page)).to_contain_text("5 added, 0 updated, 0 deleted", timeout=PATIENCE)
    expect(attempts(page)).to_contain_text(f"file {CONTAINER}/{blob}")


def tab_to(page: Page, control: Locator) -> None:
    """Press Tab until the control has the focus, as it must have soon."""
    for _ in range(6):
        page.keyboard.press("Tab")
        if control.evaluate("(element) => element === document.activeElement"):
            return
    pytest.fail(f"{control} is not reached with the keyboard")


def test_by_keyboard_alone(page: Page, dataset_id: str, blob: str) -> None:
    page.goto(f"{ROOT}/{dataset_id}/update")
    page.get_by_label("Container").focus()
    page.keyboard.type(CONTAINER)
    tab_to(page, page.get_by_label("Path of the file"))
    page.keyboard.type(blob)
    tab_to(page, page.get_by_role("button", name="Dry run"))
    page.keyboard.press("Enter")

    expect(attempts(page)).to_contain_text("would change: 5 added", timeout=PATIENCE)
    expect(attempts(page)).to_contain_text("dry run")


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (401, "", "Nothing was begun (401): this wants a function key. Open the page with ?code="),
        (404, "<h1 data-error>No such dataset.</h1>", "Nothing was begun (404): No such dataset."),
        (413, "", "Nothing was begun (413): The server does not say why."),
        (
            500,
            "<h1 data-error>Something <em>went</em> wrong.</h1>",
            "The server answered with an error (500): Something went wrong. Send the form again",
        ),
    ],
)
def test_a_refusal_without_the_form_is_told_and_nothing_is_lost(
    page: Page, dataset_id: str, status: int, body: str, told: str
) -> None:
    page.goto(f"{ROOT}/{dataset_id}/update")
    page.get_by_label("Container").fill(CONTAINER)
    page.route(
        "**/update",
        lambda route: route.fulfill(status=status, body=body, content_type="text/html"),
    )

    page.get_by_role("button", name="Update now").click()

    expect(page.locator("#connection")).to_contain_text(told)
    expect(page.locator("#connection")).to_be_in_viewport()
    expect(page.get_by_label("Container")).to_have_value(CONTAINER)
    # And when it is sent again, it is the server's answer that is shown.
    page.unroute("**/update")
    page.get_by_role("button", name="Update now").click()
    expect(page.locator("#field-blob_name-error")).to_contain_text("must be given too")
    expect(page.locator("#connection")).to_be_hidden()


def test_an_example_goes_into_its_field_also_after_an_answer(page: Page, dataset_id: str) -> None:
    page.goto(f"{ROOT}/{dataset_id}/update")
    page.get_by_role("button", name="uploads", exact=True).click()
    expect(page.get_by_label("Container")).to_have_value("uploads")
    expect(page.get_by_label("Container")).to_be_focused()
    # What comes back with an error is another form, and its examples work as well.
    page.get_by_role("button", name="Update now").click()
    expect(page.locator("#field-blob_name-error")).to_contain_text("must be given too")
    page.get_by_label("Container").fill("")
    page.get_by_role("button", name="uploads", exact=True).click()
    expect(page.get_by_label("Container")).to_have_value("uploads")


def test_it_is_sent_once_at_a_time(page: Page, dataset_id: str) -> None:
    page.goto(f"{ROOT}/{dataset_id}/update")
    under_way: list[Route] = []
    page.route("**/update", lambda route: under_way.append(route))
    buttons = [page.get_by_role("button", name=name) for name in ("Update now", "Dry run")]

    with page.expect_request("**/update") as sent:
        buttons[1].click()

    assert "dry_run=true" in (sent.value.post_data or "")
    for button in buttons:
        expect(button).to_be_disabled()
    under_way[0].abort()
    expect(page.locator("#connection")).to_contain_text(
        "The server does not answer. Send the form again: it is begun once only."
    )
    for button in buttons:
        expect(button).to_be_enabled()


def test_without_scripts(contexts: Contexts, api: httpx.Client, dataset_id: str, blob: str) -> None:
    page = contexts(java_script_enabled=False).new_page()
    page.goto(f"{ROOT}/{dataset_id}")
    page.get_by_role("link", name="Update", exact=True).click()
    page.get_by_label("Path of the file").fill(blob)
    page.get_by_role("button", name="Update now").click()
    expect(page.locator("#field-container_name-error")).to_contain_text("must be given too")

    page.get_by_label("Container").fill(CONTAINER)
    page.get_by_role("button", name="Dry run").click()

    expect(page).to_have_url(re.compile(rf"{ROOT}/{dataset_id}$"))
    expect(attempts(page)).to_contain_text(f"dry run file {CONTAINER}/{blob}")
    expect(attempts(page).get_by_role("link", name="job")).to_be_visible()
