"""Which maps and tiles a job is asked for."""

from __future__ import annotations

import shapely

from services.fathom.names import FathomMap
from services.fathom.parameters import FathomSelection
from services.fathom.selecting import Selection, selection
from services.fathom.tiles import Tile
from services.h3.areas import Area

TILE = Tile.of("n04w006")
TODAY = FathomMap(flood_type="fluvial", defence="defended", year=2020)
FUTURE = FathomMap(flood_type="coastal", defence="undefended", year=2050, ssp="ssp2_4.5")


def test_all_is_taken_where_nothing_is_named() -> None:
    assert selection(FathomSelection()).takes(TODAY, TILE)
    assert selection(FathomSelection()).takes(FUTURE, TILE)


def test_each_name_narrows() -> None:
    for parameters in (
        FathomSelection(flood_types=["coastal", "pluvial"]),
        FathomSelection(defences=["undefended"]),
        FathomSelection(years=[2030, 2050]),
    ):
        chosen = selection(parameters)
        assert chosen.takes(FUTURE, TILE)
        assert not chosen.takes(TODAY, TILE)


def test_a_scenario_does_not_leave_out_the_maps_of_today() -> None:
    chosen = selection(FathomSelection(ssps=["ssp5_8.5"]))
    assert chosen.takes(TODAY, TILE)
    assert not chosen.takes(FUTURE, TILE)


def test_a_box_takes_what_has_more_than_an_edge_in_it() -> None:
    chosen = selection(FathomSelection(bbox=(-6, 4, -5, 5)))
    taken = [
        tile.name
        for tile in (Tile(s, w) for s in (3, 4, 5) for w in (-7, -6, -5))
        if chosen.takes(TODAY, tile)
    ]
    assert taken == ["n04w006"]


def test_a_box_may_cross_the_antimeridian() -> None:
    chosen = selection(FathomSelection(bbox=(179.5, -1, -179.5, 0)))
    for name, expected in {
        "s01e179": True,
        "s01w180": True,
        "s01e178": False,
        "s01e000": False,
    }.items():
        assert chosen.takes(TODAY, Tile.of(name)) is expected


def test_a_country_takes_the_tiles_that_it_reaches_into() -> None:
    # A corner of one tile is cut off: the box around the country would take it.
    country = Area(shapely.Polygon([(28.2, -2.8), (29.8, -2.8), (28.2, -1.2)]))
    chosen = Selection(FathomSelection(), (country,))
    taken = {
        tile.name
        for tile in (Tile(s, w) for s in (-3, -2) for w in (28, 29))
        if chosen.takes(TODAY, tile)
    }
    assert taken == {"s03e028", "s03e029", "s02e028"}


def test_box_and_country_are_both_asked_for() -> None:
    country = Area(shapely.box(28, -3, 30, -1))
    chosen = Selection(FathomSelection(), (country, Area(shapely.box(29, -5, 35, -2))))
    assert chosen.takes(TODAY, Tile.of("s03e029"))
    assert not chosen.takes(TODAY, Tile.of("s03e028"))
    assert not chosen.takes(TODAY, Tile.of("s05e031"))
