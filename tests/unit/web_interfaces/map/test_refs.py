"""How the address of the map names its layers."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from web_interfaces.map import refs
from web_interfaces.map.explorer import view_of
from web_interfaces.map.refs import Kind, Ref

COUNTRIES = Ref(Kind.VECTOR, "curated_admin0")
PARKS = Ref(Kind.VECTOR, "parks", "by-size")
SCENE = Ref(Kind.RASTER, "scenes", "a:b,c")

names = st.text(st.characters(exclude_characters="\x00", codec="utf-8"), min_size=1, max_size=20)
layers = st.one_of(
    st.builds(Ref, st.sampled_from([Kind.VECTOR, Kind.CELLS]), names, st.none() | names),
    st.builds(Ref, st.just(Kind.ITEMS), names),
    st.builds(Ref, st.just(Kind.RASTER), names, names),
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(layers, max_size=refs.MOST, unique_by=lambda ref: (ref.kind, ref.name)))
def test_what_is_written_is_read_again(chosen: list[Ref]) -> None:
    assert refs.parse(refs.joined(chosen) or "") == (chosen, [])


def test_names_may_hold_what_divides_them() -> None:
    assert str(SCENE) == "raster:scenes:a%3Ab%2Cc"
    assert refs.joined([COUNTRIES, SCENE]) == "vector:curated_admin0,raster:scenes:a%3Ab%2Cc"


@pytest.mark.parametrize(
    "text",
    [
        "parks",
        "vector",
        "vector:",
        "raster:scenes",
        "items:a:b",
        "wms:x",
        "vector:a:b:c",
        "vector:%00",
    ],
)
def test_what_names_no_layer_is_told(text: str) -> None:
    assert refs.parse(f"{text},vector:curated_admin0") == ([COUNTRIES], [text])


def test_a_table_is_there_once_in_whatever_style_and_each_raster_too() -> None:
    found, _ = refs.parse("vector:parks:by-size,vector:parks,raster:a:1,raster:a:2,raster:a:1")
    assert found == [PARKS, Ref(Kind.RASTER, "a", "1"), Ref(Kind.RASTER, "a", "2")]


def test_there_is_room_for_so_many_only() -> None:
    found, _ = refs.parse(",".join(f"vector:t{number}" for number in range(50)))
    assert len(found) == refs.MOST


def test_a_layer_comes_on_top_and_goes_in_any_style() -> None:
    assert refs.toggled([COUNTRIES], SCENE) == [COUNTRIES, SCENE]
    assert refs.toggled([COUNTRIES, PARKS], Ref(Kind.VECTOR, "parks")) == [COUNTRIES]
    assert refs.raised([PARKS, COUNTRIES, SCENE], PARKS) == [COUNTRIES, SCENE, PARKS]
    other = Ref(Kind.VECTOR, "parks")
    assert refs.exchanged([PARKS, COUNTRIES], PARKS, other) == [other, COUNTRIES]


@pytest.mark.parametrize(
    ("text", "view"),
    [
        ("15.1,49.5,7", "15.10000,49.50000,7.00"),
        ("-181.5,0,0", "-181.50000,0.00000,0.00"),
        (None, None),
        ("", None),
        ("1,2", None),
        ("a,b,c", None),
        ("nan,0,3", None),
        ("1,2,inf", None),
        ("1,91,3", None),
        ("1,2,23", None),
        ("541,0,3", None),
    ],
)
def test_a_view_is_a_place_or_none(text: str | None, view: str | None) -> None:
    assert view_of(text) == view
