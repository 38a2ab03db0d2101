"""Delimited text as it is found: dialects, places, broken rows."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.vector.formats import delimited, delimited_scan
from services.vector.formats.reader import UnreadableFile
from services.vector.model import ReadOptions
from tests.unit.services.vector.formats.one_layer import Read, read_layer

_DATA = Path(os.environ.get("GEOFORGE_DATA", Path(__file__).parents[6] / "shared" / "data"))
_needs_data = pytest.mark.skipif(
    not _DATA.is_dir(), reason=f"no sample data at {_DATA} (GEOFORGE_DATA)"
)


def _read(
    tmp_path: Path, text: str | bytes, options: ReadOptions | None = None, encoding: str = "utf-8"
) -> Read:
    path = tmp_path / "places.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return read_layer(delimited, path, options)


def _wkt(read: Read) -> list[str | None]:
    return [None if g is None else shapely.to_wkt(g, trim=True) for g in read.geometry]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends_are_found(tmp_path: Path, delimiter: str, end: str) -> None:
    rows = [["id", "lon", "lat"], ["1", "2.5", "3.5"], ["2", "-4", "5"]]

    read = _read(tmp_path, end.join(delimiter.join(row) for row in rows) + end)

    assert read.columns == {"id": [1, 2], "lon": [2.5, -4.0], "lat": [3.5, 5.0]}
    assert _wkt(read) == ["POINT (2.5 3.5)", "POINT (-4 5)"]
    assert read.layer.crs.value == "EPSG:4326"
    assert read.notes == {}


@pytest.mark.parametrize(
    ("encoding", "found"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("cp1252", "cp1252"), ("utf-16", "utf-16")],
)
def test_encodings_are_found(tmp_path: Path, encoding: str, found: str) -> None:
    text = "name,lon,lat\nÅrhus går på café,10.2,56.2\nGöteborg,12,57.7\n"

    read = _read(tmp_path, text, encoding=encoding)

    assert read.columns["name"] == ["Århus går på café", "Göteborg"]
    assert read.layer.encoding is not None
    assert read.layer.encoding.value == found


def test_a_parameter_overrides_the_encoding(tmp_path: Path) -> None:
    text = "имя,lon,lat\nГлины,37.6,55.8\n"

    read = _read(tmp_path, text, ReadOptions(encoding="koi8-r"), encoding="koi8-r")

    assert read.columns["имя"] == ["Глины"]
    with pytest.raises(UnreadableFile, match="no encoding 'klingon'"):
        _read(tmp_path, text, ReadOptions(encoding="klingon"))


def test_decimal_commas(tmp_path: Path) -> None:
    read = _read(tmp_path, "name;lat;lon;amount\na;52,5;13,4;1,25\nb;48,1;11,6;2\n")

    assert read.columns["amount"] == [1.25, 2.0]
    assert _wkt(read) == ["POINT (13.4 52.5)", "POINT (11.6 48.1)"]


def test_broken_rows_are_set_aside_and_no_others(tmp_path: Path) -> None:
    text = (
        "id,lon,lat,note\r\n"
        "1,2,3,a\r\n"
        "2,3,4\r\n"
        "\r\n"
        "3,4,5,b,,\r\n"
        "4,4,5,b,c\r\n"
        '"5",4,5,"two\r\nlines, ""quoted"""\r\n'
        '6,1,1,"open\r\n'
        "7,1,1,x\r\n"
    )

    read = _read(tmp_path, text)

    assert read.columns["id"] == [1, 2, 3, None, 5, None, 7]
    assert read.columns["note"][4] == 'two\r\nlines, "quoted"'
    assert read.reasons == {3: "malformed", 5: "malformed"}
    assert read.faults[3].detail == "it has 5 fields where there are 4 columns"
    assert read.faults[5].detail == "a quotation mark that opens a field is never closed"
    assert read.raw[3] == "4,4,5,b,c"
    assert read.raw[5] == '6,1,1,"open'
    assert read.notes == {"fields_missing": 1, "fields_cut": 1}


def test_coordinates_that_are_none(tmp_path: Path) -> None:
    text = "id,lon,lat\n1,2,3\n2,,\n3,4,\n4,x,1\n5,1,2\n6,NA,NA\n7,inf,1\n8,1,1\n9,1,1\n"

    read = _read(tmp_path, text)

    assert [geometry is None for geometry in read.geometry] == [
        False, True, True, True, False, True, True, False, False
    ]  # fmt: skip
    assert read.reasons == {2: "bad_coordinate", 3: "bad_coordinate", 6: "bad_coordinate"}
    assert read.faults[2].detail == "'lat' is empty: no coordinate"
    assert read.layer.geometry_types == {"Point": 4, "None": 5}


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("id,Longitude,Latitude", ["Longitude", "Latitude"]),
        ("id,LAT,LNG", ["LNG", "LAT"]),
        ("id,decimalLatitude,decimalLongitude", ["decimalLongitude", "decimalLatitude"]),
        ("id,Lat_DD,Long_DD", ["Long_DD", "Lat_DD"]),
        ("id,GPS Latitude (°),GPS Longitude (°)", ["GPS Longitude (°)", "GPS Latitude (°)"]),
        ("id,coord_x,coord_y", ["coord_x", "coord_y"]),
        ("id,X,Y", ["X", "Y"]),
        ("id,Breitengrad,Längengrad", ["Längengrad", "Breitengrad"]),
        ("id,latitud,longitud", ["longitud", "latitud"]),
        ("id,end_lat,end_lon", ["end_lon", "end_lat"]),
        ("id,Northing,Easting", ["Easting", "Northing"]),
    ],
)
def test_columns_of_the_place_are_found_by_name(
    tmp_path: Path, header: str, columns: list[str]
) -> None:
    read = _read(tmp_path, f"{header}\n1,10.5,20.5\n2,11.5,21.5\n")

    assert read.layer.location is not None
    assert read.layer.location.value == {"form": "xy", "columns": columns}
    assert read.layer.location.evidence


def test_eastings_have_no_crs_of_their_own(tmp_path: Path) -> None:
    read = _read(tmp_path, "id,x,y\n1,500000.5,5200000\n2,500100,5200100\n")

    assert _wkt(read)[0] == "POINT (500000.5 5200000)"
    assert read.layer.crs.value is None
    assert any("source_crs" in said for said in read.layer.crs.evidence)


def test_swapped_columns_are_noted_and_left(tmp_path: Path) -> None:
    read = _read(tmp_path, "id,lat,lon\n1,151.2,-33.9\n2,144.9,-37.8\n")

    assert _wkt(read)[0] == "POINT (-33.9 151.2)"
    assert "columns_swapped" in read.notes


@pytest.mark.parametrize(
    ("column", "value", "wkt"),
    [
        ("wkt", '"POLYGON((0 0,1 0,1 1,0 0))"', "POLYGON ((0 0, 1 0, 1 1, 0 0))"),
        ("shape", "SRID=4326;POINT(1 2)", "POINT (1 2)"),
        ("the_geom", "0101000000000000000000F03F0000000000000040", "POINT (1 2)"),
        ("geom", '"{""type"":""Point"",""coordinates"":[1,2]}"', "POINT (1 2)"),
        ("location", '"48.5, 2.5"', "POINT (2.5 48.5)"),
    ],
)
def test_geometries_in_one_column(tmp_path: Path, column: str, value: str, wkt: str) -> None:
    read = _read(tmp_path, f"id,{column}\n1,{value}\n2,{value}\n3,\n")

    assert _wkt(read) == [wkt, wkt, None]
    assert read.faults == {}


def test_broken_wkt_is_mended_or_set_aside(tmp_path: Path) -> None:
    good = "".join(f"{number},POINT(1 {number})\n" for number in range(18))
    text = f'id,wkt\n{good}18,"POLYGON((0 0,1 0,1 1))"\n19,POINT(1 x)\n20,POINT(1\n'

    read = _read(tmp_path, text)

    assert _wkt(read)[18] == "POLYGON ((0 0, 1 0, 1 1, 0 0))"
    assert [kind.value for kind in read.mended[18]] == ["ring_closed"]
    assert read.reasons == {19: "bad_coordinate", 20: "unreadable_geometry"}


def test_degrees_minutes_and_seconds(tmp_path: Path) -> None:
    text = "id;lat;lon\n1;48°51'24\"N;2°21'07\"E\n2;33 52 S;151 12 30 E\n"

    read = _read(tmp_path, text)

    assert read.geometry[0].y == pytest.approx(48.856667, abs=1e-6)
    assert read.geometry[1].y == pytest.approx(-33.866667, abs=1e-6)
    assert read.geometry[1].x == pytest.approx(151.208333, abs=1e-6)


def test_parameters_name_the_columns(tmp_path: Path) -> None:
    text = "a,b,c\n1,10,20\n"

    read = _read(tmp_path, text, ReadOptions(x_column="c", y_column="B"))

    assert _wkt(read) == ["POINT (20 10)"]
    with pytest.raises(UnreadableFile, match=r"no column 'lon'\. The file has 'a', 'b', 'c'"):
        _read(tmp_path, text, ReadOptions(x_column="lon", y_column="b"))


def test_without_a_place_the_table_is_read_all_the_same(tmp_path: Path) -> None:
    read = _read(tmp_path, "code,name\nA,first\nB,second\n")

    assert read.columns == {"code": ["A", "B"], "name": ["first", "second"]}
    assert read.layer.geometry_types == {"None": 2}
    assert read.notes == {"no_location": 1}


def test_names_are_made_up_where_they_are_missing(tmp_path: Path) -> None:
    read = _read(tmp_path, "a,a,,lon,lat\n1,2,3,4,5\n")

    assert list(read.columns) == ["a", "a_2", "col_3", "lon", "lat"]
    assert "column_names" in read.notes


def test_a_file_may_have_lines_before_its_header(tmp_path: Path) -> None:
    read = _read(tmp_path, "sep=;\n# made by hand\nid;lon;lat\n1;2;3\n")

    assert read.columns["id"] == [1]
    assert read.notes == {"preamble": 2}


def test_years_may_be_names(tmp_path: Path) -> None:
    read = _read(tmp_path, "country,2019,2020,2021\nFrance,1,2,3\nSpain,4,5,6\n")

    assert list(read.columns) == ["country", "2019", "2020", "2021"]


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff \n"])
def test_an_empty_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UnreadableFile, match="empty"):
        _read(tmp_path, text)


def test_chunks_and_windows_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f'{n},{n / 10},{n / 20},"say ""{n}"",\nand more"' for n in range(500)]
    rows[100] = '100,1,1,"open'
    text = "id,lon,lat,note\n" + "\n".join(rows)
    whole = _read(tmp_path, text)
    monkeypatch.setattr(delimited_scan, "WINDOW_BYTES", 700)

    cut = _read(tmp_path, text, ReadOptions(chunk_rows=30))

    assert whole.layer.features == 500
    assert len(cut.layer.chunks) == 17
    assert cut.raw == whole.raw
    assert cut.reasons == whole.reasons == {100: "malformed"}
    assert cut.columns == whole.columns
    assert cut.columns["note"][7] == 'say "7",\nand more'


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
@given(data=st.data())
def test_no_damage_makes_a_reader_fail(tmp_path: Path, data: st.DataObject) -> None:
    """A damaged file is read to its end, and in chunks of any size alike."""
    lines = [f'{n},"name {n}",{n / 4},{n / 8}' for n in range(12)]
    text = bytearray(("id,name,lon,lat\n" + "\n".join(lines) + "\n").encode())
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.sampled_from([b'"', b",", b"\n", b"\r", b";", b"\0", b"\xff", b""])
        )

    try:
        whole = _read(tmp_path, bytes(text))
    except UnreadableFile:
        return
    cut = _read(tmp_path, bytes(text), ReadOptions(chunk_rows=3))
    assert cut.raw == whole.raw
    assert cut.reasons == whole.reasons
    assert cut.columns == whole.columns


@_needs_data
def test_a_gazetteer_without_header(tmp_path: Path) -> None:
    read = read_layer(delimited, _DATA / "2_broken_vector/csv/gdal__allCountries.txt")

    assert read.layer.location is not None
    assert read.layer.location.value == {"form": "xy", "columns": ["col_6", "col_5"]}
    assert _wkt(read)[0] == "POINT (1.48333 42.5)"
    assert read.columns["col_11"][0] == "00"
    assert read.columns["col_19"][0] == date(1993, 12, 23)
    assert read.columns["col_3"][1].startswith("'initial single quote and \" double quote")


@_needs_data
def test_quotes_in_the_wild() -> None:
    middle = read_layer(
        delimited, _DATA / "2_broken_vector/csv/gdal__double_quotes_in_middle_of_field.csv"
    )
    assert middle.columns["coord"] == ["50°46'06.6\"N 116°42'04.4"]

    unbalanced = read_layer(
        delimited, _DATA / "2_broken_vector/csv/gdal__unbalanced_double_quotes.csv"
    )
    assert unbalanced.columns["txt"] == [None, "bar"]
    assert unbalanced.reasons == {0: "malformed"}

    header = read_layer(delimited, _DATA / "2_broken_vector/csv/gdal__header_with_line_break.csv")
    assert list(header.columns)[2] == "Column with a line break"
    assert header.columns["Column five"] == [7, 10, 13]


@_needs_data
def test_events_are_where_their_wkt_says() -> None:
    read = read_layer(delimited, _DATA / "6_events/ucdpged_dev.csv")

    assert read.layer.geometry_types == {"Point": 619}
    assert read.faults == {}
    assert read.geometry[0].x == read.columns["longitude"][0]


def test_zeros_at_the_end_are_no_records(tmp_path: Path) -> None:
    read = _read(tmp_path, b"id,name,lon,lat\n1,a\0b,1,2\n2,ok,3,4\n" + b"\0" * 512)

    assert read.columns["id"] == [1, 2]
    assert read.columns["name"] == ["a\0b", "ok"]
