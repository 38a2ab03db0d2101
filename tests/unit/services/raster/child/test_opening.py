"""Rasters that were made to have other files read, or addresses asked, are refused.

They are opened in a process of its own that nothing else keeps from files and network: in the
app, the sandbox's walls come on top.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import rasterio

from services.raster.child.gdal_environment import ENVIRONMENT
from tests.support.raster_files import relief, write_raster

FUNCTIONS = "tests.unit.services.raster.child.raster_functions"
CHECKOUT = Path(__file__).parents[5]


@dataclass
class Site:
    """A web server that says which paths it was asked for."""

    address: str
    asked: list[str]


@pytest.fixture
def site() -> Iterator[Site]:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Site(f"http://127.0.0.1:{server.server_port}", asked)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A raster outside of the source's folder."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return write_raster(folder / "secret.tif")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


def run(function: str, *paths: Path, environment: dict[str, str]) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", FUNCTIONS, function, *map(str, paths)],
        cwd=CHECKOUT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


def verdicts(*paths: Path) -> list[str]:
    """What becomes of files where only the choice of drivers and our own checks protect."""
    return run("verdict", *paths, environment={"GDAL_SKIP": ENVIRONMENT["GDAL_SKIP"]})


def vrt(source: str) -> str:
    return (
        '<VRTDataset rasterXSize="80" rasterYSize="64"><VRTRasterBand dataType="Float32" band="1">'
        f'<SimpleSource><SourceFilename relativeToVRT="0">{source}</SourceFilename>'
        "<SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
    )


TEXTS: dict[str, Callable[[str], str]] = {
    "plain.vrt": vrt,
    "named.tif": vrt,
    "indented.tif": lambda source: f"\n\n   {vrt(source)}",
    "like_dted.dt0": lambda source: f"UHL1 {vrt(source)}".ljust(5000),
    "like_grid.asc": lambda source: f"ncols 4\nnrows 4\n{vrt(source)}",
    "like_jpeg.jpg": lambda source: f"\udcff\udcd8\udcff\udcfe{vrt(source)}",
    "map.xml": lambda source: (
        f'<GDAL_WMS><Service name="TMS"><ServerUrl>{source}</ServerUrl></Service></GDAL_WMS>'
    ),
    "tiles.gti": lambda source: (
        f"<GDALTileIndexDataset><IndexDataset>{source}</IndexDataset></GDALTileIndexDataset>"
    ),
    "wcs.xml": lambda source: f"<WCS_GDAL><ServiceURL>{source}</ServiceURL></WCS_GDAL>",
    "stac.json": lambda source: (
        '{"type": "FeatureCollection", "stac_version": "1.0.0", "features": '
        f'[{{"stac_version": "1.0.0", "assets": {{"a": {{"href": "{source}"}}}}}}]}}'
    ),
}


@pytest.mark.parametrize("where", ["file", "site"])
def test_texts_that_tell_gdal_what_to_open(
    folder: Path, site: Site, canary: Path, where: str
) -> None:
    source = str(canary) if where == "file" else f"/vsicurl/{site.address}/a.tif"
    paths = []
    for name, text in TEXTS.items():
        path = folder / name
        path.write_bytes(text(source).encode(errors="surrogateescape"))
        paths.append(path)
    archive = folder / "packed.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("inside.vrt", vrt(source))

    found = verdicts(*paths, archive)

    assert found == ["refers_elsewhere"] * (len(TEXTS) + 1)
    assert site.asked == []


@pytest.mark.parametrize("name", ["a.tif.ovr", "a.tif.msk", "a.ovr"])
def test_a_vrt_beside_the_raster(folder: Path, site: Site, canary: Path, name: str) -> None:
    raster = write_raster(folder / "a.tif")
    for source in (str(canary), f"/vsicurl/{site.address}/a.tif"):
        (folder / name).write_text(vrt(source))
        assert verdicts(raster) == ["refers_elsewhere"]
    assert site.asked == []


def overviews_at(path: Path, source: str) -> Path:
    """Have a GeoTIFF's metadata name a file as its overviews."""
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=source)
    return path


def in_tags(folder: Path, source: str) -> Path:
    return overviews_at(write_raster(folder / "a.tif"), source)


def in_aux(folder: Path, source: str) -> Path:
    (folder / "a.tif.aux.xml").write_text(
        '<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">'
        f"{source}</MDI></Metadata></PAMDataset>"
    )
    return write_raster(folder / "a.tif")


def in_overviews(folder: Path, source: str) -> Path:
    beside = write_raster(folder / "b.tif", relief(32, 40))
    overviews_at(beside, source).rename(folder / "a.tif.ovr")
    return write_raster(folder / "a.tif")


def in_mask(folder: Path, source: str) -> Path:
    beside = write_raster(folder / "b.tif", np.ones((1, 64, 80), "uint8"))
    overviews_at(beside, source).rename(folder / "a.tif.msk")
    return write_raster(folder / "a.tif")


@pytest.mark.parametrize("where", ["file", "site"])
@pytest.mark.parametrize("hide", [in_tags, in_aux, in_overviews, in_mask])
def test_metadata_that_name_overviews_elsewhere(
    folder: Path, site: Site, canary: Path, where: str, hide: Callable[[Path, str], Path]
) -> None:
    source = str(canary) if where == "file" else f"/vsicurl/{site.address}/a.tif"
    assert verdicts(hide(folder, source)) == ["refers_elsewhere"]
    assert site.asked == []


def test_the_way_that_is_closed_is_one(folder: Path, site: Site) -> None:
    """Without the checks GDAL does ask the site: so the tests above can fail."""
    source = f"/vsicurl/{site.address}/a.tif"
    raster = folder / "a.tif"
    raster.write_text(vrt(source))
    run("open_anyhow", raster, environment={})
    assert site.asked
    site.asked.clear()

    run("open_anyhow", raster, environment=dict(ENVIRONMENT))
    assert site.asked == []


def test_an_erdas_raster_whose_pixels_lie_elsewhere(folder: Path, tmp_path: Path) -> None:
    name = "a_name_that_is_long_enough"
    raster = write_raster(folder / f"{name}.img", driver="HFA", use_spill="YES")
    assert verdicts(raster) == ["read"]
    outside = f"../{'x' * (len(name) - 3)}"
    (folder / f"{name}.ige").rename(folder / f"{outside}.ige")
    data = raster.read_bytes()
    assert name.encode() in data
    raster.write_bytes(data.replace(f"{name}.ige".encode(), f"{outside}.ige".encode()))

    assert verdicts(raster) == ["refers_elsewhere"]


def test_what_belongs_to_a_raster_is_read(folder: Path) -> None:
    raster = write_raster(folder / "a.tif")
    with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(raster, "r+") as dataset:
        dataset.build_overviews([2])
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(raster, "r+") as dataset:
        dataset.write_mask(np.ones((64, 80), "uint8") * 255)
    assert (folder / "a.tif.ovr").exists()
    assert (folder / "a.tif.msk").exists()
    assert verdicts(raster) == ["read"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "unreadable_raster"),
        (b"II*\0" + bytes(20), "unreadable_raster"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "unreadable_raster"),
        (b"CDF\x01" + bytes(20), "driver_not_allowed"),
        (b"some text", "driver_not_allowed"),
    ],
)
def test_what_is_no_raster(folder: Path, content: bytes, code: str) -> None:
    path = folder / "a.tif"
    path.write_bytes(content)
    assert verdicts(path) == [code]
