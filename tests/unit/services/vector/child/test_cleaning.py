"""What the child sends of a chunk: rows by table, repairs, quarantine, and counts of them."""

from __future__ import annotations

import json
import struct
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.models.feature_table import Column, ColumnType
from core.models.vector_report import RecordCounts
from services.vector.child import cleaning, inspecting
from services.vector.model import Kind, ReadOptions, SourceLayer
from services.vector.parameters import ProcessVector
from services.vector.plan import ColumnPlan, LayerPlan
from services.vector.planning import plan_layers
from tests.support.vector_corpus import tuples
from tests.support.vector_job import collection, feature, square

Field = bytes | None
BOW_TIE = [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]


@dataclass(frozen=True)
class Sent:
    """What came of each chunk, and of all of them together: tuples by stream."""

    counts: list[RecordCounts]
    streams: dict[str, list[list[Field]]]

    def gids(self, table: int) -> list[int]:
        return [int.from_bytes(row[0] or b"") for row in self.streams[f"rows:{table}"]]

    def hashes(self, table: int) -> dict[int, Field]:
        """The records' hashes by their gid."""
        rows = self.streams[f"rows:{table}"]
        return {gid: row[-1] for gid, row in zip(self.gids(table), rows, strict=True)}


def clean(
    folder: Path, *features: Any, columns: list[ColumnPlan] | None = None, **parameters: Any
) -> Sent:
    """Clean the features of a file; `columns` stand in place of those that the file has."""
    (folder / "in.geojson").write_text(json.dumps(collection(*features)))
    wanted = ProcessVector.model_validate({"source_url": "https://data.test/in", **parameters})
    options = ReadOptions(chunk_rows=wanted.chunk_rows).model_dump()
    (found,) = inspecting.inspect(
        str(folder), "in.geojson", Kind.GEOJSON.value, "geojson", options, None
    )
    (plan,) = plan_layers(
        wanted,
        [SourceLayer.model_validate(found)],
        base_name="in",
        staged_name="staged_{}_{}".format,
        published=lambda _name: None,
    )
    if columns is not None:
        plan = with_columns(plan, columns)
    sent: dict[str, bytearray] = defaultdict(bytearray)

    def emit(name: str, data: bytes) -> None:
        sent[name] += data

    counts = [
        cleaning.clean(str(folder), plan.model_dump(mode="json"), chunk, options, emit)
        for chunk in range(len(plan.layer.chunks))
    ]
    del sent["progress"]
    return Sent(
        [RecordCounts.model_validate(each) for each in counts],
        {name: list(tuples(bytes(data))) for name, data in sent.items()},
    )


def with_columns(plan: LayerPlan, columns: list[ColumnPlan]) -> LayerPlan:
    shape = tuple(each.column for each in columns)
    tables = [
        table.model_copy(update={"shape": table.shape.model_copy(update={"columns": shape})})
        for table in plan.tables
    ]
    return plan.model_copy(update={"columns": columns, "tables": tables})


def test_rows_are_numbered_over_all_chunks(tmp_path: Path) -> None:
    points = [feature("Point", [n / 10, 1]) for n in range(250)]
    sent = clean(tmp_path, *points, chunk_rows=100)
    assert [each.read for each in sent.counts] == [100, 100, 50]
    assert sent.gids(0) == list(range(1, 251))


def test_of_a_record_in_two_tables_both_rows_have_the_hash_of_the_whole(tmp_path: Path) -> None:
    """So that it is no duplicate of one that is equal in one of them only."""
    point = {"type": "Point", "coordinates": [7, 7]}
    line = {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}
    both = {"type": "GeometryCollection", "geometries": [point, line]}
    whole = {"type": "Feature", "properties": {}, "geometry": both}
    alone = {"type": "Feature", "properties": {}, "geometry": point}
    sent = clean(tmp_path, whole, alone, whole)
    in_points, in_lines = sent.hashes(0), sent.hashes(1)
    assert (set(in_points), set(in_lines)) == ({1, 2, 3}, {1, 3})
    assert in_points[1] == in_points[3] == in_lines[1] == in_lines[3] != in_points[2]
    assert sent.counts[0].loaded == 3


def test_equal_geometries_with_other_attributes_have_other_hashes(tmp_path: Path) -> None:
    records = [feature("Point", [1, 1], n=n) for n in (1, 2, 1, None)]
    hashes = clean(tmp_path, *records).hashes(0)
    assert hashes[1] == hashes[3]
    assert len({hashes[1], hashes[2], hashes[4]}) == 3


def test_every_repair_is_told_and_the_first_are_drawn(tmp_path: Path) -> None:
    ties = [feature("Polygon", BOW_TIE, n=n) for n in range(250)]
    sent = clean(tmp_path, feature("Polygon", square(5, 5)), *ties)
    repairs = sent.streams["repairs"]
    assert [int.from_bytes(row[0] or b"") for row in repairs] == list(range(2, 252))
    assert all(row[3] is not None for row in repairs), "each has the place of its fault"
    drawn = [row[8] is not None and row[9] is not None for row in repairs]
    assert drawn == [True] * 200 + [False] * 50
    assert sent.counts[0].repaired == 250
    assert sent.counts[0].repairs["self_intersection"] == 250


def test_quarantine_keeps_the_record_as_it_was_as_far_as_a_row_goes(tmp_path: Path) -> None:
    sent = clean(
        tmp_path,
        feature("Point", [1, 1], name="fine"),
        feature("Point", ["abc", 1], name="broken"),
        feature("Point", [1e9, 1e9], name="x" * 100_000),
    )
    short, long = sent.streams["quarantine"]
    assert [row[1] for row in (short, long)] == [b"bad_coordinate", b"out_of_range"]
    assert b'"abc"' in (short[4] or b"")
    assert short[5] == b"\x00"
    assert (len(long[4] or b""), long[5]) == (64 << 10, b"\x01")
    assert sent.counts[0].quarantined == {"bad_coordinate": 1, "out_of_range": 1}
    assert (sent.counts[0].read, sent.counts[0].loaded) == (3, 1)


def test_columns_of_a_given_shape_are_filled(tmp_path: Path) -> None:
    """Constants, replaced values, lists, and nulls where there is no attribute."""
    first = feature("Point", [1, 1], MARINE=0, ISO3="FRA; ITA", YEAR="1990")
    second = feature("Point", [2, 2], MARINE=7, ISO3="", YEAR="unknown")
    columns = [
        column_plan("realm", ColumnType.TEXT, "MARINE", values={"0": "Terrestrial"}),
        column_plan("iso3", ColumnType.TEXT_ARRAY, "ISO3", split=";"),
        column_plan("year", ColumnType.INTEGER, "YEAR", values={"0": None}),
        column_plan("version", ColumnType.TEXT, None, constant="May 2023"),
        column_plan("area", ColumnType.REAL, None),
    ]
    sent = clean(tmp_path, first, second, columns=columns)
    one, two = sent.streams["rows:0"]
    assert one[1:6] == [b"Terrestrial", text_array("FRA", "ITA"), number(1990), b"May 2023", None]
    assert two[1:6] == [b"7", None, None, b"May 2023", None]
    assert sent.counts[0].value_faults == {"YEAR": {"not a bigint": 1}}


def test_where_an_attribute_has_no_value_others_are_asked(tmp_path: Path) -> None:
    codes = [
        {"ISO": "KEN", "EH": "-99", "ADM": "KEN"},
        {"ISO": "-99", "EH": "FRA", "ADM": "FRO"},
        {"ISO": "", "EH": "-99", "ADM": "SOL"},
        {"ISO": None, "EH": "", "ADM": None},
    ]
    columns = [
        column_plan(
            "iso_a3",
            ColumnType.TEXT,
            "ISO",
            otherwise=["EH", "ADM"],
            values={"-99": None, "": None},
        )
    ]
    records = [feature("Point", [x, 1], **each) for x, each in enumerate(codes)]
    rows = clean(tmp_path, *records, columns=columns).streams["rows:0"]
    assert [row[1] for row in rows] == [b"KEN", b"FRA", b"SOL", None]


def test_faults_of_values_that_are_not_asked_for_are_none(tmp_path: Path) -> None:
    columns = [column_plan("year", ColumnType.INTEGER, "A", otherwise=["B"])]
    records = [
        feature("Point", [1, 1], A="1990", B="never"),
        feature("Point", [2, 2], A="soon", B="1991"),
        feature("Point", [3, 3], A=None, B="later"),
    ]
    sent = clean(tmp_path, *records, columns=columns)
    assert [row[1] for row in sent.streams["rows:0"]] == [number(1990), number(1991), None]
    assert sent.counts[0].value_faults == {
        "A": {"not a bigint": 1},
        "B": {"not a bigint": 1},
    }


def test_lists_may_come_from_another_attribute(tmp_path: Path) -> None:
    column = column_plan("iso3", ColumnType.TEXT_ARRAY, "A", otherwise=["B"], split=";")
    records = [feature("Point", [1, 1], A=None, B="FRA;ITA"), feature("Point", [2, 2], A="KEN")]
    rows = clean(tmp_path, *records, columns=[column]).streams["rows:0"]
    assert [row[1] for row in rows] == [text_array("FRA", "ITA"), text_array("KEN")]


def test_lists_are_lists_in_the_quarantine_too(tmp_path: Path) -> None:
    broken = feature("Point", ["abc", 1], ISO3="FRA;ITA")
    columns = [column_plan("iso3", ColumnType.TEXT_ARRAY, "ISO3", split=";")]
    [row] = clean(tmp_path, broken, columns=columns).streams["quarantine"]
    assert (row[3] or b"").endswith(b'{"iso3":["FRA","ITA"]}')


def column_plan(name: str, type_: ColumnType, source: str | None, **options: Any) -> ColumnPlan:
    return ColumnPlan(source=source, column=Column(name=name, type=type_), **options)


def number(value: int) -> bytes:
    return value.to_bytes(8, signed=True)


def text_array(*items: str) -> bytes:
    """As PostgreSQL sends it: one dimension, no nulls, the type text, so many from 1."""
    encoded = b"".join(struct.pack(">i", len(item)) + item.encode() for item in items)
    return struct.pack(">iiiii", 1, 0, 25, len(items), 1) + encoded
