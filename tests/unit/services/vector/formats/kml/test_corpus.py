"""Real broken KML files of other projects' tests: what becomes of each record.

GDAL's two drivers refuse or cut short a third of these files; every one is accounted for here.
"""

from __future__ import annotations

import os
import zipfile
from collections import Counter
from pathlib import Path

import pyogrio
import pytest
import shapely

from services.vector.formats import kml
from services.vector.formats.reader import UnreadableFile
from services.vector.model import ReadOptions
from tests.unit.services.vector.formats.kml.reading import load, load_text

_DATA = Path(os.environ.get("GEOFORGE_DATA", Path(__file__).parents[7] / "shared" / "data"))
_KML = _DATA / "2_broken_vector" / "kml"
pytestmark = pytest.mark.skipif(
    not _KML.is_dir(), reason=f"no sample data at {_KML} (GEOFORGE_DATA)"
)

# File -> geometries that are built, records in quarantine by reason, records with a mend.
_CASES: dict[str, tuple[dict[str, int], dict[str, int], dict[str, int]]] = {
    "amu__amu_nested_multigeometry": ({"GeometryCollection": 1}, {}, {}),
    "amu__amu_unsupported": ({"Point": 1}, {}, {}),
    "amu__amu_wrong_not_exist_coordinates": ({}, {"too_few_points": 1}, {}),
    "amu__mountain_ranges": ({"Polygon": 9}, {}, {}),
    "ets-kml22__Document-clean": (
        {"Point": 4, "Polygon": 5, "MultiPoint": 1, "LineString": 2},
        {},
        {},
    ),
    "gdal__duplicate_folder_name": ({"Point": 2}, {}, {}),
    "gdal__emptylayers": ({}, {"empty_placemark": 1}, {}),
    "gdal__extended_data_without_schema_data": ({"Point": 2}, {}, {}),
    "gdal__folder_with_subfolder_placemark": ({}, {"empty_placemark": 1}, {}),
    "gdal__gx_track_without_when": ({"LineString": 1}, {}, {}),
    "gdal__kml_with_space_content_in_coordinates": ({}, {"too_few_points": 1}, {}),
    "gdal__non_conformant_multi": ({"Polygon": 1, "LineString": 1, "Point": 1}, {}, {}),
    "gdal__test_schema": ({}, {"empty_placemark": 4}, {}),
    "georust__countries": ({"Polygon": 150, "MultiPolygon": 30}, {}, {}),
    "kml2geojson__warnings": ({"GeometryCollection": 16}, {}, {}),
    "libkml__all-altitudemodes": ({"LineString": 2, "Polygon": 2, "Point": 1}, {}, {}),
    "libkml__all-balloons": ({"Point": 4}, {"empty_placemark": 3}, {}),
    "libkml__all-gx": (
        {"LineString": 2, "Point": 1},
        {"empty_placemark": 3, "too_few_points": 2},
        {},
    ),
    "libkml__all-unknown-input": (
        {},
        {"empty_placemark": 36, "too_few_points": 11, "bad_coordinate": 1},
        {},
    ),
    "libkml__california": ({"Point": 4, "LineString": 1}, {}, {}),
    "libkml__folder": ({}, {"empty_placemark": 7}, {}),
    "libkml__gaddr": ({"Point": 1}, {}, {}),
    "libkml__invalid_descriptions": ({}, {"empty_placemark": 3}, {}),
    "libkml__outline_space": ({"GeometryCollection": 1}, {}, {}),
    "libkml__time": ({"Point": 361, "Polygon": 12}, {}, {}),
    "libkml__unknown-elements": ({}, {"too_few_points": 1}, {}),
    "ogc__Document-deprecated": ({"Point": 1, "Polygon": 1}, {}, {}),
    "ogc__LinearRingWith1DTuple": ({"LineString": 1}, {}, {"tuples_completed": 1}),
    "togeojson__addresses": (
        {"LineString": 2, "Point": 5},
        {"too_few_points": 8},
        {"empty_part": 7},
    ),
    "togeojson__ground_overlay_quad": ({"Polygon": 1}, {}, {}),
    "togeojson__gxmultitrack": ({"Point": 2, "MultiLineString": 1}, {}, {}),
    "togeojson__linear_ring": ({"LineString": 1}, {}, {}),
    "togeojson__multigeometry_discrete": ({"GeometryCollection": 1}, {}, {}),
    "togeojson__point_extra_coordinates": ({"Point": 1}, {}, {"tuples_completed": 1}),
    "worldwind__BalloonSize": ({"Point": 4}, {}, {}),
    "worldwind__LinearRingPlacemark": (
        {"LineString": 18},
        {},
        {"retyped": 9, "ring_closed": 9},
    ),
    "worldwind__PolygonPlacemark": ({"Polygon": 4}, {}, {}),
}
_REFUSED = {
    "gdal__empty": "the KML has no placemark in it",
    "gdal__junk_content_after_valid_doc": "the KML has no placemark in it",
    "libkml__100_nested_folders": "the KML has no placemark in it",
    "libkml__billion": "the file declares XML entities in a DOCTYPE",
    "libkml__networklink": "only 1 NetworkLink (to http://example.com/bar.kml)",
}


@pytest.mark.parametrize("name", _CASES)
def test_every_record_is_built_or_in_quarantine_with_its_reason(name: str) -> None:
    built, quarantined, mended = _CASES[name]

    loaded = load(_KML / f"{name}.kml")

    assert loaded.kinds == built
    assert Counter(loaded.faults.values()) == quarantined
    assert Counter(kind for kinds in loaded.mends.values() for kind in kinds) == mended
    assert len(loaded.rows) == sum(built.values()) + sum(quarantined.values())
    assert loaded.layer.geometry_types == built


@pytest.mark.parametrize("name", _REFUSED)
def test_a_file_without_records_is_refused_with_the_reason(name: str) -> None:
    with pytest.raises(UnreadableFile) as refused:
        kml.inspect(_KML / f"{name}.kml", ReadOptions())

    assert _REFUSED[name] in refused.value.message


def test_every_file_of_the_corpus_is_named_here() -> None:
    assert {path.stem for path in _KML.glob("*.kml")} == {*_CASES, *_REFUSED}


# GDAL makes points at 0, 0 of empty coordinates.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(_CASES.keys() - {"libkml__all-unknown-input"}))
def test_no_geometry_is_lost_that_gdal_reads(name: str) -> None:
    path = _KML / f"{name}.kml"
    theirs = 0
    try:
        for layer, _ in pyogrio.list_layers(path):
            wkb = pyogrio.raw.read(path, layer=layer, columns=[])[2]
            geometries = shapely.from_wkb(wkb, on_invalid="ignore")
            theirs += int((~shapely.is_missing(geometries) & ~shapely.is_empty(geometries)).sum())
    except pyogrio.errors.DataSourceError:
        pytest.skip("GDAL does not read it")

    ours = [text for text in load(path).wkt if text is not None]

    assert len(ours) >= theirs


def test_a_kmz_with_several_files_is_read_file_by_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(_KML / "libkml__radar-animation.kmz") as archive:
        archive.extractall(tmp_path)
        names = [name for name in archive.namelist() if name.endswith(".kml")]

    assert kml.main_document_first(names)[0] == "doc.kml"
    with pytest.raises(UnreadableFile, match="no placemark"):
        kml.inspect(tmp_path / "doc.kml", ReadOptions())


def test_raw_markup_in_descriptions_is_kept_as_it_is_written() -> None:
    loaded = load(_KML / "libkml__invalid_descriptions.kml")

    assert loaded.column("description") == [
        "<b>bold</b>",
        "foo<b>bold</b>bar",
        "<description>foo<b>bold</b>bar</description>",
    ]
    assert loaded.notes["raw_markup"] == 3


def test_the_weather_warnings_keep_their_text_and_their_folder() -> None:
    loaded = load(_KML / "kml2geojson__warnings.kml")

    description = loaded.column("description")[0]
    assert description.strip().startswith("<pre>")
    assert "Severe Thunderstorm Warning for..." in description
    assert loaded.column("folder_path")[0] == "RIDGE2 SVR Warnings"
    assert loaded.layer.details["styles"]["SV"]["line"] == {
        "color": "rgba(0,0,255,0.5)",
        "width": 3.0,
    }


def test_times_are_times() -> None:
    loaded = load(_KML / "libkml__time.kml")

    assert loaded.types["time_begin"] == "timestamptz"
    assert str(loaded.column("time_begin")[0]) == "2007-01-14 21:05:02+00:00"
    assert not loaded.value_faults


def test_a_document_of_one_geometry_is_a_record(tmp_path: Path) -> None:
    loaded = load_text(
        tmp_path,
        '<Point xmlns="http://www.opengis.net/kml/2.2"><coordinates>1,2</coordinates></Point>',
    )

    assert loaded.wkt == ["POINT (1 2)"]
