"""Which rasters an aggregation reads, and what they say of themselves."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine

from core.errors import GeoforgeError
from infrastructure import blob_storage
from jobs.h3_raster_aggregation import JOB
from services.h3 import looking, plans, sources
from services.h3.model import SourceRaster
from tests.servers import PostgresServer
from tests.support import raster_catalog
from tests.support.raster_catalog import COLLECTION, SECRET
from tests.support.rasters import write
from tests.support.run_job import Context, JobRun
from tests.support.settings import app_settings
from tests.support.stac_collection import new_container
from tests.support.website import serving

_RUNS = itertools.count()
SOME_YEARS = "2019-01-01T00:00:00Z/2023-01-01T00:00:00Z"
HERE = Affine(0.01, 0, 15.0, 0, -0.01, 48.0)


@pytest.fixture(scope="module")
def container(
    postgres_server: PostgresServer,
    migrated_template: str,
    blob_connection_string: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """A container of data, whose rasters a catalog has as items."""
    url = postgres_server.create_database(migrated_template)
    with app_settings(
        DATABASE_URL=url,
        AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
        GEOFORGE_ALLOWED_HOSTS="127.0.0.1",
    ):
        container = new_container("silver")
        raster_catalog.load(url, container, tmp_path_factory.mktemp("rasters"))
        dem = blob_storage.blob_client(container, "rasters/dem.tif").url
        cover = blob_storage.blob_client(container, "rasters/cover.tif").url
        quiet = raster_catalog.item("quiet", dem)
        quiet["properties"]["geoforge:restricted"] = True
        raster_catalog.add(
            url,
            quiet,
            *(of_time(name, href, year) for name, href, year in (
                ("b", cover, 2020), ("a", dem, 2020), ("later", dem, 2022))),
        )  # fmt: skip
        yield container
    postgres_server.drop_database(url)


def of_time(name: str, href: str, year: int) -> dict[str, Any]:
    """An item of a time at which the catalog has no others."""
    item = raster_catalog.item(name, href)
    item["properties"] |= {
        "datetime": f"{year}-05-01T00:00:00Z",
        "geoforge:raster_type": "dem" if name != "b" else "categorical",
    }
    item["assets"]["data"]["bands"] = [{"name": "b1"}]
    return item


def context(**parameters: Any) -> Any:
    """What the handler of a new job is given."""
    return Context(
        JobRun(JOB, next(_RUNS), **{"theme": "t", "dataset_id": "d", "resolution": 4, **parameters})
    )


def looked_at(**parameters: Any) -> list[SourceRaster]:
    here = context(**parameters)
    return looking.look_all(here, sources.resolve(here))


def refused(code: str, **parameters: Any) -> str:
    """What looking for rasters is refused with."""
    with pytest.raises(GeoforgeError) as refusal:
        looked_at(**parameters)
    assert refusal.value.error_code == code, refusal.value
    return refusal.value.message


def put(container: str, name: str, file: Path) -> dict[str, str]:
    blob_storage.write_bytes(container, name, file.read_bytes())
    return {"container_name": container, "blob_name": name}


def test_an_item_is_the_raster_that_it_is_about(container: str) -> None:
    (raster,) = looked_at(collection_id=COLLECTION, item_id="dem")
    assert (raster.name, raster.container, raster.path) == ("dem", container, "rasters/dem.tif")
    assert (raster.grid.crs, raster.grid.width, raster.grid.height) == ("EPSG:32633", 600, 700)
    assert (raster.band, raster.dtype, raster.nodata) == (1, "float32", -9999)
    (found,) = sources.resolve(context(collection_id=COLLECTION, item_id="dem"))
    assert not found.is_restricted


def test_items_come_newest_first_and_then_by_name(container: str) -> None:
    found = sources.resolve(context(collection_id=COLLECTION, datetime=SOME_YEARS))
    assert [each.name for each in found] == ["later", "b"], "one blob is read once"
    assert [each.raster_type for each in found] == ["dem", "categorical"]
    once = context(collection_id=COLLECTION, datetime="2020-05-01T00:00:00Z")
    assert sources.names(once.parameters) == ["a", "b"]


def test_items_go_by_their_properties(container: str) -> None:
    wanted = {"collection_id": COLLECTION, "datetime": SOME_YEARS}
    found = looked_at(**wanted, properties={"geoforge:raster_type": "categorical"})
    assert [raster.name for raster in found] == ["b"]
    said = refused("no_items", **wanted, properties={"geoforge:raster_type": "rgb", "n": 1})
    assert "geoforge:raster_type = rgb" in said


def test_items_without_the_asset_are_passed_over(container: str) -> None:
    wanted = {"collection_id": COLLECTION, "datetime": SOME_YEARS}
    assert len(looked_at(**wanted, asset="data")) == 2
    assert "data" in refused("asset_not_found", **wanted, asset="nothing")


def test_rasters_of_a_restricted_collection_are_said_to_be(container: str) -> None:
    (found,) = sources.resolve(context(collection_id=SECRET))
    assert found.is_restricted


@pytest.mark.parametrize(
    ("restricted", "parameters"),
    [
        (True, {"collection_id": SECRET}),
        (True, {"collection_id": COLLECTION, "item_id": "dem", "restricted": True}),
        (False, {"collection_id": COLLECTION, "item_id": "dem"}),
    ],
)
def test_statistics_are_restricted_as_their_rasters_are_or_on_demand(
    restricted: bool, parameters: dict[str, Any], container: str
) -> None:
    job = JobRun(JOB, next(_RUNS), theme="t", dataset_id="d", resolution=3, **parameters)
    job.run_stage(plans.STAGE)
    assert plans.head(Context(job)).is_restricted is restricted


@pytest.mark.parametrize(
    ("code", "named", "parameters"),
    [
        ("collection_not_found", "nowhere", {"collection_id": "nowhere"}),
        ("item_not_found", "nobody", {"collection_id": COLLECTION, "item_id": "nobody"}),
        ("asset_not_found", "thumbnail",
         {"collection_id": COLLECTION, "item_id": "dem", "asset": "heights"}),
        ("no_raster", "paper", {"collection_id": COLLECTION, "item_id": "paper"}),
        ("not_ours", "elsewhere", {"collection_id": COLLECTION, "item_id": "elsewhere"}),
        ("blob_not_found", "gone", {"collection_id": COLLECTION, "item_id": "gone"}),
        ("no_items", "1999", {"collection_id": COLLECTION, "datetime": "1999-01-01T00:00:00Z"}),
        ("item_not_found", "1999",
         {"collection_id": COLLECTION, "item_id": "dem", "datetime": "1999-01-01T00:00:00Z"}),
        ("invalid_datetime", "yesterday",
         {"collection_id": COLLECTION, "datetime": "yesterdayish"}),
        ("crs_missing", "nowhere", {"collection_id": COLLECTION, "item_id": "nowhere"}),
        ("unreadable_raster", "damaged", {"collection_id": COLLECTION, "item_id": "damaged"}),
        ("band_not_found", "1 to 4",
         {"collection_id": COLLECTION, "item_id": "scene", "band": 5}),
        ("band_not_found", "blue, green, red, nir",
         {"collection_id": COLLECTION, "item_id": "scene", "band": "swir"}),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_by_name(
    code: str, named: str, parameters: dict[str, Any], container: str
) -> None:
    assert named in refused(code, **parameters)


def test_bands_go_by_their_descriptions_colours_and_the_items_names(container: str) -> None:
    (nir,) = looked_at(collection_id=COLLECTION, item_id="scene", band="NIR")
    (green,) = looked_at(collection_id=COLLECTION, item_id="photo", band="green")
    (first,) = looked_at(collection_id=COLLECTION, item_id="later", band="b1")
    assert (nir.band, green.band, first.band) == (4, 2, 1)


def test_a_blob_is_read_in_the_version_of_this_moment(container: str, tmp_path: Path) -> None:
    blob = put(container, "plain.tif", write(tmp_path / "a.tif", np.ones((5, 6), np.uint8)))
    here = context(**blob, nodata=3)
    found = sources.resolve(here)
    (raster,) = looking.look_all(here, found)
    assert (raster.name, raster.nodata, raster.scale) == ("plain.tif", 3.0, 1.0)
    put(container, "plain.tif", write(tmp_path / "a.tif", np.zeros((5, 6), np.uint8)))
    with pytest.raises(GeoforgeError, match=r"plain\.tif has been replaced") as changed:
        looking.look_all(here, found)
    assert changed.value.error_code == "source_changed"


@pytest.mark.parametrize(
    ("name", "is_restricted"),
    [
        (f"{SECRET}/hidden/0123456789abcdef/hidden.tif", True),
        (f"{SECRET}/nobody/0123456789abcdef/nobody.tif", False),
        (f"{COLLECTION}/quiet/0123456789abcdef/quiet.tif", True),
        (f"{COLLECTION}/dem/0123456789abcdef/dem.tif", False),
        (f"{SECRET}/hidden.tif", False),
    ],
)
def test_a_blob_of_a_restricted_item_is_restricted_without_its_item(
    name: str, is_restricted: bool, container: str, tmp_path: Path
) -> None:
    blob = put(container, name, write(tmp_path / "a.tif", np.ones((5, 6), np.uint8)))
    (found,) = sources.resolve(context(**blob))
    assert found.is_restricted is is_restricted


def test_a_blob_that_is_not_there_is_named_with_the_one_that_was_meant(container: str) -> None:
    message = refused("blob_not_found", container_name=container, blob_name="rasters/DEM.tif")
    assert "'rasters/dem.tif'" in message


def test_a_mask_beside_a_blob_is_not_passed_over(container: str, tmp_path: Path) -> None:
    file = write(tmp_path / "a.tif", np.ones((5, 6), np.uint8))
    blob = put(container, "masked.tif", file)
    put(container, "masked.tif.msk", file)
    assert "masked.tif.msk" in refused("mask_beside_raster", **blob)


def test_rasters_without_a_place_or_statistics_are_refused(container: str, tmp_path: Path) -> None:
    nowhere = write(tmp_path / "a.tif", np.ones((5, 6)), crs=None)
    assert "crs" in refused("crs_missing", **put(container, "no-crs.tif", nowhere)).lower()
    waves = write(tmp_path / "b.tif", np.ones((5, 6), np.complex64), transform=HERE)
    refused("complex_values", **put(container, "waves.tif", waves))
    local = write(
        tmp_path / "c.tif", np.ones((5, 6)), transform=HERE,
        crs='LOCAL_CS["site",UNIT["metre",1]]',
    )  # fmt: skip
    refused("not_on_earth", **put(container, "local.tif", local))


def test_what_lies_at_an_address_is_read_from_a_copy(container: str, tmp_path: Path) -> None:
    file = write(tmp_path / "a.tif", np.ones((5, 6)), crs="EPSG:4326", transform=HERE)
    with serving(file.parent) as address:
        (raster,) = looked_at(source_url=f"{address}/{file.name}")
    assert (raster.name, raster.grid.crs) == (file.name, "EPSG:4326")
    assert raster.path.startswith("work/")
