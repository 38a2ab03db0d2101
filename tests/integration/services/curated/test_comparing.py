"""Two tables held against each other: what PostgreSQL counts is what Python counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.models.feature_table import Column, ColumnType, FeatureTable, GeometryColumn, TableName
from infrastructure.database import Connection
from services.curated.comparing import Difference, Rows, compare
from tests.support.feature_tables import create
from tests.support.published import connect

POINT = GeometryColumn(type="Point", srid=4326)


@pytest.fixture(scope="module")
def tables(postgres_server: Any, migrated_template: str) -> Iterator[Connection]:
    """A database of the module's own, where tables come and go."""
    url = postgres_server.create_database(migrated_template)
    with connect(url, autocommit=True) as connection:
        yield connection
    postgres_server.drop_database(url)


def shape(geometry: GeometryColumn | None = POINT, **columns: ColumnType) -> FeatureTable:
    return FeatureTable(
        columns=tuple(Column(name=name, type=type_) for name, type_ in columns.items()),
        geometry=geometry,
    )


def table(
    connection: Connection,
    name: str,
    of: FeatureTable,
    rows: Sequence[Sequence[Any]],
    keys: tuple[str, ...] = ("code",),
) -> Rows:
    """A table with these rows; the geometry comes last, as WKT."""
    connection.execute(f"DROP TABLE IF EXISTS geo.{name}")  # type: ignore[call-overload]
    names = [column.name for column in of.columns]
    if of.geometry is not None:
        names.append("geom")
    made = create(
        connection,
        name,
        of,
        [
            {"gid": number, **dict(zip(names, _with_srid(row, of), strict=True))}
            for number, row in enumerate(rows, start=1)
        ],
    )
    return Rows(TableName(schema_name=made.schema_name, table_name=made.table_name), of, keys)


def _with_srid(row: Sequence[Any], of: FeatureTable) -> list[Any]:
    if of.geometry is None or row[-1] is None:
        return list(row)
    return [*row[:-1], f"SRID=4326;{row[-1]}"]


def compared(connection: Connection, old: Rows, new: Rows, **options: Any) -> Difference:
    with connection.transaction():
        return compare(connection, old, new, check=lambda: None, **options)


PLAIN = shape(code=ColumnType.INTEGER, name=ColumnType.TEXT, seen=ColumnType.DATE)
_ROWS = st.dictionaries(
    st.integers(0, 8),
    st.tuples(
        st.sampled_from([None, "", "a", "b"]),
        st.sampled_from([None, "2024-01-01", "2024-01-02"]),
        st.sampled_from([None, "POINT (1 1)", "POINT (1 1.0000000000000002)", "POINT EMPTY"]),
    ),
)


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(before=_ROWS, after=_ROWS)
def test_by_key_as_python_counts(tables: Connection, before: Any, after: Any) -> None:
    old = table(tables, "before", PLAIN, [(key, *row) for key, row in before.items()])
    new = table(tables, "after", PLAIN, [(key, *row) for key, row in after.items()])
    found = compared(tables, old, new)
    both = before.keys() & after.keys()
    differing = {key for key in both if before[key] != after[key]}
    assert found.by == "key"
    assert found.counts == {
        "added": len(after.keys() - before.keys()),
        "updated": len(differing),
        "deleted": len(before.keys() - after.keys()),
        "unchanged": len(both - differing),
    }
    assert {row["key"]["code"] for row in found.added_sample} == after.keys() - before.keys()
    assert {row["key"]["code"] for row in found.deleted_sample} == before.keys() - after.keys()
    names = ("name", "seen", "geom")
    assert {row["key"]["code"]: row["columns"] for row in found.updated_sample} == {
        key: [
            name
            for name, one, other in zip(names, before[key], after[key], strict=True)
            if one != other
        ]
        for key in differing
    }


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(before=_ROWS, after=_ROWS, gone=st.sets(st.integers(0, 8)))
def test_deletions_go_unless_they_come_in_again(
    tables: Connection, before: Any, after: Any, gone: set[int]
) -> None:
    old = table(tables, "before", PLAIN, [(key, *row) for key, row in before.items()])
    new = table(tables, "after", PLAIN, [(key, *row) for key, row in after.items()])
    keys = table(tables, "gone", shape(None, code=ColumnType.INTEGER), [(key,) for key in gone])
    found = compared(tables, old, new, keeps_missing_rows=True, deletions=keys.relation)
    wanted = (gone & before.keys()) - after.keys()
    assert found.deleted == len(wanted)
    assert {row["key"]["code"] for row in found.deleted_sample} == wanted
    whole = compared(tables, old, new, deletions=keys.relation)
    assert whole == compared(tables, old, new)


_LOOSE = st.lists(st.tuples(st.integers(0, 2), st.sampled_from([None, "a", "(,)"])), max_size=12)


@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(before=_LOOSE, after=_LOOSE)
def test_by_content_as_python_counts(tables: Connection, before: Any, after: Any) -> None:
    of = shape(None, code=ColumnType.INTEGER, name=ColumnType.TEXT)
    found = compared(
        tables, table(tables, "before", of, before, ()), table(tables, "after", of, after, ())
    )
    same = (Counter(before) & Counter(after)).total()
    assert found.by == "content"
    assert found.counts == {
        "added": len(after) - same,
        "updated": 0,
        "deleted": len(before) - same,
        "unchanged": same,
    }


def test_a_column_of_one_table_differs_where_it_has_a_value(tables: Connection) -> None:
    wider = shape(code=ColumnType.INTEGER, name=ColumnType.TEXT)
    narrow = shape(code=ColumnType.INTEGER)
    with_names = table(tables, "before", wider, [(1, "a", None), (2, None, None)])
    without = table(tables, "after", narrow, [(1, None), (2, None)])
    assert compared(tables, with_names, without).counts["updated"] == 1
    assert compared(tables, without, with_names).counts["updated"] == 1
    # An upsert leaves alone what it brings no column for.
    kept = compared(tables, with_names, without, keeps_missing_columns=True)
    assert kept.counts["updated"] == 0
    assert compared(tables, without, with_names, keeps_missing_columns=True).updated == 1


def test_a_geometry_that_only_one_table_has_is_a_difference(tables: Connection) -> None:
    old = table(tables, "before", shape(None, code=ColumnType.INTEGER), [(1,), (2,)])
    new = table(tables, "after", shape(code=ColumnType.INTEGER), [(1, "POINT (1 1)"), (2, None)])
    assert compared(tables, old, new).updated_sample == ({"key": {"code": 1}, "columns": ["geom"]},)
    without_keys = [Rows(each.relation, each.shape, ()) for each in (old, new)]
    assert compared(tables, *without_keys).counts == {
        "added": 1,
        "updated": 0,
        "deleted": 1,
        "unchanged": 1,
    }


def test_values_of_another_type_are_compared_as_they_read(tables: Connection) -> None:
    numbers = shape(code=ColumnType.INTEGER, area=ColumnType.INTEGER)
    texts = shape(
        GeometryColumn(type="MultiPoint", srid=4326), code=ColumnType.TEXT, area=ColumnType.REAL
    )
    old = table(tables, "before", numbers, [(1, 5, "POINT (1 1)"), (2, 6, "POINT (2 2)")])
    new = table(
        tables,
        "after",
        texts,
        [("1", 5.0, "MULTIPOINT (1 1)"), ("2", 6.5, "MULTIPOINT (2 2)"), ("x", None, None)],
    )
    found = compared(tables, old, new)
    assert found.counts == {"added": 1, "updated": 1, "deleted": 0, "unchanged": 1}
    assert found.updated_sample == ({"key": {"code": "2"}, "columns": ["area"]},)


def test_ignored_columns_say_nothing(tables: Connection) -> None:
    of = shape(None, code=ColumnType.INTEGER, version=ColumnType.TEXT)
    old = table(tables, "before", of, [(1, "v1"), (2, "v1")])
    new = table(tables, "after", of, [(1, "v2"), (3, "v2")])
    found = compared(tables, old, new, ignored=("version",), keeps_missing_rows=True)
    assert found.counts == {"added": 1, "updated": 0, "deleted": 0, "unchanged": 1}


def test_another_key_is_compared_by_content(tables: Connection) -> None:
    of = shape(None, code=ColumnType.INTEGER, name=ColumnType.TEXT)
    old = table(tables, "before", of, [(1, "a"), (2, "b")], ("name",))
    new = table(tables, "after", of, [(1, "a"), (2, "c")])
    assert compared(tables, old, new).by == "content"


def test_a_key_that_only_one_table_has_is_compared_by_content(tables: Connection) -> None:
    wide = shape(None, code=ColumnType.INTEGER, name=ColumnType.TEXT)
    narrow = shape(None, name=ColumnType.TEXT)
    keyed = table(tables, "before", wide, [(1, "a"), (None, "b")])
    other = table(tables, "after", narrow, [("a",), ("b",)], ("name",))
    counts = {"added": 1, "updated": 0, "deleted": 1, "unchanged": 1}
    for pair in (keyed, other), (other, keyed):
        found = compared(tables, *pair)
        assert (found.by, found.counts) == ("content", counts)


def test_many_rows_are_named_by_some(tables: Connection) -> None:
    of = shape(None, code=ColumnType.INTEGER)
    old = table(tables, "before", of, [])
    new = table(tables, "after", of, [(number,) for number in range(50)])
    found = compared(tables, old, new)
    assert found.added == 50
    assert [row["key"]["code"] for row in found.added_sample] == list(range(20))
