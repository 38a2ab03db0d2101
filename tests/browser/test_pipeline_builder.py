"""The builder of pipelines: by mouse, by keyboard, with problems, undone, saved, brought back."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

Contexts = Callable[..., BrowserContext]

ROOT = "/api/interface/pipelines"
PATIENCE = 120_000


@pytest.fixture
def title() -> str:
    return f"Rounds {secrets.token_hex(4)}"


def name_of(title: str) -> str:
    return title.lower().replace(" ", "_")


@pytest.fixture
def kept(api: httpx.Client, title: str) -> str:
    """A pipeline of two steps, the second of which uses the first; its name."""
    document = {
        "format": "geoforge.pipeline/1",
        "name": name_of(title),
        "title": title,
        "steps": [
            {"id": "first", "kind": "job", "job": "hello_fan_out", "parameters": {"n": 2}},
            {
                "id": "second",
                "kind": "job",
                "job": "hello_fan_out",
                "parameters": {"n": {"$expr": "steps.first.outputs.completed"}},
            },
        ],
    }
    api.post("/api/pipelines", json=document).raise_for_status()
    return name_of(title)


def open_builder(page: Page, path: str = "new") -> None:
    page.goto(f"{ROOT}/{path}")
    expect(page.locator("#builder[data-ready]")).to_be_attached()


def card(page: Page, step: str) -> Locator:
    """A step in the drawing, by its id."""
    return page.locator(f'.canvas-step[data-step="{step}"]').get_by_role("button")


def offered(page: Page, name: str) -> Locator:
    """A kind of step that can be added."""
    return page.locator("#palette").get_by_role("button", name=name, exact=True)


def drag(page: Page, what: Locator, onto: Locator, *, below: float = 0.5) -> None:
    """Drag with the mouse, as a person does: pressed, moved in steps, let go."""
    what.scroll_into_view_if_needed()
    start, end = what.bounding_box(), onto.bounding_box()
    assert start
    assert end
    page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(start["x"] + start["width"] / 2 + 12, start["y"] + start["height"] / 2 + 8)
    x, y = end["x"] + end["width"] / 2, end["y"] + end["height"] * below
    page.mouse.move(x, y, steps=12)
    page.mouse.move(x + 1, y + 1)
    page.mouse.up()


def kept_document(api: httpx.Client, name: str) -> dict[str, Any]:
    answer = api.get(f"/api/pipelines/{name}")
    answer.raise_for_status()
    return dict(answer.json()["document"])


def test_built_with_the_mouse_it_runs_to_its_end(page: Page, api: httpx.Client, title: str) -> None:
    open_builder(page)
    page.get_by_label("Title", exact=True).fill(title)
    drag(page, offered(page, "Hello fan out"), page.locator("#canvas"))
    expect(card(page, "hello_fan_out")).to_be_visible()
    # Dropped on a step, the next one comes after it.
    drag(page, offered(page, "Hello fan out"), card(page, "hello_fan_out"))
    expect(card(page, "hello_fan_out_2")).to_be_visible()
    expect(page.locator("#edges .flow-edge")).to_have_count(1)

    # The number of tasks is missing: it is said on the card, in the list, and beside the field.
    expect(card(page, "hello_fan_out_2")).to_contain_text("1 problem")
    expect(page.locator("#problems-summary")).to_have_text("2 problems")
    expect(page.locator("#panel #parameter-field-n-error")).to_be_visible()
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_disabled()

    page.locator("#panel").get_by_label(re.compile("^N ")).fill("3")
    expect(page.locator("#parameter-field-n-error")).to_be_hidden()
    page.locator("#problems-summary").click()
    page.locator("#problems-list").get_by_role("button").first.click()
    expect(page.locator("#parameter-field-n")).to_be_focused()
    page.keyboard.type("4")
    expect(page.locator("#problems")).to_be_hidden()

    # The second one as many as the first has completed, chosen from what it gives.
    card(page, "hello_fan_out_2").click()
    page.get_by_role("button", name="Use an expression for N").click()
    page.locator(".parameters .sources summary").click()
    page.get_by_role(
        "button", name=re.compile(r"^steps\.hello_fan_out\.outputs\.completed ")
    ).click()
    expect(page.get_by_label("N, an expression")).to_have_value(
        "steps.hello_fan_out.outputs.completed"
    )
    expect(page.locator("#edges .flow-edge:not(.flow-edge-after)")).to_have_count(1)
    expect(page.locator("#problems")).to_be_hidden()

    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#builder-saved")).to_have_text("· saved")
    steps = kept_document(api, name_of(title))["steps"]
    assert steps[0]["parameters"] == {"n": 4}
    assert steps[1]["parameters"] == {"n": {"$expr": "steps.hello_fan_out.outputs.completed"}}
    assert steps[1]["after"] == ["hello_fan_out"]

    page.get_by_role("button", name="Run", exact=True).click()
    dialog = page.get_by_role("dialog", name=f"Run {title}")
    dialog.get_by_role("button", name="Show the plan").click()
    expect(dialog.locator("#run-dialog-plan li")).to_have_count(2)
    dialog.get_by_role("button", name="Run it").click()
    page.wait_for_url(re.compile(rf"{ROOT}/runs/[0-9a-f]{{64}}$"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("completed", timeout=PATIENCE)
    expect(page.locator(".step-card.step-completed")).to_have_count(2)
    expect(page.locator("#step-hello_fan_out_2").get_by_role("link", name="Job")).to_be_visible()


def test_built_with_the_keyboard_alone(page: Page, api: httpx.Client, title: str) -> None:
    open_builder(page)
    page.get_by_label("Title", exact=True).focus()
    page.keyboard.type(title)
    # Single keys act in the drawing alone.
    page.locator("#settings-button").focus()
    page.keyboard.press("a")
    expect(page.locator("#settings-button")).to_be_focused()
    page.locator("#canvas").focus()
    page.keyboard.press("a")
    expect(page.locator("#palette-search")).to_be_focused()
    page.keyboard.type("hello")
    page.keyboard.press("ArrowDown")
    expect(offered(page, "Hello fan out")).to_be_focused()
    page.keyboard.press("Enter")
    expect(card(page, "hello_fan_out")).to_be_focused()
    expect(page.locator("#announcer")).to_have_text("Hello fan out is added.")

    # Enter opens the form, Escape leads back.
    page.keyboard.press("Enter")
    expect(page.locator("#step-title")).to_be_focused()
    # Its parameters come from the server.
    expect(page.get_by_role("button", name="Use an expression for N")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Use an expression for N")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type("2")
    page.keyboard.press("Escape")
    expect(card(page, "hello_fan_out")).to_be_focused()

    page.keyboard.press("d")
    expect(card(page, "hello_fan_out_2")).to_be_focused()
    expect(page.locator("#edges .flow-edge")).to_have_count(0)
    page.keyboard.press("ArrowLeft")
    expect(card(page, "hello_fan_out")).to_be_focused()
    page.keyboard.press("c")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.locator("#announcer")).to_contain_text("waits for")
    expect(page.locator("#edges .flow-edge-after")).to_have_count(1)

    # The list's order, which is that of reading.
    page.keyboard.press("Alt+ArrowUp")
    expect(page.locator("#announcer")).to_contain_text("number 1 of 2")
    page.keyboard.press("Delete")
    expect(page.locator(".canvas-step")).to_have_count(1)
    page.keyboard.press("Control+z")
    expect(page.locator(".canvas-step")).to_have_count(2)
    page.keyboard.press("Control+Shift+z")
    expect(page.locator(".canvas-step")).to_have_count(1)
    page.keyboard.press("Control+z")

    page.keyboard.press("Control+s")
    expect(page.locator("#builder-saved")).to_have_text("· saved")
    steps = kept_document(api, name_of(title))["steps"]
    assert [step["id"] for step in steps] == ["hello_fan_out_2", "hello_fan_out"]
    assert steps[0]["after"] == ["hello_fan_out"]

    page.locator("#canvas").focus()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Help")).to_be_visible()


def test_lines_are_drawn_and_removed_and_steps_moved_with_the_mouse(page: Page, kept: str) -> None:
    open_builder(page, f"{kept}/edit")
    offered(page, "Approval").click()
    expect(card(page, "approval")).to_be_visible()
    drag(page, page.locator('[data-step="second"] .port'), card(page, "approval"))
    expect(page.locator("#edges .flow-edge-after")).to_have_count(1)
    # A circle is not drawn.
    drag(page, page.locator('[data-step="approval"] .port'), card(page, "first"))
    expect(page.locator("#announcer")).to_contain_text("would wait for each other")

    page.locator('.edge-hit[data-target="approval"]').dispatch_event("click")
    expect(page.locator("#edges .flow-edge-after")).to_have_count(0)
    # What a step uses is no line to remove: its value is where that is changed.
    page.locator('.edge-hit[data-target="second"]').dispatch_event("click")
    expect(page.locator("#announcer")).to_contain_text("uses what First gives")
    expect(page.get_by_role("heading", name="Second", exact=True)).to_be_visible()

    before = card(page, "approval").bounding_box()
    drag(page, card(page, "approval"), page.locator("#canvas"), below=0.9)
    after = card(page, "approval").bounding_box()
    assert before
    assert after
    assert after["y"] > before["y"]
    page.get_by_role("button", name="Arrange").click()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#announcer")).to_contain_text("Undone: move Approval in the drawing")


def test_two_who_save_at_once_are_told(page: Page, api: httpx.Client, kept: str) -> None:
    open_builder(page, f"{kept}/edit")
    theirs = {**kept_document(api, kept), "description": "What others wrote."}
    api.put(f"/api/pipelines/{kept}", json=theirs).raise_for_status()
    page.get_by_label("What it is for").fill("What I wrote.")
    page.get_by_role("button", name="Save", exact=True).click()
    dialog = page.get_by_role("dialog", name="Somebody else has saved it meanwhile")
    expect(dialog).to_contain_text("It is at version 2 now; your changes began with version 1.")
    expect(dialog.get_by_role("link", name="See what they changed")).to_have_attribute(
        "href", f"{ROOT}/{kept}/compare?from=1&to=2"
    )
    # "Mine" goes over the version that was shown, and over no later one.
    api.put(f"/api/pipelines/{kept}", json={**theirs, "description": "More."}).raise_for_status()
    dialog.get_by_role("button", name="Save mine as the newest").click()
    expect(dialog).to_contain_text("It is at version 3 now")
    dialog.get_by_role("button", name="Save mine as the newest").click()
    expect(page.locator("#builder-version")).to_have_text("version 4")
    assert kept_document(api, kept)["description"] == "What I wrote."

    api.put(f"/api/pipelines/{kept}", json=theirs).raise_for_status()
    page.get_by_label("What it is for").fill("What I wrote then.")
    page.get_by_role("button", name="Save", exact=True).click()
    dialog.get_by_role("button", name="Take theirs").click()
    expect(page.get_by_label("What it is for")).to_have_value("What others wrote.")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_label("What it is for")).to_have_value("What I wrote then.")


def test_a_schedule_that_is_off_stays_off(page: Page, api: httpx.Client, kept: str) -> None:
    off = {"cron": "0 2 * * *", "enabled": False}
    api.put(
        f"/api/pipelines/{kept}", json={**kept_document(api, kept), "schedule": off}
    ).raise_for_status()
    open_builder(page, f"{kept}/edit")
    page.locator("#pipeline-cron").fill("")
    page.locator("#pipeline-cron").press_sequentially("0 3 * * *")
    expect(page.get_by_label("The schedule is on")).not_to_be_checked()
    # Twice in a row is once: the second waits for the first.
    page.keyboard.press("Control+s")
    page.keyboard.press("Control+s")
    expect(page.locator("#builder-saved")).to_have_text("· saved")
    expect(page.locator("#builder-version")).to_have_text("version 3")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert kept_document(api, kept)["schedule"] == {**off, "cron": "0 3 * * *"}


def test_what_was_not_saved_is_offered_again(page: Page, kept: str) -> None:
    open_builder(page, f"{kept}/edit")
    page.get_by_label("What it is for").fill("Half a sentence")
    wait_for_draft(page, "Half a sentence")
    page.on("dialog", lambda dialog: dialog.accept())
    open_builder(page, f"{kept}/edit")
    offer = page.get_by_role("region", name="Unsaved changes")
    expect(offer).to_contain_text("changes from")
    expect(page.get_by_label("What it is for")).to_have_value("")
    offer.get_by_role("button", name="Go on with them").click()
    expect(page.get_by_label("What it is for")).to_have_value("Half a sentence")
    expect(offer).to_be_hidden()


def test_a_draft_is_not_written_over_by_another(page: Page) -> None:
    page.on("dialog", lambda dialog: dialog.accept())
    open_builder(page)
    page.get_by_label("What it is for").fill("My work")
    wait_for_draft(page, "My work")
    # An example that is only looked at is no change, and the draft is none of it.
    open_builder(page, "new?begin=vector_to_map")
    expect(page.get_by_role("region", name="Unsaved changes")).to_be_hidden()
    open_builder(page)
    offer = page.get_by_role("region", name="Unsaved changes")
    expect(offer).to_be_visible()
    page.get_by_label("What it is for").fill("Something else")
    wait_for_draft(page, "Something else")
    offer.get_by_role("button", name="Go on with them").click()
    expect(page.get_by_label("What it is for")).to_have_value("My work")


def wait_for_draft(page: Page, words: str) -> None:
    page.wait_for_function(
        "words => Object.values(localStorage).some((each) => each.includes(words))", arg=words
    )


def test_a_draft_is_kept_with_its_problems(page: Page, api: httpx.Client, title: str) -> None:
    open_builder(page)
    page.get_by_label("Title", exact=True).fill(title)
    offered(page, "Hello fan out").click()
    page.get_by_role("button", name="Save as a draft").click()
    expect(page.locator("#builder-saved")).to_have_text("· saved")
    assert len(api.get(f"/api/pipelines/{name_of(title)}").json()["problems"]) == 1
    page.goto(f"{ROOT}/{name_of(title)}")
    expect(page.get_by_text("A draft: it cannot be run yet")).to_be_visible()
    expect(page.get_by_role("button", name="Run", exact=True)).to_have_count(0)


def test_versions_are_compared_and_brought_back(page: Page, api: httpx.Client, kept: str) -> None:
    document = kept_document(api, kept)
    [first, second] = document["steps"]
    gate = {"id": "look", "kind": "gate", "message": "Go on?", "after": ["first"]}
    changed = {**document, "steps": [{**first, "parameters": {"n": 7}}, gate]}
    api.put(f"/api/pipelines/{kept}", json=changed).raise_for_status()

    page.goto(f"{ROOT}/{kept}")
    page.get_by_role("link", name="what changed in version 2").click()
    expect(page.locator(".step-card.step-added")).to_contain_text("Look")
    expect(page.locator(".step-card.step-removed")).to_contain_text("Second")
    expect(page.locator(".step-card.step-changed")).to_contain_text("1 field changed")
    change = page.locator('.change[data-step="first"]')
    expect(change.locator(".change-before")).to_contain_text("2")
    expect(change.locator(".change-after")).to_contain_text("7")
    page.get_by_role("button", name="Bring version 1 back").click()
    page.get_by_role("button", name="Bring it back").click()
    page.wait_for_url(f"**{ROOT}/{kept}")
    assert [step["id"] for step in kept_document(api, kept)["steps"]] == ["first", "second"]

    # In the builder it comes into the drawing, to be saved or undone.
    open_builder(page, f"{kept}/edit")
    page.get_by_role("button", name="Versions").click()
    page.get_by_role("button", name="Bring back version 2").click()
    expect(card(page, "look")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(card(page, "second")).to_be_visible()
    assert second["id"] == "second"


def test_names_inputs_and_documents_change_together(
    page: Page, api: httpx.Client, kept: str
) -> None:
    open_builder(page, f"{kept}/edit")
    page.get_by_role("button", name="Add an input").click()
    expect(page.locator("#input-input_1-name")).to_be_focused()
    page.locator("#input-input_1-name").fill("Number of tasks")
    page.locator("#input-input_1-name").press("Tab")
    page.locator("#input-number_of_tasks-type").select_option("whole number")

    card(page, "first").click()
    page.get_by_label("Name in expressions").fill("start")
    page.get_by_label("Name in expressions").press("Enter")
    expect(card(page, "start")).to_be_visible()
    expect(page.get_by_label("Name in expressions")).to_be_focused()
    # On the way back to the title, which is in a form made anew.
    page.get_by_label("Name in expressions").fill("beginning")
    page.get_by_label("Name in expressions").press("Shift+Tab")
    expect(card(page, "beginning")).to_be_visible()
    expect(page.locator("#step-title")).to_be_focused()
    page.get_by_role("button", name="Use an expression for N").click()
    page.get_by_label("N, an expression").fill("inputs.number_of_task")
    expect(page.locator("#parameter-field-n-error")).to_contain_text("number_of_task")
    page.get_by_label("N, an expression").fill("inputs.number_of_tasks")
    expect(page.locator("#problems")).to_be_hidden()

    page.get_by_role("button", name="JSON").click()
    document = json.loads(page.get_by_label("The document").input_value())
    assert document["inputs"] == {"number_of_tasks": {"type": "integer"}}
    assert document["steps"][0]["parameters"] == {"n": {"$expr": "inputs.number_of_tasks"}}
    assert document["steps"][1]["parameters"] == {
        "n": {"$expr": "steps.beginning.outputs.completed"}
    }
    page.get_by_label("The document").fill("{")
    page.get_by_role("button", name="Take this one").click()
    expect(page.locator("#json-error")).to_contain_text("This is not JSON")
    document["steps"][0]["title"] = "From a paste"
    page.get_by_label("The document").fill(json.dumps(document))
    page.get_by_role("button", name="Take this one").click()
    expect(card(page, "beginning")).to_contain_text("From a paste")


def test_a_form_says_what_is_wrong_as_soon_as_it_is_opened(
    page: Page, api: httpx.Client, kept: str
) -> None:
    document = kept_document(api, kept)
    document["steps"][0] |= {"when": "1 +", "parameters": {"n": -1, "nothing_such": 1}}
    api.put(f"/api/pipelines/{kept}?draft=true", json=document).raise_for_status()
    open_builder(page, f"{kept}/edit")
    expect(card(page, "first")).to_contain_text("3 problems")
    card(page, "first").click()
    expect(page.locator("#step-when")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#parameter-field-n")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#panel .notice-error")).to_contain_text("nothing_such")


def test_the_focus_stays_where_the_form_is_drawn_again(page: Page, kept: str) -> None:
    open_builder(page, f"{kept}/edit")
    page.get_by_role("button", name="Add an input").click()
    page.locator("#input-input_1-name").fill("here")
    page.keyboard.press("Enter")
    expect(page.locator("#input-here-name")).to_be_focused()
    page.keyboard.type("abouts")
    page.keyboard.press("End")
    page.keyboard.type("x")
    page.keyboard.press("Tab")
    expect(page.locator('[data-input$="x"] [id$="-type"]')).to_be_focused()
    card(page, "first").click()
    later = page.get_by_role("button", name="Later", exact=True)
    later.press("Enter")
    expect(page.locator("#announcer")).to_contain_text("number 2 of 2")
    expect(later).to_be_focused()


def test_a_name_stays_once_it_is_kept_whatever_is_written_meanwhile(
    page: Page, api: httpx.Client, title: str
) -> None:
    open_builder(page)
    page.get_by_label("Title", exact=True).fill(title)
    offered(page, "Approval").click()
    page.get_by_role("button", name="Settings").click()
    new = re.compile(r"/api/pipelines(\?draft=true)?$")
    sent: list[Route] = []
    page.route(new, lambda route: sent.append(route))
    with page.expect_request(new):
        page.keyboard.press("Control+s")
    page.get_by_label("Title", exact=True).fill(f"{title} again")
    sent[0].continue_()
    name = page.get_by_label("Name in addresses")
    expect(name).to_have_attribute("readonly", "")
    expect(name).to_have_value(name_of(title))
    expect(page.locator("#builder-saved")).to_have_text("· unsaved changes")
    page.keyboard.press("Control+s")
    expect(page.locator("#builder-saved")).to_have_text("· saved")
    assert kept_document(api, name_of(title))["title"] == f"{title} again"


def test_steps_are_reordered_by_their_grips(page: Page, kept: str) -> None:
    open_builder(page, f"{kept}/edit")
    rows = page.locator(".order-list li")
    drag(page, rows.nth(0).locator(".order-grip"), rows.nth(1), below=0.9)
    expect(rows.locator(".order-name")).to_have_text(["Second", "First"])
    # The list is another one by now, and is dragged in as well.
    drag(page, rows.nth(0).locator(".order-grip"), rows.nth(1), below=0.9)
    expect(rows.locator(".order-name")).to_have_text(["First", "Second"])


def test_a_phone_shows_all_of_it(contexts: Contexts, kept: str) -> None:
    page = contexts(width=320, height=700).new_page()
    for path in ("", f"/{kept}", f"/{kept}/edit", f"/{kept}/compare", "/new"):
        page.goto(ROOT + path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
        menu = page.locator(".menu")
        if menu.count():
            menu.locator("summary").click()
            panel = menu.locator(".menu-panel").bounding_box()
            assert panel
            assert panel["x"] >= 0
            assert panel["x"] + panel["width"] <= 320
    # What can be added is folded away, and one tap opens it.
    expect(offered(page, "Approval")).to_be_hidden()
    page.locator("#palette > summary").click()
    offered(page, "Approval").click()
    expect(card(page, "approval")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
