"""Names that PostgreSQL takes without quotes, whatever the file calls things."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.vector.names import column_names, table_name

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


@pytest.mark.parametrize(
    ("source", "column"),
    [
        ("OBJECTID", "objectid"),
        ("Shape_Area", "shape_area"),
        ("shapeArea", "shape_area"),
        ("HTTPServerName", "http_server_name"),
        ("ParentISO3", "parent_iso3"),
        ("ISO3166-1-Alpha-3", "iso3166_1_alpha_3"),
        ("  Name (long)  ", "name_long"),
        ("Größe (m²)", "grosse_m2"),
        ("Élévation", "elevation"),
        ("Łódź / Ørsted", "lodz_orsted"),
        ("2020", "_2020"),
        ("user", "user_"),
        ("Order", "order_"),
        ("xmin", "xmin_"),
        ("gid", "gid_"),
        ("geom", "geom_"),
        ("gf_hash", "gf_hash_"),
        ("название", "column_1"),
        ("", "column_1"),
        ("___", "column_1"),
        ("a\0b\nc", "a_b_c"),
        ('x"; DROP TABLE y; --', "x_drop_table_y"),
    ],
)
def test_a_column_is_named_after_its_attribute(source: str, column: str) -> None:
    assert column_names([source]) == {source: column}


def test_equal_names_are_numbered_in_their_order() -> None:
    assert column_names(["Name", "NAME", "name", "name_2"]) == {
        "Name": "name",
        "NAME": "name_3",
        "name": "name_4",
        "name_2": "name_2",
    }
    assert list(column_names(["user", "USER", "user_"]).values()) == ["user_", "user_2", "user_3"]


def test_what_has_no_ascii_letters_is_named_by_its_place() -> None:
    assert list(column_names(["id", "城市", "人口"]).values()) == ["id", "column_2", "column_3"]


def test_long_names_are_cut_and_stay_distinct() -> None:
    found = list(column_names(["a" * 80, "a" * 81, "a" * 59]).values())
    assert [len(name) for name in found] == [59, 59, 59]
    assert len(set(found)) == 3
    assert found[0] == next(iter(column_names(["a" * 80]).values()))
    assert found[0].startswith("a" * 50 + "_")


def test_attributes_of_one_name_are_a_bug_of_the_caller() -> None:
    with pytest.raises(ValueError, match="not distinct"):
        column_names(["a", "a"])


@given(st.lists(st.text(max_size=90), unique=True, max_size=30))
def test_any_names_become_distinct_plain_identifiers(sources: list[str]) -> None:
    found = column_names(sources)
    assert list(found) == sources
    assert len(set(found.values())) == len(sources)
    for name in found.values():
        assert _PLAIN.fullmatch(name), name
        assert len(name) <= 59
    assert column_names(sources) == found


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("ne_10m_admin_0_countries", "ne_10m_admin_0_countries"),
        ("Parks & Gardens", "parks_gardens"),
        ("2024-parcels", "_2024_parcels"),
        ("Table", "table_"),
        ("公园", "layer"),
    ],
)
def test_a_table_is_named_after_a_file_or_layer(text: str, table: str) -> None:
    assert table_name(text) == table


def test_long_table_names_are_cut() -> None:
    assert len(table_name("x" * 200)) == 50
    assert table_name("x" * 200) != table_name("x" * 201)
