"""The STAC Item of a published raster, as other people's software reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pystac
import pytest
from pystac.extensions.classification import ClassificationExtension
from pystac.extensions.eo import EOExtension
from pystac.extensions.file import FileExtension
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.raster import DataType, RasterExtension
from pystac.extensions.render import RenderExtension
from pystac.extensions.version import ItemVersionExtension
from pystac.validation import validate_dict

from services.ingest.documents import check_item
from services.raster.description import BandSummary, PaletteEntry
from services.raster.items import Origin
from services.raster.model import (
    Band,
    Candidate,
    Caveat,
    RasterType,
    Subtype,
    Survey,
    Verification,
)
from services.raster.times import BEGINNING, ItemTime
from services.stac.links import Addresses, linked_item
from tests.support.raster_items import AT, band, description, make_item, stored_files, survey
from tests.support.settings import app_settings

ACCOUNT = "http://127.0.0.1:10000/devstoreaccount1"
STORAGE = (
    "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;"
    f"AccountKey={'a' * 86}==;BlobEndpoint={ACCOUNT};"
)

Json = dict[str, Any]


@pytest.fixture(autouse=True)
def _app() -> Iterator[None]:
    with app_settings(AZURE_STORAGE_CONNECTION_STRING=STORAGE):
        yield


def read(item: Json) -> pystac.Item:
    """The Item as it is served, through pystac, after it has passed what pgSTAC and STAC's own
    schema ask."""
    check_item(item)
    served = linked_item(item, Addresses("https://geoforge.test"))
    # The schemas of STAC itself come with pystac, those of extensions would be fetched.
    validate_dict({**served, "stac_extensions": []})
    return pystac.Item.from_dict(served, preserve_dict=True, migrate=False)


def test_it_is_a_valid_item_with_its_files() -> None:
    item = read(make_item())
    assert item.collection_id == "heights"
    assert item.bbox == [9.0, 49.0, 10.0, 50.0]
    assert item.datetime is not None
    assert item.datetime.isoformat() == "2024-06-17T10:00:00+00:00"
    assert {name: asset.roles for name, asset in item.assets.items()} == {
        "data": ["data"],
        "thumbnail": ["thumbnail"],
        "overview": ["overview", "visual"],
    }
    assert ProjectionExtension.ext(item.assets["overview"]).shape == [512, 1024]
    version = ItemVersionExtension.ext(item).version
    assert item.assets["data"].href == f"{ACCOUNT}/silver-rasters/heights/dem/{version}/dem.tif"
    assert item.assets["data"].media_type == pystac.MediaType.COG
    assert item.properties["created"] == item.properties["updated"] == "2026-05-04T03:02:01Z"


def test_the_cogs_bytes_can_be_checked() -> None:
    files = stored_files("dem", "x", collection_id="c", container="silver-rasters")
    data = read(make_item(files=files)).assets["data"]
    file = FileExtension.ext(data)
    assert file.size == 1000
    assert file.checksum == f"1220{files.cog.sha256}"


def test_the_grid_is_read_by_the_projection_extension() -> None:
    item = read(make_item())
    projection = ProjectionExtension.ext(item)
    assert projection.code == "EPSG:4326"
    assert projection.shape == [100, 100]
    assert projection.transform == [0.01, 0, 9.0, 0, -0.01, 50.0]
    assert projection.bbox == [9.0, 49.0, 10.0, 50.0]
    assert projection.centroid == {"lat": 49.5, "lon": 9.5}
    assert item.properties["gsd"] == 1113.0


def test_a_crs_without_a_code_is_null_and_written_out() -> None:
    wkt = 'PROJCRS["mine"]'
    item = make_item(description=description(code=None, wkt2=wkt, projjson={"type": "x"}))
    projection = ProjectionExtension.ext(read(item))
    assert item["properties"]["proj:code"] is None
    assert (projection.wkt2, projection.projjson) == (wkt, {"type": "x"})


def test_bands_are_described_for_old_clients_and_new() -> None:
    bands = (
        band(1, dtype="int16", nodata=-1, unit="m", scale=0.1, offset=5, description="height"),
        band(2, dtype="complex_int16", nodata=float("nan"), statistics=None),
    )
    item = make_item(description=description(bands=bands), survey=survey(bands=2))
    data = read(item).assets["data"]
    first, second = RasterExtension.ext(data).bands or []
    assert (first.data_type, first.nodata, first.unit) == (DataType.INT16, -1, "m")
    assert (first.scale, first.offset, first.spatial_resolution) == (0.1, 5, 1113.0)
    assert first.statistics is not None
    assert (first.statistics.minimum, first.statistics.valid_percent) == (0, 75.0)
    assert (second.data_type, second.nodata) == (DataType.CINT16, "nan")
    assert "statistics" not in second.to_dict()
    assert data.extra_fields["bands"][0] == {
        "name": "b1", "description": "height", "data_type": "int16", "nodata": -1, "unit": "m",
        "statistics": {
            "minimum": 0, "maximum": 9, "mean": 4.5, "stddev": 2.5, "valid_percent": 75.0
        },
    }  # fmt: skip


def test_statistics_of_an_overview_say_so() -> None:
    rough = BandSummary(minimum=0, maximum=1, mean=0.5, stddev=float("inf"), approximate=True)
    item = make_item(description=description(bands=(band(statistics=rough),)))
    (found,) = item["assets"]["data"]["raster:bands"]
    assert found["geoforge:statistics"] == "approximate"
    assert found["statistics"] == {"minimum": 0, "maximum": 1, "mean": 0.5}


def test_colours_have_their_common_names() -> None:
    colours = ("red", "green", "blue", "undefined")
    bands = tuple(band(number + 1, colour=colour) for number, colour in enumerate(colours))
    item = make_item(description=description(bands=bands), survey=survey(RasterType.NIR, bands=4))
    found = EOExtension.ext(read(item).assets["data"]).bands or []
    assert [each.common_name for each in found] == ["red", "green", "blue", "nir"]
    names = [each["eo:common_name"] for each in item["assets"]["data"]["bands"]]
    assert names == ["red", "green", "blue", "nir"]


@pytest.mark.parametrize(
    ("text", "share"), [("12.5", 12.5), ("0", 0.0), ("999", None), ("NaN", None), ("some", None)]
)
def test_clouds_are_told_where_the_file_counts_them(text: str, share: float | None) -> None:
    found = survey()
    facts = found.facts.model_copy(update={"tags": {"CLOUDCOVER": text}})
    item = read(make_item(survey=Survey(facts=facts, inference=found.inference, statistics=())))
    assert item.properties.get("eo:cloud_cover") == share
    assert EOExtension.has_extension(item) is (share is not None)


def test_only_the_extensions_in_use_are_named() -> None:
    plain = make_item()
    assert not [each for each in plain["stac_extensions"] if "/eo/" in each or "/render/" in each]
    assert not EOExtension.has_extension(read(plain))


def test_classes_are_those_of_palette_and_categories() -> None:
    palette = (PaletteEntry(value=1, colour="FF0000"), PaletteEntry(value=3, colour="00FF00"))
    found = survey(RasterType.CATEGORICAL)
    facts = found.facts.model_copy(
        update={"bands": (Band(number=1, dtype="uint8", categories=("", "Open Water", "x")),)}
    )
    item = make_item(
        description=description(bands=(band(colour="palette", palette=palette),)),
        survey=Survey(facts=facts, inference=found.inference, statistics=()),
    )
    classes = ClassificationExtension.ext(read(item).assets["data"]).classes or []
    assert [(each.value, each.name, each.title, each.color_hint) for each in classes] == [
        (1, "open_water", "Open Water", "FF0000"),
        (3, "class_3", None, "00FF00"),
    ]


def test_categories_without_a_palette_are_classes_too() -> None:
    found = survey(RasterType.CATEGORICAL)
    facts = found.facts.model_copy(
        update={"bands": (Band(number=1, dtype="uint8", categories=("Water", "", "Wald/Forst")),)}
    )
    item = make_item(survey=Survey(facts=facts, inference=found.inference, statistics=()))
    assert item["assets"]["data"]["classification:classes"] == [
        {"value": 0, "name": "water", "title": "Water"},
        {"value": 2, "name": "wald_forst", "title": "Wald/Forst"},
    ]


def test_the_inference_is_told_with_its_doubts() -> None:
    candidates = tuple(
        Candidate(type=kind, subtype=subtype, probability=share)
        for kind, subtype, share in (
            (RasterType.CONTINUOUS, Subtype.SLOPE, 0.51239),
            (RasterType.DEM, None, 0.3),
            (RasterType.UNKNOWN, None, 0.1),
            (RasterType.RGB, None, 0.08761),
        )
    )
    properties = make_item(
        survey=survey(
            RasterType.CONTINUOUS, subtype=Subtype.SLOPE, confidence=0.51239,
            candidates=candidates, warnings=(Caveat(code="constant", message="All one.", band=2),),
            overridden=True, conflict="The evidence says dem.",
        )
    )["properties"]  # fmt: skip
    told = {name: value for name, value in properties.items() if name.startswith("geoforge:")}
    assert told == {
        "geoforge:raster_type": "continuous",
        "geoforge:raster_subtype": "slope",
        "geoforge:confidence": 0.5124,
        "geoforge:candidates": [
            {"type": "continuous", "subtype": "slope", "probability": 0.5124},
            {"type": "dem", "probability": 0.3},
            {"type": "unknown", "probability": 0.1},
        ],
        "geoforge:warnings": [{"code": "constant", "message": "All one.", "band": 2}],
        "geoforge:overridden": True,
        "geoforge:conflict": "The evidence says dem.",
        "geoforge:source": {"container": "bronze-rasters", "blob": "in/dem.tif"},
        "geoforge:job_id": "j" * 64,
        "geoforge:datetime_source": "parameter",
        "geoforge:footprint": "extent",
    }


def test_an_address_is_told_without_secrets() -> None:
    url = "https://user:word@data.test:8443/a/dem.tif?sig=secret#part"
    properties = make_item(origin=Origin("j", AT, url=url))["properties"]
    assert properties["geoforge:source"] == {"url": "https://data.test:8443/a/dem.tif"}


def test_an_unknown_time_is_null_in_the_widest_range() -> None:
    caveat = Caveat(code="sidecar_not_understood", message="No.")
    when = ItemTime(nominal=None, start=BEGINNING, end=AT, source="unknown", warnings=(caveat,))
    item = read(make_item(when=when))
    assert item.datetime is None
    assert item.properties["start_datetime"] == "1700-01-01T00:00:00Z"
    assert item.properties["end_datetime"] == "2026-05-04T03:02:01Z"
    assert item.properties["geoforge:datetime_source"] == "unknown"
    assert item.properties["geoforge:warnings"] == [
        {"code": "sidecar_not_understood", "message": "No."}
    ]


def test_how_it_is_drawn_is_read_by_the_render_extension() -> None:
    style = {"title": "Preview", "assets": ["data"], "rescale": [[0, 100]]}
    item = read(make_item(style=style))
    renders = RenderExtension.ext(item).renders
    assert list(renders) == ["default"]
    assert renders["default"].rescale == [[0, 100]]
    (tiles,) = [link for link in item.links if link.rel == "tilejson"]
    assert tiles.extra_fields["render"] == "default"


def test_what_was_verified_is_told() -> None:
    verification = Verification(
        valid_cog=True, compared=100, exact=False, largest_difference=3.0, mean_difference=0.5,
        bound=8.0, seconds=1.0,
    )  # fmt: skip
    properties = make_item(verification=verification)["properties"]
    assert properties["geoforge:verification"] == {
        "valid_cog": True, "exact": False, "largest_difference": 3.0, "bound": 8.0
    }  # fmt: skip


def test_links_lead_to_the_job_and_the_tiles() -> None:
    links = make_item("a b", collection_id="c/d")["links"]
    assert {link["rel"]: link["href"] for link in links} == {
        "via": f"/api/jobs/{'j' * 64}",
        "tilejson": "/api/raster/c%2Fd/a%20b/tilejson.json",
    }


def test_the_version_before_is_where_it_was() -> None:
    first = make_item(content="first")
    second = make_item(
        content="second", predecessor=first, origin=Origin("k", AT.replace(year=2027))
    )
    before = first["properties"]["version"]
    (link,) = [each for each in second["links"] if each["rel"] == "predecessor-version"]
    assert link["href"] == f"{ACCOUNT}/silver-rasters/heights/dem/{before}/item.json"
    assert second["properties"]["created"] == first["properties"]["created"]
    assert second["properties"]["updated"] == "2027-05-04T03:02:01Z"
    again = make_item(content="second", predecessor=second)
    assert [each for each in again["links"] if each["rel"] == "predecessor-version"] == [link]


def test_somebody_elses_item_has_no_version_to_go_back_to() -> None:
    foreign = make_item()
    del foreign["properties"]["geoforge:job_id"], foreign["properties"]["version"]
    links = make_item(content="second", predecessor=foreign)["links"]
    assert "predecessor-version" not in {each["rel"] for each in links}
