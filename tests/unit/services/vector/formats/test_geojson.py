"""GeoJSON as it is found: every record is read, or set aside with its reason."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.vector.formats import geojson, json_scan
from services.vector.formats.reader import UnreadableFile
from services.vector.model import Kind, ReadOptions
from tests.unit.services.vector.formats.one_layer import Read, read_layer

_DATA = Path(os.environ.get("GEOFORGE_DATA", Path(__file__).parents[6] / "shared" / "data"))
_LABELLED = _DATA / "2_broken_vector" / "geojson"
_needs_data = pytest.mark.skipif(
    not _LABELLED.is_dir(), reason=f"no sample data at {_LABELLED} (GEOFORGE_DATA)"
)

_POINT = {"type": "Point", "coordinates": [1.5, 2.5]}


def _feature(number: int, **members: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": {"number": number, "text": 'a "quoted" {brace} \\ '},
        "geometry": _POINT,
        **members,
    }


def _collection(*features: Any, **members: Any) -> str:
    return json.dumps({"type": "FeatureCollection", "features": features, **members})


def _read(tmp_path: Path, text: str | bytes, options: ReadOptions | None = None) -> Read:
    path = tmp_path / "file.geojson"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_layer(geojson, path, options)


def test_features_are_read_in_chunks(tmp_path: Path) -> None:
    text = _collection(*(_feature(number) for number in range(250)))

    read = _read(tmp_path, text, ReadOptions(chunk_rows=100))

    assert [chunk.rows for chunk in read.layer.chunks] == [100, 100, 50]
    assert read.columns["number"] == list(range(250))
    assert read.faults == {}
    assert read.layer.kind is Kind.GEOJSON
    assert read.layer.geometry_types == {"Point": 250}
    assert read.layer.bbox == (1.5, 2.5, 1.5, 2.5)
    assert json.loads(read.raw[7]) == _feature(7)


@pytest.mark.parametrize("separator", ["\n", "\r\n", "\n\x1e", " "])
def test_sequences_are_read(tmp_path: Path, separator: str) -> None:
    text = separator.join(json.dumps(_feature(number)) for number in range(5))

    read = _read(tmp_path, text, ReadOptions(chunk_rows=2))

    assert read.layer.kind is Kind.GEOJSON_SEQ
    assert read.columns["number"] == [0, 1, 2, 3, 4]


def test_a_list_of_features_is_read(tmp_path: Path) -> None:
    read = _read(tmp_path, json.dumps([_feature(1), _feature(2)]))

    assert read.columns["number"] == [1, 2]


def test_members_may_come_in_any_order(tmp_path: Path) -> None:
    features = json.dumps([_feature(1)])
    text = (
        '{"crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}, '
        '"links": [{"href": "x"}], "features": ' + features + ', "name": "parks", '
        '"type": "FeatureCollection"}'
    )

    read = _read(tmp_path, text)

    assert read.columns["number"] == [1]
    assert read.layer.name == "parks"
    assert read.layer.crs.value == "EPSG:3857"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_every_unicode_is_read(tmp_path: Path, encoding: str) -> None:
    text = json.dumps({**_feature(1), "properties": {"name": "Ærø"}}, ensure_ascii=False)

    read = _read(tmp_path, text.encode(encoding))

    assert read.columns["name"] == ["Ærø"]


def test_bytes_of_another_encoding_cost_no_record(tmp_path: Path) -> None:
    text = _collection({**_feature(1), "properties": {"name": "caf?"}}, _feature(2))

    read = _read(tmp_path, text.encode().replace(b"caf?", b"caf\xe9"))

    assert read.columns["name"] == ["café", None]
    assert read.notes["not_utf8"] == 1


_GOOD = json.dumps(_feature(0))


@pytest.mark.parametrize(
    "broken",
    [
        _GOOD.replace('"number": 0', '"number": '),
        _GOOD.replace('"number": 0', '"number: 0'),
        _GOOD[:-1],
        _GOOD + "}",
        _GOOD.replace("[1.5, 2.5]", "[1.5, 2.5"),
        _GOOD.replace('"properties": {', '"properties": '),
        "nonsense",
    ],
)
def test_a_broken_feature_costs_no_other(tmp_path: Path, broken: str) -> None:
    parts = [json.dumps(_feature(number)) for number in (1, 2)]
    after = [json.dumps(_feature(number)) for number in (3, 4)]
    text = '{"type": "FeatureCollection", "features": [' + ", ".join([*parts, broken, *after])

    read = _read(tmp_path, text + "]}")

    good = [n for row, n in enumerate(read.columns["number"]) if row not in read.faults]
    assert [number for number in good if number] == [1, 2, 3, 4]
    if broken == _GOOD + "}":
        assert read.notes["stray_braces"] == 1
    else:
        assert list(read.reasons.values()) == ["malformed"]


def test_a_truncated_file_keeps_what_is_complete(tmp_path: Path) -> None:
    text = _collection(*(_feature(number) for number in range(10)))

    read = _read(tmp_path, text[: text.index('"number": 7')])

    assert read.columns["number"] == [0, 1, 2, 3, 4, 5, 6, None]
    assert read.reasons == {7: "malformed"}
    assert read.raw[7].startswith('{"type": "Feature"')


def test_what_json_does_not_allow_and_files_have_is_read(tmp_path: Path) -> None:
    text = _collection(_feature(1)).replace('"number": 1', '"number": NaN, "big": 1e400')

    read = _read(tmp_path, text)

    assert read.faults == {}
    assert read.notes["lenient_json"] == 1


def test_ids_become_a_column(tmp_path: Path) -> None:
    plain = _read(tmp_path, _collection(_feature(1, id="a"), _feature(2)))
    assert plain.columns["id"] == ["a", None]

    taken = _feature(1, id=7)
    taken["properties"]["id"] = "own"
    both = _read(tmp_path, _collection(taken))
    assert both.columns["id"] == ["own"]
    assert both.columns["feature_id"] == [7]


def test_an_object_longer_than_the_window_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_scan, "WINDOW_BYTES", 256)
    monkeypatch.setattr(json_scan, "_SUSPICIOUS_BYTES", 512)
    line = {"type": "LineString", "coordinates": [[x / 7, x] for x in range(1_000)]}
    features = [_feature(1), {**_feature(2), "geometry": line}, _feature(3)]

    read = _read(tmp_path, _collection(*features))

    assert read.columns["number"] == [1, 2, 3]
    assert shapely.get_num_coordinates(read.geometry[1]) == 1_000


@pytest.mark.parametrize("text", ["", "  \n", '{"type": "Topology", "objects": {}}'])
def test_what_is_no_geojson_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UnreadableFile):
        _read(tmp_path, text)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
@given(data=st.data())
def test_no_damage_makes_a_reader_fail(tmp_path: Path, data: st.DataObject) -> None:
    """Reading a damaged file accounts for all of it, in chunks of any size alike."""
    text = bytearray(_collection(*(_feature(number) for number in range(6))).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.sampled_from([b"{", b"}", b'"', b"[", b"]", b",", b"\\", b"\xff", b""])
        )

    try:
        whole = _read(tmp_path, bytes(text))
    except UnreadableFile:
        return
    cut = _read(tmp_path, bytes(text), ReadOptions(chunk_rows=2))
    assert cut.raw == whole.raw
    assert cut.reasons == whole.reasons


# The labelled files: what becomes of the one record of each; True: it is loaded as it is.
_EXPECTED: dict[str, str | bool] = {
    "chrieke__invalid_exterior_not_ccw": True,
    "chrieke__invalid_feature_geometry_is_string": "not_a_feature",
    "chrieke__invalid_feature_properties_is_array": "not_a_feature",
    "chrieke__invalid_feature_properties_is_int": "not_a_feature",
    "chrieke__invalid_feature_wrong_geometry_key": "not_a_feature",
    "chrieke__invalid_featurecollection_feature_nullfeature": "not_a_feature",
    "chrieke__invalid_featurecollection_features_is_object": "not_a_feature",
    "chrieke__invalid_geometry_bbox_not4or6": "invalid_bbox",
    "chrieke__invalid_geometry_bbox_not_numbers": "invalid_bbox",
    "chrieke__invalid_geometry_coordinates_1d": "bad_coordinate",
    "chrieke__invalid_geometry_coordinates_string": "bad_coordinate",
    "chrieke__invalid_geometry_depth_deep_point": "retyped",
    "chrieke__invalid_geometry_depth_deep_polygon": "retyped",
    "chrieke__invalid_geometry_depth_shallow_linestring": "retyped",
    "chrieke__invalid_geometry_depth_shallow_multipolygon": "bad_coordinate",
    "chrieke__invalid_geometry_geometrycollection_null_geometry": "not_a_feature",
    "chrieke__invalid_geometry_missing_type": "not_a_feature",
    "chrieke__invalid_interior_not_cw": True,
    "chrieke__invalid_unclosed": "ring_closed",
    "chrieke__problematic_4d_coordinates": "tuples_completed",
    "geojsonhint__bad-duplicate-properties": "not_a_feature",
    "geojsonhint__bad-featurelist": "bad_coordinate",
    "geojsonhint__bad-json": "malformed",
    "geojsonhint__bad-object-type": "not_a_feature",
    "geojsonhint__bad-properties-as-array": "not_a_feature",
    "geojsonhint__badfeature": "not_a_feature",
    "geojsonhint__badfeatureid": "invalid_id",
    "geojsonhint__bbox-contains-string": "invalid_bbox",
    "geojsonhint__bbox-string": "invalid_bbox",
    "geojsonhint__expected_object": "not_a_feature",
    "geojsonhint__false": "not_a_feature",
    "geojsonhint__featurecollection-obj": "not_a_feature",
    "geojsonhint__multipoint-nondimension": "retyped",
    "geojsonhint__nofeaturetype": "not_a_feature",
    "geojsonhint__notype": "not_a_feature",
    "geojsonhint__point-labeled-as-a-multipolygon": "retyped",
    "geojsonhint__point-string": "bad_coordinate",
    "geojsonhint__point-toomany": "tuples_completed",
    "geojsonhint__rootstring": "not_a_feature",
    "geojsonhint__short-line": "too_few_points",
    "geojsonhint__short-linearring": "ring_closed",
    "geojsonhint__unknowntype": "not_a_feature",
}
# These have several records, none at all, or notes on every record.
_SEVERAL = {
    "chrieke__valid_featurecollection_empty_features",
    "chrieke__valid_featurecollection_multiple_feature_types",
    "geojsonhint__featurecollection-type-case",
}


def _labelled() -> list[Path]:
    if not _LABELLED.is_dir():
        return []
    return sorted(
        path
        for path in _LABELLED.glob("*.geojson")
        if path.stem.startswith(("chrieke", "geojsonhint")) and path.stem not in _SEVERAL
    )


@_needs_data
@pytest.mark.parametrize("path", _labelled(), ids=lambda path: path.stem)
def test_labelled_files_are_loaded_mended_or_set_aside(path: Path) -> None:
    read = read_layer(geojson, path)

    assert read.layer.features == 1
    outcome = [
        *read.reasons.values(),
        *(kind.value for kinds in read.mended.values() for kind in kinds),
        *(code for code in read.notes if code != "repeated_members"),
    ]
    expected = _EXPECTED.get(path.stem, True)
    assert outcome == ([] if expected is True else [expected])
    if expected is True:
        document = json.loads(path.read_text())
        features = document.get("features")
        feature = features[0] if features else document
        raw = feature["geometry"] if feature.get("type") == "Feature" else feature
        if raw is None:
            assert read.geometry == [None]
        elif raw["type"] != "GeometryCollection":
            assert json.loads(shapely.to_geojson(read.geometry[0])) == {
                "type": raw["type"],
                "coordinates": raw["coordinates"],
            }


@_needs_data
@pytest.mark.parametrize(
    ("name", "types", "notes"),
    [
        ("chrieke__valid_featurecollection_empty_features", {}, {}),
        (
            "chrieke__valid_featurecollection_multiple_feature_types",
            {"Polygon": 2, "LineString": 1, "Point": 1},
            {},
        ),
        (
            "geojsonhint__featurecollection-type-case",
            {"Polygon": 1, "LineString": 1, "Point": 1},
            {"letter_case": 3},
        ),
    ],
)
def test_labelled_files_of_several_records(
    name: str, types: dict[str, int], notes: dict[str, int]
) -> None:
    read = read_layer(geojson, _LABELLED / f"{name}.geojson")

    assert read.layer.geometry_types == types
    assert read.faults == {}
    assert read.notes == notes
