"""What a person meets on the pages of curated datasets: the map, updates, going back, the form."""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from azure.storage.blob import BlobServiceClient
from playwright.sync_api import Browser, BrowserContext, Page, Request, Route, expect

from core.models.curated import CuratedDataset
from infrastructure import database
from tests.servers import StackUnderTest
from tests.support.accessibility import violations
from tests.support.curated_pages import HOSTILE, dry_run, held, parks, published, registered
from tests.support.vector_job import collection, feature, square

Contexts = Callable[..., BrowserContext]

ROOT = "/api/interface/curated"
CONTAINER = "bronze-vectors"
PATIENCE = 60_000


@pytest.fixture
def dataset(ledger: database.Connection) -> CuratedDataset:
    """A dataset of two published versions, the newer one with more parks."""
    dataset = registered(ledger, f"parks_{secrets.token_hex(4)}")
    published(ledger, dataset, parks(12), source_version="May 2026")
    published(ledger, dataset, parks(20), source_version="June 2026")
    return dataset


@pytest.fixture
def upload(stack: StackUnderTest) -> Callable[[str, Any], None]:
    """Writes a blob of JSON into the stack's storage."""
    connection_string = stack.environment["AZURE_STORAGE_CONNECTION_STRING"]

    def upload(name: str, value: Any) -> None:
        with BlobServiceClient.from_connection_string(connection_string) as service:
            container = service.get_container_client(CONTAINER)
            if not container.exists():
                container.create_container()
            container.upload_blob(name, json.dumps(value).encode(), overwrite=True)

    return upload


def open_page(page: Page, path: str) -> None:
    page.goto(ROOT + path)
    page.wait_for_function("document.documentElement.classList.contains('scripted')")


def open_map(page: Page, dataset: CuratedDataset, query: str = "") -> None:
    open_page(page, f"/{dataset.dataset_id}{query}")
    expect(page.locator("[data-map]")).to_have_attribute("data-state", "ready", timeout=PATIENCE)


def drawn(page: Page) -> list[int]:
    """The ids of the features that the map shows."""
    ids: list[int] = page.evaluate(
        """() => {
          const { map } = document.querySelector("[data-map]");
          const sources = Object.keys(map.getStyle().sources);
          const data = sources.find((name) => !name.startsWith("geoforge-"));
          const seen = map.queryRenderedFeatures().filter((each) => each.source === data);
          return [...new Set(seen.map((each) => each.id))].sort((a, b) => a - b);
        }"""
    )
    return ids


def point_at(page: Page, longitude: float, latitude: float, zoom: float = 5) -> None:
    """Move the map there, and wait until it is drawn."""
    page.evaluate(
        """([center, zoom]) => {
          const { map } = document.querySelector("[data-map]");
          map.jumpTo({ center, zoom });
          return map.once("idle").then(() => true);
        }""",
        [[longitude, latitude], zoom],
    )


class TestMap:
    def test_draws_all_features_and_asks_no_other_host(
        self, page: Page, stack: StackUnderTest, dataset: CuratedDataset
    ) -> None:
        asked: list[Request] = []
        page.on("request", lambda request: asked.append(request))
        open_map(page, dataset)
        assert drawn(page) == list(range(1, 21))
        elsewhere = [
            each.url for each in asked if not each.url.startswith((f"{stack.url}/", "data:"))
        ]
        assert elsewhere == []

    def test_draws_a_restricted_dataset_for_holders_of_a_key(
        self,
        page: Page,
        stack: StackUnderTest,
        ledger: database.Connection,
        api: httpx.Client,
    ) -> None:
        dataset = registered(ledger, f"parks_{secrets.token_hex(4)}", restricted=True)
        published(ledger, dataset, parks(20), source_version="May 2026")
        open_page(page, f"/{dataset.dataset_id}")
        expect(page.get_by_role("heading", name="The map is restricted")).to_be_visible()
        expect(page.get_by_text("Parks Board").first).to_be_visible()
        expect(page.locator("canvas")).to_have_count(0)

        key = json.loads((stack.directory / "host" / "keys.json").read_text())["default"]
        open_map(page, dataset, f"?code={key}")
        assert drawn(page) == list(range(1, 21))
        expect(page.locator("[data-part=status]")).to_be_hidden()

        items = f"/api/features/collections/{dataset.target_table_name}/items"
        assert api.get(items).status_code == 403
        assert api.get(items, headers={"x-functions-key": key}).json()["numberMatched"] == 20

    def test_paints_the_colours_of_its_legend(self, page: Page, dataset: CuratedDataset) -> None:
        open_map(page, dataset)
        page.get_by_label("Style").select_option(label="All alike")
        expect(page.locator("[data-part=legend]")).to_have_text("Park")
        expect(page.locator("[data-map]")).to_have_attribute("data-state", "ready")
        point_at(page, -8, 38)
        # WebGL's own picture is gone by the time that it could be read: ask the screen.
        colour = page.evaluate(
            """async (png) => {
              const image = new Image();
              image.src = `data:image/png;base64,${png}`;
              await image.decode();
              const canvas = document.createElement("canvas");
              [canvas.width, canvas.height] = [image.width, image.height];
              const context = canvas.getContext("2d");
              context.drawImage(image, 0, 0);
              const [x, y] = [image.width / 2, image.height / 2];
              return [...context.getImageData(x, y, 1, 1).data].slice(0, 3);
            }""",
            base64.b64encode(page.locator("[data-map] canvas").screenshot()).decode(),
        )
        assert colour == pytest.approx([0x33, 0x66, 0xCC], abs=3)

    def test_reads_a_feature_by_click_and_by_key_as_text(
        self, page: Page, dataset: CuratedDataset
    ) -> None:
        open_map(page, dataset)
        point_at(page, -8, 38)
        page.locator("[data-map] canvas").click()
        panel = page.locator("[data-part=feature]")
        expect(panel).to_contain_text("Feature 1")
        expect(panel.locator("dd", has_text="onerror")).to_have_text(HOSTILE)
        assert page.evaluate("window.broken") is None

        page.keyboard.press("Escape")
        expect(panel).to_be_hidden()
        point_at(page, -2, 38)
        page.locator("[data-map] canvas").focus()
        page.keyboard.press("Enter")
        expect(panel).to_contain_text("Park 1")
        link = panel.get_by_role("link", name="All of it, as GeoJSON")
        answer = page.request.get(str(link.get_attribute("href")))
        assert answer.json()["properties"]["name"] == "Park 1"

    def test_the_function_key_goes_along_with_styles_and_tiles(
        self, page: Page, dataset: CuratedDataset
    ) -> None:
        asked: list[Request] = []
        page.on("request", lambda request: asked.append(request))
        open_map(page, dataset, "?code=the-key")
        keys = {
            path: {each.headers.get("x-functions-key") for each in asked if path in each.url}
            for path in ("/api/styles/", "/api/tiles/")
        }
        assert keys == {"/api/styles/": {"the-key"}, "/api/tiles/": {"the-key"}}

    def test_stays_as_it_is_while_the_page_is_live(
        self, page: Page, dataset: CuratedDataset
    ) -> None:
        open_map(page, dataset)
        page.evaluate("document.querySelector('[data-map] canvas').marked = true")
        point_at(page, -8, 38)
        for _ in range(2):
            with page.expect_response(f"**/curated/{dataset.dataset_id}", timeout=PATIENCE):
                pass
        assert page.evaluate("document.querySelector('[data-map] canvas').marked")
        assert page.evaluate("document.querySelector('[data-map]').map.getZoom()") == 5

    def test_a_new_version_is_drawn_without_a_reload(
        self, page: Page, ledger: database.Connection, dataset: CuratedDataset
    ) -> None:
        open_map(page, dataset)
        page.evaluate("window.stillHere = true")
        published(ledger, dataset, parks(24), source_version="July 2026")
        figure = page.locator("[data-map]")
        expect(figure).to_have_attribute("data-version", "3", timeout=PATIENCE)
        expect(figure).to_have_attribute("data-state", "ready", timeout=PATIENCE)
        assert drawn(page) == list(range(1, 25))
        assert page.evaluate("window.stillHere")

    def test_a_new_style_can_be_chosen_without_a_reload(
        self, page: Page, ledger: database.Connection, dataset: CuratedDataset
    ) -> None:
        open_map(page, dataset)
        choice = page.get_by_label("Style")
        choice.select_option(label="All alike")
        path = f"/api/styles/{dataset.target.table_name}/red"
        layers = [{"id": "red", "type": "fill", "paint": {"fill-color": "#ff0000"}}]
        legend = [{"label": "Red", "color": "#ff0000", "kind": "fill"}]
        answer = page.request.put(
            path, data={"title": "In red", "layers": layers, "legend": legend}
        )
        assert answer.status == 201
        expect(choice.locator("option")).to_have_text(
            ["IUCN management category", "All alike", "In red"]
        )
        expect(choice.locator("option:checked")).to_have_text("All alike")
        choice.select_option(label="In red")
        expect(page.locator("[data-part=legend]")).to_have_text("Red")
        # It takes the one that is chosen away: the default one is drawn instead.
        assert page.request.delete(path).status == 204
        expect(choice.locator("option:checked")).to_have_text("IUCN management category")
        expect(page.locator("[data-part=legend]")).to_contain_text("Strict nature reserve")

    def test_what_cannot_be_loaded_is_said(self, page: Page, dataset: CuratedDataset) -> None:
        page.route("**/api/tiles/**", lambda route: route.fulfill(status=503))
        open_map(page, dataset)
        expect(page.locator("[data-part=status]")).to_contain_text("the server answered 503")

    def test_what_is_refused_last_is_said_too(self, page: Page, dataset: CuratedDataset) -> None:
        """Nothing else is left that would make the map draw once more."""
        held: list[Route] = []
        page.route("**/api/tiles/**", lambda route: held.append(route))
        open_page(page, f"/{dataset.dataset_id}")
        page.wait_for_function(
            """() => {
              const { map } = document.querySelector("[data-map]");
              return map?.getStyle()?.layers.some(({ id }) => !id.startsWith("geoforge-"))
                && map.isSourceLoaded("geoforge-land");
            }""",
            timeout=PATIENCE,
        )
        page.evaluate(
            """() => new Promise((resolve) => {
              let frames = 30;
              const next = () => { if (--frames) requestAnimationFrame(next); else resolve(); };
              next();
            })"""
        )
        assert held
        for route in held:
            route.fulfill(status=503)
        expect(page.locator("[data-map]")).to_have_attribute("data-state", "ready")
        expect(page.locator("[data-part=status]")).to_contain_text("the server answered 503")

    def test_without_webgl_the_extent_and_the_legend_stay(
        self, browser: Browser, stack: StackUnderTest, dataset: CuratedDataset
    ) -> None:
        page = browser.new_page(base_url=stack.url)
        page.add_init_script(
            """const { getContext } = HTMLCanvasElement.prototype;
            HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
              return kind.startsWith("webgl") ? null : getContext.call(this, kind, ...rest);
            };"""
        )
        try:
            open_page(page, f"/{dataset.dataset_id}")
            expect(page.locator("[data-part=status]")).to_contain_text(
                "There can be no map: WebGL is missing"
            )
            expect(page.locator(".map-still")).to_be_visible()
            expect(page.locator("[data-part=legend]")).to_contain_text("Strict nature reserve")
        finally:
            page.close()

    def test_without_its_library_too(self, page: Page, dataset: CuratedDataset) -> None:
        page.route("**/maplibre-gl-csp.js", lambda route: route.abort())
        open_page(page, f"/{dataset.dataset_id}")
        expect(page.locator("[data-part=status]")).to_contain_text("script could not be loaded")
        expect(page.locator(".map-still")).to_be_visible()
        expect(page.locator("[data-part=canvas]")).to_be_hidden()

    def test_all_of_the_data_are_one_button_away(
        self, page: Page, ledger: database.Connection, dataset: CuratedDataset
    ) -> None:
        open_map(page, dataset)
        published(ledger, dataset, parks(4), source_version="July 2026")
        figure = page.locator("[data-map]")
        expect(figure).to_have_attribute("data-version", "3", timeout=PATIENCE)
        point_at(page, 100, 0)
        page.get_by_role("button", name="All", exact=True).click()
        page.wait_for_function(
            """() => {
              const { map } = document.querySelector("[data-map]");
              const bounds = map.getBounds();
              return !map.isMoving() && bounds.contains([-9, 37]) && bounds.contains([11, 39])
                && !bounds.contains([35, 39]);
            }""",
            timeout=PATIENCE,
        )

    def test_without_scripts_too(self, contexts: Contexts, dataset: CuratedDataset) -> None:
        page = contexts(java_script_enabled=False).new_page()
        page.goto(f"{ROOT}/{dataset.dataset_id}")
        expect(page.locator(".map-still")).to_be_visible()
        expect(page.get_by_role("button")).to_have_count(0)


class TestUpdates:
    def test_from_the_form_to_the_published_map(
        self, page: Page, upload: Callable[[str, Any], None]
    ) -> None:
        dataset_id = f"squares_{secrets.token_hex(4)}"
        squares = [feature("Polygon", square(x, 10), code=x) for x in range(5)]
        upload(f"{dataset_id}.geojson", collection(*squares))

        open_page(page, "")
        page.get_by_role("link", name="Add a dataset").click()
        page.locator("#field-dataset_id").fill(dataset_id)
        expect(page.locator("#field-target_table_name")).to_have_value(f"curated_{dataset_id}")
        page.locator("#field-name").fill("Squares")
        page.locator("#field-key_columns").fill("code")
        page.get_by_role("button", name="Add the dataset").click()
        expect(page.locator("#field-source_url-error")).to_contain_text("must be given")

        page.get_by_text("More settings").click()
        source = {"container_name": CONTAINER, "blob_name": f"{dataset_id}.geojson"}
        page.locator("#field-source_config").fill(json.dumps(source))
        page.get_by_role("button", name="Add the dataset").click()
        expect(page.locator("h1")).to_contain_text("Squares", timeout=PATIENCE)

        page.get_by_role("link", name="Update", exact=True).click()
        page.get_by_role("button", name="Update now").click()
        running = page.get_by_role("region", name="Under way")
        expect(running.get_by_role("link")).to_have_attribute(
            "href", re.compile("^/api/interface/jobs/"), timeout=PATIENCE
        )
        figure = page.locator("[data-map]")
        expect(figure).to_have_attribute("data-state", "ready", timeout=2 * PATIENCE)
        assert drawn(page) == [1, 2, 3, 4, 5]
        attempt = page.get_by_role("table", name="Attempts").locator("tbody tr")
        expect(attempt).to_contain_text("completed")
        expect(attempt).to_contain_text("5 added, 0 updated, 0 deleted")

    def test_enabling_says_when_it_is_due(self, page: Page, dataset: CuratedDataset) -> None:
        open_page(page, f"/{dataset.dataset_id}")
        page.get_by_role("button", name="Enable").click()
        dialog = page.get_by_role("dialog", name="Let the scheduler update this dataset?")
        expect(dialog).to_contain_text("is then updated nightly at 02:00 UTC; first in")
        dialog.get_by_role("button", name="Enable").click()
        expect(page.get_by_role("button", name="Disable")).to_be_visible(timeout=PATIENCE)


class TestVersions:
    def test_going_back_asks_first_and_names_the_version(
        self, page: Page, dataset: CuratedDataset
    ) -> None:
        open_page(page, f"/{dataset.dataset_id}")
        versions = page.get_by_role("table", name="Versions").locator("tbody tr")
        versions.get_by_role("button", name="Roll back").click()
        dialog = page.get_by_role("dialog", name="Roll back to this version?")
        expect(dialog).to_contain_text("version 1, May 2026 of the source, 12 rows.")
        dialog.get_by_role("button", name="Keep it as it is").click()
        expect(versions.first).to_contain_text("2 current")

        versions.get_by_role("button", name="Roll back").click()
        dialog.get_by_role("button", name="Roll back").click()
        expect(versions.first).to_contain_text("3 current brought back 1", timeout=PATIENCE)
        expect(page.locator("main")).to_contain_text("Version June 2026 of the source was rolled")

    def test_a_held_version_can_be_discarded(
        self, page: Page, ledger: database.Connection, dataset: CuratedDataset
    ) -> None:
        held(ledger, dataset, parks(5), source_version="July 2026")
        open_page(page, f"/{dataset.dataset_id}")
        page.get_by_role("button", name="Discard it").click()
        dialog = page.get_by_role("dialog", name="Discard this version?")
        expect(dialog).to_contain_text("version July 2026 of the source, 5 rows.")
        dialog.get_by_role("button", name="Discard it").click()
        expect(page.get_by_role("button", name="Discard it")).to_have_count(0, timeout=PATIENCE)

    def test_what_is_refused_is_told(
        self, page: Page, ledger: database.Connection, dataset: CuratedDataset
    ) -> None:
        version = held(ledger, dataset, parks(5), source_version="July 2026")
        open_page(page, f"/{dataset.dataset_id}")
        page.get_by_role("button", name="Publish it").click()
        ledger.execute(
            "UPDATE app.curated_versions SET state = 'discarded' WHERE version_id = %s",
            (version.version_id,),
        )
        page.get_by_role("dialog").get_by_role("button", name="Publish it").click()
        expect(page.locator("#confirm-error")).to_contain_text("Nothing is held", timeout=PATIENCE)


class TestForm:
    def test_the_schedule_is_explained_as_it_is_written(self, page: Page) -> None:
        open_page(page, "/datasets/new")
        means = page.locator(".schedule-means")
        expect(means).to_contain_text("Nightly at 02:00 UTC")
        page.locator("#field-update_schedule").fill("0 4 * * 1")
        expect(means).to_contain_text("Every Monday at 04:00 UTC", timeout=PATIENCE)
        page.locator("#field-update_schedule").fill("0 2 30 2 *")
        expect(means).to_contain_text("never falls due", timeout=PATIENCE)

    def test_an_edit_that_somebody_else_came_before_is_refused(
        self, page: Page, ledger: database.Connection, dataset: CuratedDataset
    ) -> None:
        open_page(page, f"/{dataset.dataset_id}")
        page.get_by_role("link", name="Edit").click()
        page.locator("#field-name").fill("Other parks")
        ledger.execute(
            "UPDATE app.curated_datasets SET revision = revision + 1 WHERE dataset_id = %s",
            (dataset.dataset_id,),
        )
        page.get_by_role("button", name="Save").click()
        expect(page.locator("#form-error")).to_contain_text("was changed since", timeout=PATIENCE)

        page.reload()
        page.locator("#field-name").fill("Other parks")
        page.get_by_role("button", name="Save").click()
        expect(page.locator("h1")).to_contain_text("Other parks", timeout=PATIENCE)


class TestLook:
    PATHS = ("", "/datasets/new", "/{}", "/{}/edit", "/{}/update")

    @pytest.fixture
    def paths(self, ledger: database.Connection, dataset: CuratedDataset) -> list[str]:
        held(ledger, dataset, parks(5), source_version="July 2026")
        dry_run(ledger, dataset, source_version="August 2026")
        return [path.format(dataset.dataset_id) for path in self.PATHS]

    @pytest.mark.parametrize("width", [320, 375, 768])
    def test_nothing_is_wider_than_the_screen(
        self, contexts: Contexts, paths: list[str], width: int
    ) -> None:
        page = contexts(width=width, height=800).new_page()
        for path in paths:
            page.goto(ROOT + path)
            over = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert over <= 0, f"{path} is {over} px too wide"

    def test_no_page_keeps_anyone_out(self, contexts: Contexts, paths: list[str]) -> None:
        page = contexts(color_scheme="light").new_page()
        for path in paths:
            page.emulate_media(color_scheme="light")
            open_page(page, path)
            assert violations(page) == [], path
            page.emulate_media(color_scheme="dark")
            assert violations(page, "color-contrast") == [], path

    def test_every_control_has_a_name(self, contexts: Contexts, paths: list[str]) -> None:
        page = contexts().new_page()
        for path in paths:
            page.goto(ROOT + path)
            assert page.evaluate(NAMELESS) == [], path


# Controls that a screen reader has nothing to say of, and ids that are there twice.
NAMELESS = """
() => {
  const named = (element) => element.textContent.trim() || element.getAttribute("aria-label")
    || element.title || element.labels?.length;
  const controls = [...document.querySelectorAll("a[href], button, input, select, textarea")];
  const nameless = controls
    .filter((each) => each.type !== "hidden" && each.checkVisibility() && !named(each))
    .map((each) => each.outerHTML);
  const ids = [...document.querySelectorAll("[id]")].map((each) => each.id);
  return [...nameless, ...ids.filter((id, index) => ids.indexOf(id) !== index)];
}
"""
