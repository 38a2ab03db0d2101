from __future__ import annotations

import json
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from services.vector.formats import detection, registry
from services.vector.formats.reader import Reader
from services.vector.model import Kind
from tests.unit.services.vector.formats.reading import DATA, needs_data, write

_FEATURE = (
    '{"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [1, 2]}}'
)
_KML = '<kml xmlns="http://www.opengis.net/kml/2.2"><Document/></kml>'


def _file(folder: Path, content: str | bytes, name: str = "file") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (f'{{"type": "FeatureCollection", "features": [{_FEATURE}]}}', Kind.GEOJSON),
        (f'{{"features": [{_FEATURE}], "type": "FeatureCollection"}}', Kind.GEOJSON),
        (f"\ufeff \n [{_FEATURE}]", Kind.GEOJSON),
        ('{"coordinates": [1, 2]', Kind.GEOJSON),
        (f"{_FEATURE}\n{_FEATURE}\n", Kind.GEOJSON_SEQ),
        (f"\x1e{_FEATURE}\n", Kind.GEOJSON_SEQ),
        (_KML, Kind.KML),
        (f"<?xml version='1.0'?>\n<!-- <html> -->\n{_KML}", Kind.KML),
        (f"junk {_KML}", Kind.KML),
        (f"<!DOCTYPE kml [<!ENTITY a 'b'>]>{_KML}", Kind.KML),
        ("<KML><Placemark/></KML>", Kind.KML),
        ("<Placemark><name>a</name></Placemark>", Kind.KML),
        ('<a:x xmlns:a="http://a" xmlns:gml="http://www.opengis.net/gml/3.2"/>', Kind.GML),
        ("lon,lat,name\n1,2,a\n3,4,b\n", Kind.CSV),
        ("id\tname\n1\ta\n2\tb\n", Kind.CSV),
        ("id;name\n1;a\n2;b\n", Kind.CSV),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_texts_by_their_content(tmp_path: Path, content: str, kind: Kind, encoding: str) -> None:
    assert detection.detect(_file(tmp_path, content.encode(encoding), "misleading.dat")) is kind


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty file"),
        (b"\0" * 5000, "zero bytes only"),
        (b" \n \n", "nothing but blanks"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\x89PNG\r\n\x1a\n....", "PNG"),
        (b"II*\0....", "raster"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "export the sheet as CSV"),
        (b"<!DOCTYPE html><html><body>Log in</body></html>", "login or error page"),
        (b"<gpx version='1.1'></gpx>", "GPX"),
        (b"<Error><Code>AccessDenied</Code><Message>No</Message></Error>", "AccessDenied No"),
        (b"<ServiceExceptionReport>bad layer</ServiceExceptionReport>", "bad layer"),
        (b"<VRTDataset/>", "points at other files"),
        (b'{"type": "Topology", "objects": {}}', "TopoJSON"),
        (b'{"geometryType": "esriGeometryPoint", "features": []}', "f=geojson"),
        (b'{"a": 1}', "not GeoJSON"),
        (b"fgb\x02fgb\0", "version 2"),
        (b"PAR1 and no end", "cut short"),
        (b"\x00\x00\x27\x0a", "within its header"),
        (b"7z\xbc\xaf\x27\x1c", "pack it as a zip"),
        (b"SQLite format 3\0" + b"\1" * 200, "damaged SQLite"),
        (bytes(range(256)) * 4, "binary data"),
        (b"Dear all,\nplease find the data at the usual place.\nYours\n", "without columns"),
    ],
)
def test_what_is_not_read_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    path = _file(tmp_path, content)
    assert detection.detect(path) is None
    assert says in detection.describe(path)


def test_spreadsheets_and_other_databases_are_named(tmp_path: Path) -> None:
    book = tmp_path / "book"
    with zipfile.ZipFile(book, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    assert "Excel" in detection.describe(book)
    for table, says in (("geometry_columns", "SpatiaLite"), ("other", "no GeoPackage")):
        path = tmp_path / table
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"CREATE TABLE {table} (a)")
        assert says in detection.describe(path)


@pytest.mark.parametrize(
    ("driver", "suffix", "kind"),
    [
        ("GPKG", "gpkg", Kind.GEOPACKAGE),
        ("FlatGeobuf", "fgb", Kind.FLATGEOBUF),
        ("ESRI Shapefile", "shp", Kind.SHAPEFILE),
        ("GML", "gml", Kind.GML),
        ("GeoJSON", "geojson", Kind.GEOJSON),
        ("GeoJSONSeq", "geojsonl", Kind.GEOJSON_SEQ),
        ("KML", "kml", Kind.KML),
    ],
)
def test_what_gdal_writes(tmp_path: Path, driver: str, suffix: str, kind: Kind) -> None:
    written = write(tmp_path / f"a.{suffix}", driver, 20)
    assert detection.detect(written) is kind
    assert detection.detect(written.rename(tmp_path / "a.bin")) is kind


def test_a_folder_is_sorted_out(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    write(tmp_path / "deep" / "er" / "Roads.shp", "ESRI Shapefile", 3)
    _file(tmp_path / "deep" / "er", "<metadata/>", "Roads.shp.xml")
    _file(tmp_path / "deep" / "er", b"", "Roads.sbn")
    write(tmp_path / "a.gpkg", "GPKG", 3)
    (tmp_path / "b.gdb").mkdir()
    for name in ("a00000001.gdbtable", "gdb", "a00000009.gdbtable"):
        _file(tmp_path / "b.gdb", b"x", name)
    _file(tmp_path, "Read me\nplease\n", "README.txt")
    _file(tmp_path, b"\xff\xd8\xff", "map.jpg")
    _file(tmp_path, "<metadata/>", "iso.xml")
    _file(tmp_path, b"PK\3\4", "inner.zip")
    _file(tmp_path, b"\3", "lost.dbf")
    _file(tmp_path, b"Mac", ".DS_Store")
    found = detection.datasets(tmp_path)
    assert found.found == [
        ("a.gpkg", Kind.GEOPACKAGE),
        ("b.gdb", Kind.FILE_GEODATABASE),
        ("deep/er/Roads.shp", Kind.SHAPEFILE),
    ]
    assert {note.message for note in found.ignored} == {
        "not read, as documents: README.txt",
        "not read, as pictures: map.jpg",
        "not read, as metadata: iso.xml",
    }
    refused = " ".join(note.message for note in found.refused)
    assert "inner.zip is a zip archive" in refused
    assert "whose .shp is missing" in refused


def test_where_there_is_no_data_nothing_is_merely_ignored(tmp_path: Path) -> None:
    _file(tmp_path, b"%PDF-1.7", "map.pdf")
    found = detection.datasets(tmp_path)
    assert not found.found
    assert [note.message for note in found.refused] == ["map.pdf is a PDF document"]


def test_a_long_line_of_a_sequence_is_told_from_a_document(tmp_path: Path) -> None:
    long = json.dumps({"type": "Feature", "properties": {"a": "x" * 100_000}, "geometry": None})
    assert detection.detect(_file(tmp_path, f"{long}\n{long}\n", "a.geojsonl")) is Kind.GEOJSON_SEQ
    assert detection.detect(_file(tmp_path, long, "a.json")) is Kind.GEOJSON


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_a_reader_for_each_of_its_drivers(kind: Kind) -> None:
    for driver in registry.drivers(kind):
        reader: Reader = registry.reader_for(kind, driver)
        assert callable(reader.inspect)
        assert callable(reader.read)


@needs_data
def test_every_vector_file_of_the_collection_is_recognised() -> None:
    root = DATA / "2_broken_vector"
    found = dict(detection.datasets(root).found)
    kinds = {".geojson": Kind.GEOJSON, ".kml": Kind.KML, ".csv": Kind.CSV, ".gpkg": Kind.GEOPACKAGE,
             ".shp": Kind.SHAPEFILE, ".parquet": Kind.GEOPARQUET}  # fmt: skip
    for path in root.rglob("*"):
        expected = kinds.get(path.suffix)
        if expected is not None:
            assert found.get(path.relative_to(root).as_posix()) is expected, path
