"""FlatGeobuf, GML, File Geodatabases, and KML by GDAL's drivers."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from core.models.feature_table import ColumnType
from services.vector.formats import registry
from services.vector.formats.reader import UnreadableFile
from services.vector.model import Kind, ReadOptions, Reason, RepairKind
from tests.unit.services.vector.formats.reading import DATA, needs_data, read_all, read_one, write

_GML = """<?xml version="1.0" encoding="utf-8"?>
<c:Collection xmlns:c="http://example.org" xmlns:gml="http://www.opengis.net/gml/3.2">
{}
</c:Collection>
"""


_IN_LAT_LON = r'\g<0> srsName="urn:ogc:def:crs:EPSG::4326"'


def _member(number: int, geometry: str) -> str:
    geometry = re.sub("(?<=<gml:Po)[a-z]+", _IN_LAT_LON, geometry, count=1)
    return (
        f'<c:member><c:Tree gml:id="t{number}"><c:height>{number}.5</c:height>'
        f"<c:where>{geometry}</c:where></c:Tree></c:member>"
    )


def _gml(path: Path, *geometries: str) -> Path:
    members = "\n".join(_member(number, each) for number, each in enumerate(geometries))
    path.write_text(_GML.format(members))
    return path


_GOOD = "<gml:Point><gml:pos>47 8</gml:pos></gml:Point>"
_BAD = "<gml:Point><gml:pos>47 8o5</gml:pos></gml:Point>"
_OPEN = (
    "<gml:Polygon><gml:exterior><gml:LinearRing><gml:posList>47 8 47 9 48 9 48 8</gml:posList>"
    "</gml:LinearRing></gml:exterior></gml:Polygon>"
)


def test_flatgeobuf_in_chunks(tmp_path: Path) -> None:
    whole = read_one(write(tmp_path / "a.fgb", "FlatGeobuf", 1000), chunk_rows=300)
    assert len(whole.layer.chunks) == 4
    assert sorted(whole.columns["id"]) == list(range(1000))


def test_a_flatgeobuf_that_was_cut_short_keeps_what_is_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "a.fgb", "FlatGeobuf", 1000)
    path.write_bytes(path.read_bytes()[:-1000])
    whole = read_one(path, chunk_rows=300)
    good = sum(geometry is not None for geometry in whole.geometry)
    assert 985 < good < 1000
    assert {row: fault.reason for row, fault in whole.faults.items()} == {good: Reason.MALFORMED}
    assert "cut_short" in whole.notes


def test_gml_has_its_axes_in_the_order_of_tables(tmp_path: Path) -> None:
    whole = read_one(_gml(tmp_path / "a.gml", _GOOD, _GOOD))
    assert whole.layer.name == "Tree"
    assert (whole.geometry[0].x, whole.geometry[0].y) == (8, 47)
    assert whole.layer.crs.value == "EPSG:4326"
    assert whole.columns["height"] == [0.5, 1.5]


def test_what_gdal_is_silent_about_in_gml_is_a_fault(tmp_path: Path) -> None:
    whole = read_one(_gml(tmp_path / "a.gml", _GOOD, _BAD, "", _OPEN))
    assert {row: fault.reason for row, fault in whole.faults.items()} == {1: Reason.BAD_COORDINATE}
    assert "'8o5'" in whole.faults[1].detail
    assert whole.geometry[2] is None
    assert whole.mended == {3: [RepairKind.RING_CLOSED]}


def test_a_gml_that_was_cut_short_keeps_what_is_whole(tmp_path: Path) -> None:
    path = _gml(tmp_path / "a.gml", *[_GOOD] * 100)
    path.write_bytes(path.read_bytes()[:-700])
    whole = read_one(path)
    good = sum(geometry is not None for geometry in whole.geometry)
    assert 90 < good < 100
    assert {row: fault.reason for row, fault in whole.faults.items()} == {good: Reason.MALFORMED}


def test_a_gml_with_entities_is_refused(tmp_path: Path) -> None:
    path = _gml(tmp_path / "a.gml", _GOOD)
    path.write_text('<!DOCTYPE x [<!ENTITY a "aaaa">]>' + path.read_text().partition("?>")[2])
    with pytest.raises(UnreadableFile, match="entities"):
        read_all(path)


def test_a_geodatabase_in_chunks(tmp_path: Path) -> None:
    whole = read_one(write(tmp_path / "a.gdb", "OpenFileGDB", 1000), chunk_rows=300)
    assert whole.columns["name"] == [f"name {number}" for number in range(1000)]
    assert not whole.faults


@needs_data
def test_a_geodatabase_with_many_layers(tmp_path: Path) -> None:
    archive = DATA / "2_broken_vector" / "archives" / "fiona__testopenfilegdb.gdb.zip"
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path)
    layers = {whole.layer.name: whole for whole in read_all(tmp_path / "testopenfilegdb.gdb")}
    assert len(layers) == 36
    assert not any(whole.faults for whole in layers.values())
    assert len(layers["big_layer"].geometry) == 341
    assert layers["pointzm"].layer.has_z
    assert layers["pointzm"].layer.has_m
    types = {column.name: column.type for column in layers["none"].layer.columns}
    assert types["adate"] is ColumnType.TIMESTAMP
    assert types["binary"] is ColumnType.BYTES
    assert not layers["none"].layer.spatial


def _loaded(path: Path, driver: str) -> Counter[str]:
    reader = registry.reader_for(Kind.KML, driver)
    options = ReadOptions()
    counts: Counter[str] = Counter()
    for layer in reader.inspect(path, options):
        counts[layer.driver] += sum(
            len(batch)
            for chunk in layer.chunks
            for batch in reader.read(path, layer, chunk, options)
        )
    return counts


@needs_data
@pytest.mark.parametrize("driver", ["KML", "LIBKML"])
def test_gdals_drivers_for_kml_can_each_be_had(driver: str) -> None:
    folder = DATA / "2_broken_vector" / "kml"
    assert _loaded(folder / "georust__countries.kml", driver) == {driver: 180}
    assert _loaded(folder / "libkml__california.kml", driver) == {driver: 5}
    with pytest.raises(UnreadableFile):
        _loaded(folder / "libkml__billion.kml", driver)
