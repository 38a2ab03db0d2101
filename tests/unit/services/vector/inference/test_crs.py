"""Finding the CRS of a layer, and reading what users say of it."""

from __future__ import annotations

from typing import Any

import pyproj
import pytest

from services.vector.inference.crs import crs_text, infer_crs, parse_crs, same_crs
from services.vector.model import Finding, Kind, SourceLayer

_ESRI_WGS84 = (
    'GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]],'
    'PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]'
)
_LOCAL = 'LOCAL_CS["Site grid",UNIT["metre",1]]'
_NEW_YORK = (913_000.0, 120_000.0, 1_067_000.0, 272_000.0)


def layer(
    kind: Kind = Kind.CSV,
    bbox: tuple[float, float, float, float] | None = None,
    crs: str | None = None,
    **finding: Any,
) -> SourceLayer:
    return SourceLayer(
        name="layer",
        kind=kind,
        driver="driver",
        member="file",
        features=1,
        columns=[],
        geometry_types={"Point": 1},
        crs=Finding(
            **{"value": crs, "confidence": 1.0 if crs else 0.0, "source": "file", **finding}
        ),
        bbox=bbox,
        chunks=[],
    )


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("EPSG:2263", "EPSG:2263"),
        (" epsg:4326 ", "EPSG:4326"),
        ("2263", "EPSG:2263"),
        ("urn:ogc:def:crs:EPSG::25832", "EPSG:25832"),
        ("http://www.opengis.net/def/crs/EPSG/0/3857", "EPSG:3857"),
        ("OGC:CRS84", "EPSG:4326"),
        ("urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4326"),
        (_ESRI_WGS84, "EPSG:4326"),
        ("EPSG:4979", "EPSG:4326"),
        ("EPSG:25832+5783", "EPSG:25832"),
    ],
)
def test_a_crs_may_be_written_in_many_ways(text: str, code: str) -> None:
    assert crs_text(parse_crs(text)) == code


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must be given"),
        ("EPSG:999999", "'EPSG:999999' is not a CRS that PROJ knows"),
        ("WGS84; DROP TABLE", "is not a CRS"),
        (_LOCAL, "does not say where on the Earth"),
        ("EPSG:5773", "does not say where on the Earth"),
        ("EPSG:4978", "does not say where on the Earth"),
    ],
)
def test_what_is_no_crs_on_the_earth_is_refused_with_a_sentence(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_crs(text)


def test_the_same_crs_has_many_names() -> None:
    assert same_crs("EPSG:4326", "OGC:CRS84")
    assert same_crs(_ESRI_WGS84, "EPSG:4326")
    assert same_crs(pyproj.CRS("EPSG:25832").to_wkt("WKT1_ESRI"), "EPSG:25832")
    assert not same_crs("EPSG:4326", "EPSG:4258")
    assert not same_crs("EPSG:25832", "EPSG:25833")


def test_what_the_file_says_is_taken() -> None:
    found, notes = infer_crs(layer(Kind.SHAPEFILE, _NEW_YORK, "EPSG:2263", source="sidecar"))
    assert (found.value, found.source, found.confidence) == ("EPSG:2263", "sidecar", 1.0)
    assert found.evidence
    assert notes == []


def test_the_user_outdoes_the_file_and_the_contradiction_is_told() -> None:
    found, _ = infer_crs(layer(crs="EPSG:4326"), override="EPSG:2263")
    assert (found.value, found.source, found.confidence) == ("EPSG:2263", "parameter", 1.0)
    assert any("EPSG:4326" in sentence for sentence in found.evidence)
    agreeing, _ = infer_crs(layer(crs=_ESRI_WGS84), override="OGC:CRS84")
    assert len(agreeing.evidence) == 1
    with pytest.raises(ValueError, match="nonsense"):
        infer_crs(layer(), override="nonsense")


@pytest.mark.parametrize("kind", [Kind.GEOJSON, Kind.GEOJSON_SEQ, Kind.KML, Kind.GEOPARQUET])
def test_formats_that_fix_it_need_not_say_it(kind: Kind) -> None:
    found, notes = infer_crs(layer(kind, (5.0, 45.0, 6.0, 46.0)))
    assert found.value == "EPSG:4326"
    assert found.confidence >= 0.9
    assert notes == []


@pytest.mark.parametrize(
    ("bbox", "value", "confidence"),
    [
        ((-120.0, 30.0, 100.0, 40.0), "EPSG:4326", 0.8),
        ((5.0, 45.0, 6.0, 46.0), "EPSG:4326", 0.7),
        ((200.0, 45.0, 300.0, 46.0), "EPSG:4326", 0.8),
        ((0.0, 0.0, 1.0, 1.0), "EPSG:4326", 0.5),
        ((-8_240_000.0, 4_960_000.0, -8_230_000.0, 4_980_000.0), "EPSG:3857", 0.4),
        ((500_000.0, 4_600_000.0, 510_000.0, 4_700_000.0), None, 0.0),
        (_NEW_YORK, None, 0.0),
        ((3e8, 3e8, 4e8, 4e8), None, 0.0),
    ],
)
def test_coordinates_alone_say_something(
    bbox: tuple[float, float, float, float], value: str | None, confidence: float
) -> None:
    found, _ = infer_crs(layer(bbox=bbox))
    assert (found.value, found.confidence) == (value, confidence)
    assert found.source == "content"
    if value is None:
        assert "give source_crs" in found.evidence[0]


def test_without_coordinates_it_must_be_asked_for() -> None:
    found, notes = infer_crs(layer())
    assert found.value is None
    assert "give source_crs" in found.evidence[0]
    assert notes == []


def test_what_the_reader_found_instead_is_told() -> None:
    found, _ = infer_crs(layer(bbox=_NEW_YORK, evidence=["There is no .prj."]))
    assert found.evidence[-1] == "There is no .prj."


def test_a_local_crs_in_the_file_does_not_say_where_things_are() -> None:
    found, _ = infer_crs(layer(Kind.SHAPEFILE, _NEW_YORK, _LOCAL))
    assert found.value is None
    assert any("where on the Earth" in sentence for sentence in found.evidence)


@pytest.mark.parametrize("stated", [None, "EPSG:4326"])
def test_a_geojson_in_metres_is_not_taken_for_degrees(stated: str | None) -> None:
    found, _ = infer_crs(layer(Kind.GEOJSON, _NEW_YORK, stated))
    assert found.value is None
    assert "projected" in found.evidence[0]


def test_a_few_wild_records_do_not_make_a_geojson_projected() -> None:
    found, notes = infer_crs(layer(Kind.GEOJSON, (-5.0, 40.0, 99_999.0, 99_999.0)))
    assert found.value == "EPSG:4326"
    assert [note.code for note in notes] == ["coordinates_out_of_range"]


def test_axes_that_look_swapped_are_told_and_left() -> None:
    found, notes = infer_crs(layer(crs="EPSG:4326", bbox=(40.0, 100.0, 50.0, 140.0)))
    assert found.value == "EPSG:4326"
    (note,) = notes
    assert note.code == "axes_look_swapped"
    assert "swap_axes" in note.message


def test_a_file_that_calls_metres_degrees_is_told() -> None:
    _, notes = infer_crs(layer(Kind.SHAPEFILE, _NEW_YORK, "EPSG:4326"))
    assert [note.code for note in notes] == ["coordinates_look_projected"]


def test_a_file_that_calls_degrees_metres_is_told() -> None:
    _, notes = infer_crs(layer(Kind.SHAPEFILE, (5.0, 45.0, 6.0, 46.0), "EPSG:25832"))
    assert [note.code for note in notes] == ["coordinates_look_geographic"]
