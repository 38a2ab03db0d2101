"""Pictures of the pages of a stack that is up, for the documentation: `make screenshots`.

Not a test: it takes what the stack shows, best that of `make demo`. Each page is taken as a desktop
and as a phone show it, as a PNG of at most 256 colours.

    python -m tests.screenshots --url http://127.0.0.1:7071 [--only metrics --only map]
"""

from __future__ import annotations

import argparse
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import rasterio
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright
from rasterio.errors import NotGeoreferencedWarning

from tests.support import chromium

IMAGES = Path(__file__).parents[1] / "docs" / "images"
SIZES: dict[str, ViewportSize] = {
    "desktop": {"width": 1280, "height": 900},
    "phone": {"width": 390, "height": 844},
}

_ROOT = "/api/interface"
_PATIENCE_MS = 120_000
# Maps fetch tiles and fade them in; that they have is not told.
_SETTLED_MS = 6_000


@dataclass(frozen=True, slots=True)
class Shot:
    """A page to take: what the picture is called, and where the page is."""

    name: str
    path: str


def shots(api: httpx.Client) -> Iterator[Shot]:
    """The pages themselves, and one of each kind that the stack has something to show on."""
    yield Shot("index", "")
    for name in ("metrics", "jobs", "pipelines", "map", "vector", "curated", "api", "design"):
        yield Shot(name, f"/{name}")
    yield Shot("call", "/api/submit_process_vector")
    yield Shot("map-h3", "/map?show=h3")
    yield Shot("form", "/jobs/new/process_vector")
    if job := _first(api, "/api/jobs?limit=1&status=completed", "jobs"):
        yield Shot("job", f"/jobs/{job['job_id']}")
    if table := _first(api, "/api/vector/tables", "tables"):
        yield Shot("table", f"/vector/tables/{table['table']}")
    if report := _first(api, "/api/jobs?limit=1&status=completed&job_type=process_vector", "jobs"):
        yield Shot("report", f"/vector/{report['job_id']}")
    datasets = api.get("/api/curated/datasets").raise_for_status().json()["datasets"]
    if current := next((each for each in datasets if each["dataset_id"] == "admin0"), None):
        yield Shot("dataset", f"/curated/{current['dataset_id']}")
    if pipeline := _first(api, "/api/pipelines?limit=1", "pipelines"):
        yield Shot("pipeline", f"/pipelines/{pipeline['name']}")
        yield Shot("builder", f"/pipelines/{pipeline['name']}/edit")
    if run := _first(api, "/api/pipelines/runs?limit=1&status=completed", "runs"):
        yield Shot("run", f"/pipelines/runs/{run['run_id']}")


def _first(api: httpx.Client, path: str, name: str) -> dict[str, Any] | None:
    found: list[dict[str, Any]] = api.get(path).raise_for_status().json()[name]
    return found[0] if found else None


def take(browser: Browser, url: str, shot: Shot) -> Iterator[tuple[Path, int]]:
    """Take the page at both sizes; the files and their bytes. Raises RuntimeError for an error."""
    for device, size in SIZES.items():
        context = browser.new_context(base_url=url, viewport=size, color_scheme="light")
        page = context.new_page()
        page.set_default_timeout(_PATIENCE_MS)
        answer = page.goto(f"{_ROOT}{shot.path}")
        if answer is None or not answer.ok:
            raise RuntimeError(f"{shot.path} answers {answer and answer.status}")
        _wait(page)
        file = IMAGES / f"{shot.name}-{device}.png"
        _write(page.screenshot(), file)
        context.close()
        yield file, file.stat().st_size


def _wait(page: Page) -> None:
    page.wait_for_function("document.documentElement.classList.contains('scripted')")
    if page.locator("[data-map], .map-canvas").count():
        page.wait_for_selector(".map-drawn")
        page.locator("[data-part=status]").first.wait_for(state="hidden")
        page.wait_for_timeout(_SETTLED_MS)


def _write(png: bytes, file: Path) -> None:
    """The picture with a palette."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.MemoryFile(png) as memory, memory.open() as source:
            pixels, palette = _with_palette(source.read([1, 2, 3]))
        height, width = pixels.shape
        with rasterio.open(
            file, "w", driver="PNG", width=width, height=height, count=1, dtype="uint8", zlevel=9
        ) as target:
            target.write(pixels, 1)
            target.write_colormap(
                1, {at: (int(r), int(g), int(b), 255) for at, (r, g, b) in enumerate(palette)}
            )


def _with_palette(picture: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A picture (3, height, width) as indexes (height, width) of a palette (at most 256, 3).

    Colours are alike where they agree in five bits of each channel. The commonest of each of the
    256 commonest kinds are kept as they are, so that grounds and texts stay exact; every other
    colour becomes the nearest of them.
    """
    colours, inverse, counts = np.unique(
        picture.reshape(3, -1).T, axis=0, return_inverse=True, return_counts=True
    )
    commonest = np.argsort(-counts, kind="stable")
    _, first, kind = np.unique(
        colours[commonest] >> 3, axis=0, return_index=True, return_inverse=True
    )
    size = np.bincount(kind.ravel(), weights=counts[commonest])
    palette = colours[commonest[first[np.argsort(-size)[:256]]]]
    far = colours.astype(np.float32) @ palette.astype(np.float32).T
    nearest = ((palette.astype(np.float32) ** 2).sum(axis=1) - 2 * far).argmin(axis=1)
    return nearest[inverse.ravel()].reshape(picture.shape[1:]).astype(np.uint8), palette


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default=os.environ.get("GEOFORGE_URL", "http://127.0.0.1:7071"))
    parser.add_argument("--only", action="append", help="take only the page of this name")
    wanted = parser.parse_args()
    with (
        httpx.Client(base_url=wanted.url, timeout=60) as api,
        sync_playwright() as playwright,
        chromium.launch(playwright) as browser,
    ):
        for shot in shots(api):
            if wanted.only and shot.name not in wanted.only:
                continue
            for file, size in take(browser, wanted.url, shot):
                print(f"{file.relative_to(IMAGES.parents[1])}  {size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
