"""Pinning rasters in a real blob service, and finding the raster in what was pinned."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from rasterio.crs import CRS

from config import get_settings
from core.errors import NotFound, PermanentTaskError
from infrastructure import blob_storage
from services.raster import children, sources, surveying
from services.raster.parameters import RasterOptions
from services.vector.source_files import SourceRef
from tests.support.raster_files import write_raster
from tests.support.settings import app_settings

CONTAINER = "bronze-sources"


@pytest.fixture
def storage(blob_connection_string: str, tmp_path: Path) -> Iterator[None]:
    """An empty container, and a cache of the test's own."""
    with app_settings(
        AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
        GEOFORGE_SOURCE_CACHE_DIR=str(tmp_path / "cache"),
    ):
        blob_storage.ensure_container(CONTAINER)
        client = blob_storage.container_client(CONTAINER)
        for name in client.list_blob_names():
            client.delete_blob(name)
        yield


def put(*names: str, data: bytes = b"data") -> None:
    for name in names:
        blob_storage.write_bytes(CONTAINER, name, data)


def packed(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def raster_of(ref: SourceRef) -> tuple[str, list[str], bytes]:
    """The name of the raster in a source, the names beside it, and its bytes."""
    with sources.local_copy(ref) as source, children.brief_child(source, 60) as child:
        path = sources.raster_path(source, child, None)
        beside = sorted(each.name for each in path.parent.iterdir() if each != path)
        again = sources.raster_path(source, child, None)
        assert again == path
        return path.name, beside, path.read_bytes()


def test_a_raster_comes_with_what_belongs_to_it(storage: None, tmp_path: Path) -> None:
    put("in/Dem.TIF", "in/DEM.TIF.OVR", data=write_raster(tmp_path / "dem.tif").read_bytes())
    put("in/dem.tfw", "in/Dem.TIF.aux.xml", "in/Dem.prj")
    put("in/Dem.txt", "in/Dem_2.tfw", "Dem.tfw", "in/Dem.tif.bak", "in/deep/Dem.tfw")
    ref = sources.pin(CONTAINER, "in/Dem.TIF")

    assert ref.path == ref.blobs[0].path == "in/Dem.TIF"
    assert {blob.path: blob.local for blob in ref.blobs} == {
        "in/Dem.TIF": "Dem.TIF",
        "in/dem.tfw": "Dem.tfw",
        "in/Dem.TIF.aux.xml": "Dem.TIF.aux.xml",
        "in/DEM.TIF.OVR": "Dem.TIF.ovr",
        "in/Dem.prj": "Dem.prj",
    }
    name, beside, _ = raster_of(ref)
    assert name == "Dem.TIF"
    assert beside == ["Dem.TIF.aux.xml", "Dem.TIF.ovr", "Dem.prj", "Dem.tfw"]


def test_what_is_not_there_is_named_with_what_may_be_meant(storage: None) -> None:
    put("in/Dem.tif")
    with pytest.raises(NotFound, match=r"Did you mean 'in/Dem\.tif'\?"):
        sources.pin(CONTAINER, "in/dem.tif")
    with pytest.raises(NotFound, match="There is no container"):
        sources.pin("no-such-container", "in/dem.tif")
    with pytest.raises(NotFound, match="is a folder"):
        sources.pin(CONTAINER, "in")


def test_a_raster_that_is_too_large_is_refused_before_it_is_fetched(
    storage: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("a.tif", data=b"x" * 2000)
    monkeypatch.setenv("GEOFORGE_MAX_SOURCE_BYTES", "1000")
    get_settings.cache_clear()
    with pytest.raises(PermanentTaskError, match="GEOFORGE_MAX_SOURCE_BYTES") as caught:
        sources.pin(CONTAINER, "a.tif")
    assert caught.value.error_code == "source_too_large"


def test_the_raster_of_an_archive_with_its_sidecars_alone(storage: None, tmp_path: Path) -> None:
    raster = write_raster(tmp_path / "dem.tif").read_bytes()
    members = {
        "data/dem.tif": raster,
        "data/DEM.TFW": b"1\n0\n0\n-1\n0\n0\n",
        "data/readme.txt": b"read me",
        "data/quicklook.jpg": b"\xff\xd8\xff\xe0" + bytes(50),
        "data/dem.vrt": b"<VRTDataset></VRTDataset>",
        "other/dem.tif.ovr": b"not beside it",
    }
    put("dem.zip", data=packed(members))

    assert raster_of(sources.pin(CONTAINER, "dem.zip")) == ("dem.tif", ["dem.tfw"], raster)


@pytest.mark.parametrize(
    ("members", "code", "words"),
    [
        ({"a.txt": b"x", "b/c.csv": b"1"}, "no_raster_in_archive", "only a.txt, b/c.csv"),
        ({"a.tif": b"II*\0x", "b.tif": b"MM\0*x"}, "several_rasters_in_archive", "a.tif, b.tif"),
        ({"a.vrt": b"<VRTDataset></VRTDataset>"}, "refers_elsewhere", "virtual raster"),
        ({"../a.tif": b"II*\0x"}, "unreadable_file", "leads out of its folder"),
    ],
)
def test_archives_without_one_raster(
    storage: None, members: Mapping[str, bytes], code: str, words: str
) -> None:
    put("a.zip", data=packed(members))
    with pytest.raises(PermanentTaskError, match=r"a\.zip: ") as caught:
        raster_of(sources.pin(CONTAINER, "a.zip"))
    assert caught.value.error_code == code
    assert words in caught.value.message


def test_an_archive_that_fills_disks_is_refused(storage: None) -> None:
    put("bomb.zip", data=packed({"a.tif": b"II*\0" + bytes(300 << 20)}))
    with pytest.raises(PermanentTaskError) as caught:
        raster_of(sources.pin(CONTAINER, "bomb.zip"))
    assert caught.value.error_code == "archive_too_large"


def test_the_crs_of_a_prj_beside_the_raster_is_heeded(storage: None, tmp_path: Path) -> None:
    raster = write_raster(tmp_path / "dem.tif", crs=None).read_bytes()
    prj = CRS.from_epsg(32633).to_wkt(version="WKT1_ESRI")
    put("loose/dem.tif", data=raster)
    put("loose/DEM.PRJ", data=prj.encode())
    put("packed.zip", data=packed({"dem.tif": raster, "dem.prj": prj.encode()}))

    for name in ("loose/dem.tif", "packed.zip"):
        ref = sources.pin(CONTAINER, name)
        with sources.local_copy(ref) as source, children.brief_child(source, 60) as child:
            path = sources.raster_path(source, child, None)
            found = surveying.survey(child, path, name, RasterOptions(), None)
        assert found.facts.crs == "EPSG:32633"
