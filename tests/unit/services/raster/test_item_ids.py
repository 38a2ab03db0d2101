"""Ids of many files: unique where that can be, the same at each run, and valid."""

from __future__ import annotations

import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.raster.item_ids import item_ids, shared
from services.raster.validating import item_id_of

VALID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]*")


def ids(*paths: str) -> list[str]:
    return item_ids(paths, item_id_of)


def test_a_file_alone_has_the_id_that_process_raster_gives_it() -> None:
    assert ids("dem/2020/tile_12.tif") == ["tile_12"] == [item_id_of("dem/2020/tile_12.tif")]


def test_files_of_one_name_are_told_apart_by_their_folders() -> None:
    assert ids("n00/dem.tif", "n10/dem.tif", "n10/slope.tif") == ["n00_dem", "n10_dem", "slope"]


def test_as_many_folders_are_taken_as_it_needs() -> None:
    assert ids("a/x/dem.tif", "b/x/dem.tif", "b/y/dem.tif") == ["a_x_dem", "b_x_dem", "y_dem"]


def test_a_file_at_the_top_keeps_its_name() -> None:
    assert ids("dem.tif", "n10/dem.tif") == ["dem", "n10_dem"]


def test_an_id_that_grew_into_anothers_grows_on() -> None:
    found = ids("q/a_x.tif", "a/x.tif", "b/x.tif")
    assert len(set(found)) == 3


def test_files_that_differ_in_their_ending_share_an_id_and_are_found() -> None:
    found = ids("a/dem.tif", "a/dem.img", "b/other.tif")
    assert found == ["dem", "dem", "other"]
    assert shared(found) == {1: 0}


def test_deep_folders_do_not_make_an_id_too_long() -> None:
    deep = "/".join(["very_long_folder_name"] * 12)
    found = ids(f"one/{deep}/dem.tif", f"two/{deep}/dem.tif")
    assert len(set(found)) == 2
    assert all(len(each) <= 128 for each in found)


NAMES = st.text("ab._ -/é", min_size=1, max_size=12).map(lambda text: f"{text.strip('/')}.tif")


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=12, unique=True))
def test_all_ids_are_valid_and_only_those_that_are_shared_repeat(paths: list[str]) -> None:
    found = ids(*paths)
    assert all(VALID.fullmatch(each) and len(each) <= 128 for each in found)
    repeated = shared(found)
    kept = [each for place, each in enumerate(found) if place not in repeated]
    assert len(set(kept)) == len(kept)
    assert {found[place] for place in repeated} <= set(kept)
