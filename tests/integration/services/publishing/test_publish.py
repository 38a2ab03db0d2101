"""Publishing tables in a real PostGIS: replace, append, upsert, and who may not be touched."""

from __future__ import annotations

import psycopg
import pytest

from core.errors import PermanentTaskError
from core.models.feature_table import Column, ColumnType, FeatureTable, GeometryColumn, TableName
from infrastructure.database import Connection
from services.publishing import checks, extent
from services.publishing.publish import publish
from tests.support.published import (
    PARKS,
    TABLE,
    contents,
    job,
    provenance,
    put,
    stage,
)


def one(db: Connection, query: str) -> object:
    row = db.execute(query).fetchone()  # type: ignore[call-overload]
    assert row is not None
    return next(iter(row.values()))


def shaped(*columns: tuple[str, ColumnType], geometry: str = "Point", z: bool = False):
    return FeatureTable(
        columns=tuple(Column(name=name, type=kind) for name, kind in columns),
        geometry=GeometryColumn(type=geometry, srid=4326, has_z=z),
    )


def test_a_first_table_is_whole_and_described(db: Connection) -> None:
    put(
        db,
        [(1, "a", (10, 20)), (2, "b", (30, 40)), (3, None, None)],
        provenance=provenance(job(1), title="Parks", attribution="City"),
        key_columns=["code"],
    )
    record = db.execute("SELECT * FROM app.published_tables").fetchone()
    assert record is not None
    assert (record["version"], record["row_count"], record["bbox"], record["title"]) == (
        1,
        3,
        [10, 20, 30, 40],
        "Parks",
    )
    assert FeatureTable.model_validate(record["table_shape"]) == TABLE
    listed = db.execute(
        "SELECT f_geometry_column, srid, type FROM geometry_columns"
        " WHERE f_table_schema = 'geo' AND f_table_name = 'parks'"
    ).fetchall()
    assert [tuple(row.values()) for row in listed] == [("geom", 4326, "POINT")]
    indexes = db.execute(
        "SELECT indexname FROM pg_indexes WHERE schemaname = 'geo' ORDER BY 1"
    ).fetchall()
    assert [row["indexname"] for row in indexes] == [
        "parks_code_key",
        "parks_geom_idx",
        "parks_pkey",
    ]
    comment = str(one(db, "SELECT obj_description('geo.parks'::regclass)"))
    assert comment.startswith("Parks\nAttribution: City\nSource: parks.gpkg\nVersion 1")
    assert job(1) in comment
    assert one(db, "SELECT col_description('geo.parks'::regclass, 2)") == "CODE"
    assert one(db, "SELECT reloptions FROM pg_class WHERE oid = 'geo.parks'::regclass") is None
    assert one(db, "SELECT count(*) FROM pg_tables WHERE schemaname = 'geo_staging'") == 0


def test_a_replaced_table_is_kept_until_it_is_too_old(db: Connection) -> None:
    for version in range(1, 5):
        done = put(db, [(version, f"v{version}", (0, 0))], keep_versions=2)
        assert (done.version, done.rows, done.added) == (version, 1, 1)
    assert contents(db) == [(4, "v4")]
    kept = db.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'geo_versions' ORDER BY 1"
    )
    assert [row["tablename"] for row in kept] == ["parks__v2", "parks__v3"]
    recorded = db.execute(
        "SELECT version, kept_as, retired_at IS NULL AS current FROM app.published_versions"
        " ORDER BY version"
    ).fetchall()
    assert [tuple(row.values()) for row in recorded] == [
        (1, None, False),
        (2, "parks__v2", False),
        (3, "parks__v3", False),
        (4, None, True),
    ]
    names = db.execute(
        "SELECT indexname FROM pg_indexes WHERE tablename = 'parks__v3' ORDER BY 1"
    ).fetchall()
    assert [row["indexname"] for row in names] == ["parks__v3_geom_idx", "parks__v3_pkey"]


def test_with_no_versions_kept_nothing_is_left_behind(db: Connection) -> None:
    put(db, [(1, "a", (0, 0))], keep_versions=0, key_columns=["code"])
    put(db, [(2, "b", (0, 0))], keep_versions=0, key_columns=["code"])
    put(db, [(2, "c", (0, 0))], mode="upsert", key_columns=["code"], keep_versions=0)
    assert contents(db) == [(2, "c")]
    assert one(db, "SELECT count(*) FROM pg_tables WHERE schemaname = 'geo_versions'") == 0


def test_a_job_that_published_already_gets_that_version_again(db: Connection) -> None:
    mine = provenance(job(1))
    first = put(db, [(1, "a", (1, 2))], provenance=mine)
    put(db, [(2, "b", (0, 0))])
    with db.transaction():
        again = publish(db, PARKS, "dropped", TABLE, mode="replace", provenance=mine)
    assert again == first
    assert contents(db) == [(2, "b")]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE geo.parks (x int)",
        "CREATE VIEW geo.parks AS SELECT 1 AS x",
        "CREATE SEQUENCE geo.parks",
    ],
)
def test_what_geoforge_did_not_publish_is_never_touched(db: Connection, statement: str) -> None:
    db.execute(statement)  # type: ignore[call-overload]
    with pytest.raises(PermanentTaskError) as refused:
        put(db, [(1, "a", (0, 0))])
    assert refused.value.error_code == "table_not_ours"


def test_columns_that_people_added_stop_the_publish(db: Connection) -> None:
    put(db, [(1, "a", (0, 0))])
    db.execute("ALTER TABLE geo.parks ADD COLUMN remark text")
    with pytest.raises(PermanentTaskError, match="remark") as refused:
        put(db, [(2, "b", (0, 0))])
    assert refused.value.error_code == "table_changed"
    assert contents(db) == [(1, "a")]


def test_a_table_that_someone_dropped_is_published_again(db: Connection) -> None:
    put(db, [(1, "a", (0, 0))])
    db.execute("DROP TABLE geo.parks")
    done = put(db, [(2, "b", (0, 0))], mode="append")
    assert (done.version, done.change) == (2, "append")
    assert contents(db) == [(2, "b")]


def test_a_table_must_be_finished(db: Connection) -> None:
    with db.transaction():
        name = stage(db, [(1, "a", (0, 0))], finished=False)
        with pytest.raises(ValueError, match="finish"):
            publish(db, PARKS, name, TABLE, mode="replace", provenance=provenance())


def test_the_schemas_default_privileges_hold_for_a_first_table(db: Connection) -> None:
    db.execute("CREATE ROLE first_reader")
    try:
        db.execute("ALTER DEFAULT PRIVILEGES IN SCHEMA geo GRANT SELECT ON TABLES TO first_reader")
        put(db, [(1, "a", (0, 0))])
        assert one(db, "SELECT has_table_privilege('first_reader', 'geo.parks', 'SELECT')")
        assert not one(db, "SELECT has_table_privilege('first_reader', 'geo.parks', 'DELETE')")
    finally:
        db.execute("DROP OWNED BY first_reader")
        db.execute("DROP ROLE first_reader")


def test_append_adds_rows_under_new_numbers(db: Connection) -> None:
    put(db, [(1, "a", (0, 0)), (2, "b", (0, 0))])
    done = put(db, [(3, "c", (50, 60))], mode="append")
    assert (done.version, done.change, done.rows, done.added) == (2, "append", 3, 1)
    assert done.bbox == (0, 0, 50, 60)
    assert contents(db, "SELECT gid, code FROM geo.parks") == [(1, 1), (2, 2), (3, 3)]
    assert one(db, "SELECT count(*) FROM pg_tables WHERE schemaname = 'geo_staging'") == 0


def test_append_of_a_key_that_is_there_is_refused_by_name(db: Connection) -> None:
    put(db, [(1, "a", (0, 0))], key_columns=["code"])
    with pytest.raises(PermanentTaskError, match=r"\(code\)=\(1\)") as refused:
        put(db, [(1, "z", (0, 0))], mode="append")
    assert refused.value.error_code == "keys_not_unique"
    assert contents(db) == [(1, "a")]


def test_upsert_touches_only_what_differs(db: Connection) -> None:
    put(db, [(1, "a", (0, 0)), (2, "b", (0, 0)), (3, "c", (1, 1))], key_columns=["code"])
    before = contents(db, "SELECT gid, xmin::text FROM geo.parks WHERE code = 1")
    done = put(
        db,
        [(1, "a", (0, 0)), (2, "B", (0, 0)), (3, "c", (1, 2)), (4, None, None)],
        mode="upsert",
        key_columns=["code"],
    )
    assert (done.added, done.updated, done.removed, done.unchanged) == (1, 2, 0, 1)
    rows = contents(db, "SELECT gid, code, coalesce(name, '-'), ST_AsText(geom) FROM geo.parks")
    assert rows == [
        (1, 1, "a", "POINT(0 0)"),
        (2, 2, "B", "POINT(0 0)"),
        (3, 3, "c", "POINT(1 2)"),
        (4, 4, "-", None),
    ]
    assert contents(db, "SELECT gid, xmin::text FROM geo.parks WHERE code = 1") == before


def test_upsert_removes_by_key_or_what_is_missing(db: Connection) -> None:
    keys_only = FeatureTable(columns=(Column(name="code", type=ColumnType.INTEGER),), geometry=None)
    put(db, [(n, "a", (0, 0)) for n in range(1, 6)], key_columns=["code"])
    with db.transaction():
        gone = stage(db, [(2,), (3,), (99,)], keys_only)
        name = stage(db, [(3, "again", (0, 0))], key_columns=["code"])
        done = publish(
            db,
            PARKS,
            name,
            TABLE,
            mode="upsert",
            key_columns=["code"],
            provenance=provenance(),
            deletions=gone,
        )
    assert (done.updated, done.removed) == (1, 1)
    assert [code for code, _ in contents(db)] == [1, 3, 4, 5]
    done = put(
        db,
        [(4, "a", (0, 0)), (7, "n", (0, 0))],
        mode="upsert",
        key_columns=["code"],
        delete_missing=True,
    )
    assert (done.added, done.updated, done.removed, done.unchanged) == (1, 0, 3, 1)
    assert [code for code, _ in contents(db)] == [4, 7]


def test_upsert_needs_keys_that_find_one_row(db: Connection) -> None:
    put(db, [(1, "a", (0, 0)), (1, "b", (0, 0))])
    with pytest.raises(PermanentTaskError) as refused:
        put(db, [(1, "c", (0, 0))], mode="upsert", key_columns=["code"])
    assert refused.value.error_code == "keys_not_unique"
    put(db, [(1, "a", (0, 0))], key_columns=["code"])
    with pytest.raises(PermanentTaskError) as refused:
        put(db, [(1, "c", (0, 0))], mode="upsert", key_columns=["name"])
    assert refused.value.error_code == "keys_differ"


def test_new_columns_are_added_and_missing_ones_left_alone(db: Connection) -> None:
    put(db, [(1, "a", (0, 0))], key_columns=["code"])
    table = shaped(("code", ColumnType.INTEGER), ("area", ColumnType.REAL))
    done = put(db, [(1, 5.5, (0, 0)), (2, 6.5, (1, 1))], table, mode="upsert", key_columns=["code"])
    assert done.notes == {"columns_added": ["area"], "columns_missing": ["name"]}
    assert (done.added, done.updated) == (1, 1)
    rows = contents(db, "SELECT code, coalesce(name, '-'), area FROM geo.parks")
    assert rows == [(1, "a", 5.5), (2, "-", 6.5)]
    assert one(db, "SELECT kept_as FROM app.published_versions WHERE version = 1") == "parks__v1"


def test_types_are_widened_or_refused_by_name(db: Connection) -> None:
    put(db, [(1, "a", (0, 0))])
    real = shaped(("code", ColumnType.REAL), ("name", ColumnType.TEXT))
    put(db, [(1.5, "b", (0, 0))], real, mode="append")
    assert contents(db) == [(1.0, "a"), (1.5, "b")]
    put(db, [(2, "c", (0, 0))], mode="append")
    assert contents(db) == [(1.0, "a"), (1.5, "b"), (2.0, "c")]
    text = shaped(("code", ColumnType.TEXT), ("name", ColumnType.TEXT))
    put(db, [(None, "d", (0, 0))], text, mode="append")
    assert one(db, "SELECT pg_typeof(code)::text FROM geo.parks LIMIT 1") == "double precision"
    put(db, [("x7", "e", (0, 0))], text, mode="append")
    assert one(db, "SELECT pg_typeof(code)::text FROM geo.parks LIMIT 1") == "text"
    dates = shaped(("code", ColumnType.TEXT), ("name", ColumnType.TEXT), ("day", ColumnType.DATE))
    put(db, [("y", "f", None, (0, 0))], dates, mode="append")
    clash = shaped(("day", ColumnType.INTEGER))
    with pytest.raises(PermanentTaskError, match=r"'day'.* date.* bigint") as refused:
        put(db, [(3, (0, 0))], clash, mode="append")
    assert refused.value.error_code == "columns_differ"


def test_geometries_are_promoted_or_refused(db: Connection) -> None:
    multi = shaped(("name", ColumnType.TEXT), geometry="MultiPoint")
    single = shaped(("name", ColumnType.TEXT), geometry="Point")
    put(db, [("a", (0, 0))], single)
    put(db, [("b", "MULTIPOINT (1 1, 2 2)")], multi, mode="append")
    put(db, [("c", (3, 3))], single, mode="append")
    rows = contents(db, "SELECT name, ST_NumGeometries(geom), GeometryType(geom) FROM geo.parks")
    assert rows == [("a", 1, "MULTIPOINT"), ("b", 2, "MULTIPOINT"), ("c", 1, "MULTIPOINT")]
    for other in (
        shaped(("name", ColumnType.TEXT), geometry="LineString"),
        shaped(("name", ColumnType.TEXT), z=True),
        single.model_copy(update={"geometry": GeometryColumn(type="Point", srid=3857)}),
    ):
        with pytest.raises(PermanentTaskError) as refused:
            put(db, [("d", None)], other, mode="append")
        assert refused.value.error_code == "geometry_differs"


def test_two_names_that_look_alike_keep_apart(db: Connection) -> None:
    for target in (
        TableName(schema_name="city", table_name="parks"),
        TableName(table_name="city__parks"),
        TableName(table_name="p" * 63),
        TableName(table_name="p" * 62 + "q"),
    ):
        for n in range(2):
            put(db, [(n, str(target), (0, 0))], target=target)
    names = db.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'geo_versions'")
    assert len({row["tablename"] for row in names}) == 4


def test_names_that_sql_has_taken_are_names_like_others(db: Connection) -> None:
    table = shaped(("order", ColumnType.INTEGER), ("code", ColumnType.TEXT))
    target = TableName(table_name="table")
    keys = ["order", "code"]
    put(db, [(1, "a", (0, 0))], table, target=target, key_columns=keys)
    put(db, [(1, "a", (1, 0))], table, target=target, key_columns=keys)
    done = put(db, [(1, "a", (2, 0))], table, target=target, key_columns=keys, mode="upsert")
    assert (done.version, done.updated) == (3, 1)
    put(db, [(1, "a", (1, 0)), (1, "a", (1, 0))], table, target=target)
    indexes = db.execute(
        "SELECT indexname FROM pg_indexes WHERE schemaname = 'geo' ORDER BY 1"
    ).fetchall()
    assert [row["indexname"] for row in indexes] == ["table_geom_idx", "table_pkey"]


def test_a_table_without_geometries(db: Connection) -> None:
    table = FeatureTable(columns=(Column(name="code", type=ColumnType.INTEGER),), geometry=None)
    put(db, [(1,)], table)
    done = put(db, [(2,)], table, mode="append")
    assert (done.rows, done.bbox) == (2, None)


def test_another_crs_is_shown_in_degrees(db: Connection) -> None:
    table = TABLE.model_copy(update={"geometry": GeometryColumn(type="Point", srid=3857)})
    with db.transaction():
        name = stage(db, [(1, "a", (1113194.9, 0)), (2, "b", (2226389.8, 1118889.97))], table)
        found = checks.finish(db, name, table)
    assert found.bbox == pytest.approx((10, 0, 20, 10), abs=1e-4)
    assert (found.srid, found.types) == (3857, {"POINT": 2})


FIJI = (
    "MULTIPOLYGON(((177.25 -18, 178.5 -18, 178.5 -17, 177.25 -17, 177.25 -18)),"
    "((-180 -17, -179.75 -17, -179.75 -16, -180 -16, -180 -17)))"
)


@pytest.mark.parametrize(
    ("shapes", "bbox"),
    [
        # Its parts lie on both sides.
        ([FIJI], (177.25, -18, -179.75, -16)),
        # So do its rows, of which one has no place.
        (
            ["POINT(179.5 1)", "POINT(-179.5 2)", "POINT EMPTY", "POINT(-160 0)"],
            (179.5, 0, -160, 2),
        ),
        # As wide as the world, with a gap that is not half of it.
        (["POINT(-170 0)", "POINT(5 5)", "POINT(170 1)"], (-170, 0, 170, 5)),
        # What reaches around leaves no gap.
        ([FIJI, "LINESTRING(-180 0, 180 0)"], (-180, -18, 180, 0)),
        # One side is enough.
        (["POINT(170 0)", "POINT(180 5)"], (170, 0, 180, 5)),
    ],
)
def test_a_box_goes_the_short_way_across_the_antimeridian(
    db: Connection, shapes: list[str], bbox: tuple[float, ...]
) -> None:
    table = TABLE.model_copy(update={"geometry": GeometryColumn(type="Geometry", srid=4326)})
    rows = [(number, "a", shape) for number, shape in enumerate(shapes)]
    assert put(db, rows, table).bbox == bbox


def test_also_where_the_first_rows_are_on_one_side(
    db: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extent, "_FIRST_ROWS", 2)
    rows = [(1, "a", (178, 0)), (2, "b", (179, 1)), (3, "c", (-178, 2)), (4, "d", (-170, 3))]
    assert put(db, rows).bbox == (178, 0, -170, 3)
    assert put(db, [*rows, (5, "e", (3, 4))]).bbox == (-178, 0, 179, 4)


def test_an_error_leaves_the_published_table(db: Connection) -> None:
    put(db, [(1, "a", (0, 0))])

    def fail_after_publishing() -> None:
        with db.transaction():
            put(db, [(2, "b", (0, 0))])
            db.execute("SELECT 1 / 0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        fail_after_publishing()
    assert contents(db) == [(1, "a")]
    assert put(db, [(3, "c", (0, 0))]).version == 2
