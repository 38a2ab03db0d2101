from __future__ import annotations

import json
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from core.models.feature_table import ColumnType
from services.vector.formats.reader import UnreadableFile
from services.vector.model import Reason, RepairKind
from tests.unit.services.vector.formats.reading import (
    DATA,
    needs_data,
    read_all,
    read_one,
    squares,
    write,
)

_GPKG = DATA / "2_broken_vector" / "gpkg"


def _change(path: Path, *statements: str) -> None:
    """Change the tables behind GDAL's back: its triggers need functions that SQLite has not."""
    with closing(sqlite3.connect(path)) as connection:
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in triggers.fetchall():
            connection.execute('DROP TRIGGER "{}"'.format(name.replace('"', '""')))
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def test_every_record_is_in_one_chunk(tmp_path: Path) -> None:
    whole = read_one(write(tmp_path / "a.gpkg", "GPKG", 1000), chunk_rows=300)
    assert [chunk.rows for chunk in whole.layer.chunks] == [300, 300, 300, 100]
    assert whole.geometry == squares(1000)
    assert whole.columns["id"] == list(range(1000))
    assert whole.layer.geometry_types == {"Polygon": 1000}
    assert whole.layer.crs.value == "EPSG:4326"
    assert {c.name: c.type for c in whole.layer.columns} == {
        "id": ColumnType.INTEGER,
        "name": ColumnType.TEXT,
    }


def test_a_count_that_is_too_high_repeats_no_record(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", "GPKG", 1000)
    _change(path, "DELETE FROM a WHERE fid % 3 = 0")
    whole = read_one(path, chunk_rows=100)
    assert whole.columns["id"] == [i for i in range(1000) if (i + 1) % 3]
    assert not whole.faults


def test_blobs_that_are_no_geometry_are_faults_and_null_is_none(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", "GPKG", 20)
    _change(
        path,
        "UPDATE a SET geom = x'00112233' WHERE fid = 5",
        "UPDATE a SET geom = 'hello' WHERE fid = 6",
        "UPDATE a SET geom = substr(geom, 1, 60) WHERE fid = 7",
        "UPDATE a SET geom = NULL WHERE fid = 8",
        "UPDATE a SET geom = substr(geom, 1, 8) WHERE fid = 9",
    )
    whole = read_one(path)
    assert {row: fault.reason for row, fault in whole.faults.items()} == dict.fromkeys(
        (4, 5, 6, 8), Reason.UNREADABLE_GEOMETRY
    )
    assert whole.geometry[7] is None
    assert json.loads(whole.raw[6])["properties"] == {"id": 6, "name": "name 6"}
    assert json.loads(whole.raw[6])["wkb"].startswith("01")


def test_values_of_another_type_become_null_and_count(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", "GPKG", 20)
    _change(
        path,
        "UPDATE a SET id = 'abc' WHERE fid = 5",
        "UPDATE a SET id = 2.5 WHERE fid = 6",
        "UPDATE a SET id = 1e300 WHERE fid = 8",
        "UPDATE a SET id = x'31' WHERE fid = 9",
        "UPDATE a SET name = CAST(x'c96c6520' AS TEXT) WHERE fid = 7",
    )
    whole = read_one(path)
    assert whole.columns["id"][3:10] == [3, None, None, 6, None, None, 9]
    assert whole.columns["name"][6] == "Éle "
    assert whole.value_faults == {
        ("id", "not an integer"): 4,
        ("name", "not UTF-8, read as cp1252"): 1,
    }


def test_behind_a_damaged_page_reading_goes_on(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", "GPKG", 20_000)
    data = bytearray(path.read_bytes())
    noise = random.Random(1)
    for part in (1, 2, 3):
        at = len(data) // 4096 // 4 * part * 4096
        data[at : at + 4096] = noise.randbytes(4096)
    path.write_bytes(data)
    whole = read_one(path)
    assert sum(geometry is not None for geometry in whole.geometry) > 19_000
    assert whole.faults
    assert "cut_short" in whole.notes


def test_a_file_that_was_cut_short_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", "GPKG", 20_000)
    path.write_bytes(path.read_bytes()[:800_000])
    with pytest.raises(UnreadableFile, match="damaged"):
        read_all(path)


def test_views_odd_names_and_wal_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", "GPKG", 100, layer="odd \"layer' name")
    table = '"odd ""layer\' name"'
    _change(
        path,
        f"CREATE VIEW v AS SELECT fid, geom, id FROM {table} WHERE id > 50 ORDER BY id DESC",
        "INSERT INTO gpkg_contents(table_name, identifier, data_type, srs_id) "
        "VALUES ('v', 'v', 'features', 4326)",
        "INSERT INTO gpkg_geometry_columns VALUES ('v', 'geom', 'POLYGON', 4326, 0, 0)",
    )
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = wal")
    path = path.rename(tmp_path / "it's! a.gpkg")
    layer, view = read_all(path, chunk_rows=30)
    assert len(layer.geometry) == 100
    assert view.columns["id"] == list(range(99, 50, -1))


def test_a_layer_can_be_chosen_and_empty_ones_are_noted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", "GPKG", 5)
    _change(
        path,
        "CREATE TABLE b (fid INTEGER PRIMARY KEY, n INTEGER)",
        "INSERT INTO gpkg_contents(table_name, identifier, data_type) "
        "VALUES ('b', 'b', 'attributes')",
    )
    whole = read_one(path)
    assert whole.layer.name == "a"
    assert "empty_layers" in whole.notes
    assert read_one(path, layer="b").geometry == []
    assert read_all(path, layer="c") == []


def test_a_sample_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gpkg", "GPKG", 50_000)
    whole = read_one(path, sample=True)
    assert 20_000 <= len(whole.geometry) < 50_000
    assert whole.layer.features == 50_000


@needs_data
@pytest.mark.parametrize("name", ["curve", "curvepolygon", "multisurface"])
def test_curves_become_lines(name: str) -> None:
    whole = read_one(_GPKG / f"pyogrio__{name}.gpkg")
    assert whole.mended == {0: [RepairKind.LINEARISED]}
    assert whole.geometry[0].is_valid


@needs_data
def test_a_header_that_lies_about_its_features_is_not_believed() -> None:
    whole = read_one(_GPKG / "gdal__huge_feature_count.gpkg")
    assert whole.layer.features == len(whole.geometry) == 1


@needs_data
def test_an_undefined_crs_is_none() -> None:
    finding = read_one(_GPKG / "gdal__no_envelope.gpkg").layer.crs
    assert finding.value is None
    assert "undefined" in finding.evidence[0]
