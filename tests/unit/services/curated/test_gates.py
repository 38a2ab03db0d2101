"""Gates: what lets a version pass, at the limits and beyond them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models.curated import Drift, Gates
from services.curated.gates import Figures, Verdict, judge, uncommon_share
from services.curated.mapping import UNMAPPED

COLUMNS = {"site_id": "bigint", "name": "text"}
SAME = Figures(
    read=100,
    faulty=0,
    rows=100,
    bbox=(0, 0, 10, 10),
    columns=COLUMNS,
    published_rows=100,
    published_bbox=(0, 0, 10, 10),
    published_columns=COLUMNS,
)
FIRST = Figures(read=100, faulty=0, rows=100, bbox=(0, 0, 10, 10), columns=COLUMNS)


def verdict(gate: str, figures: Figures, **limits: Any) -> Verdict:
    found = {each.gate: each for each in judge(Gates(**limits), figures)}
    return found[gate]


def test_a_version_like_the_published_one_passes_all_gates() -> None:
    found = judge(Gates(), SAME)
    assert [each.gate for each in found] == [
        "min_rows",
        "row_count_change_pct",
        "extent_change_pct",
        "invalid_pct",
        "schema_drift",
    ]
    assert all(each.passed for each in found)
    assert all(each.message.endswith(".") for each in found)


def test_a_first_version_has_nothing_to_be_held_against() -> None:
    found = {each.gate: each for each in judge(Gates(), FIRST)}
    assert all(each.passed for each in found.values())
    assert found["row_count_change_pct"].found is None
    assert found["extent_change_pct"].found is None
    assert not judge(Gates(), replace(FIRST, rows=0))[0].passed


@pytest.mark.parametrize(
    ("rows", "minimum", "passes"), [(1, 1, True), (0, 1, False), (0, 0, True), (99, 100, False)]
)
def test_min_rows(rows: int, minimum: int, passes: bool) -> None:
    found = verdict("min_rows", replace(SAME, rows=rows), min_rows=minimum)
    assert (found.passed, found.found, found.limit) == (passes, rows, minimum)


@pytest.mark.parametrize(
    ("rows", "limit", "passes", "found"),
    [
        (120, 20.0, True, 20.0),
        (121, 20.0, False, 21.0),
        (80, 20.0, True, 20.0),
        (79, 20.0, False, 21.0),
        (100, 0.0, True, 0.0),
        (101, 0.0, False, 1.0),
        (0, 20.0, False, 100.0),
        (1000, None, True, 900.0),
    ],
)
def test_row_count_change(rows: int, limit: float | None, passes: bool, found: float) -> None:
    got = verdict("row_count_change_pct", replace(SAME, rows=rows), row_count_change_pct=limit)
    assert (got.passed, got.found, got.limit) == (passes, found, limit)


def test_an_empty_published_table_says_nothing_of_the_number_of_rows() -> None:
    got = verdict("row_count_change_pct", replace(SAME, published_rows=0, published_bbox=None))
    assert (got.passed, got.found) == (True, None)


@pytest.mark.parametrize(
    ("bbox", "limit", "passes", "found"),
    [
        ((0, 0, 10, 10), 0.0, True, 0.0),
        ((0, 0, 7.5, 10), 25.0, True, 25.0),
        ((0, 0, 7.4, 10), 25.0, False, 26.0),
        ((20, 20, 30, 30), 100.0, True, 100.0),
        ((20, 20, 30, 30), 99.0, False, 100.0),
        (None, 25.0, False, 100.0),
        (None, None, True, 100.0),
    ],
)
def test_extent_change(bbox: Any, limit: float | None, passes: bool, found: float) -> None:
    got = verdict("extent_change_pct", replace(SAME, bbox=bbox), extent_change_pct=limit)
    assert (got.passed, got.found, got.limit) == (passes, found, limit)


@pytest.mark.parametrize(
    ("read", "quarantined", "limit", "passes", "found"),
    [
        (100, 5, 5.0, True, 5.0),
        (100, 6, 5.0, False, 6.0),
        (0, 0, 0.0, True, 0.0),
        (3, 1, 5.0, False, 33.333),
        (3, 3, None, True, 100.0),
    ],
)
def test_invalid(
    read: int, quarantined: int, limit: float | None, passes: bool, found: float
) -> None:
    figures = replace(SAME, read=read, faulty=quarantined)
    got = verdict("invalid_pct", figures, invalid_pct=limit)
    assert (got.passed, got.found, got.limit) == (passes, found, limit)


@pytest.mark.parametrize(
    ("read", "quarantined", "passes", "found"),
    [
        (3, 1, True, 1.0),
        (3, 3, False, 100.0),  # as of a source that has changed
        (1, 1, False, 100.0),
        (6, 5, True, 5.0),
        (7, 6, False, 6.0),
        (99, 6, False, 6.0),
        (100, 5, True, 5.0),
        (100, 6, False, 6.0),
        (1000, 50, True, 5.0),
        (1000, 51, False, 5.1),
        (0, 0, True, 0.0),
    ],
)
def test_a_small_increment_is_judged_by_a_hundred_records(
    read: int, quarantined: int, passes: bool, found: float
) -> None:
    # However many rows it comes to.
    figures = replace(SAME, rows=10**6, read=read, faulty=quarantined, is_increment=True)
    got = verdict("invalid_pct", figures, invalid_pct=5.0)
    assert (got.passed, got.found) == (passes, found)
    assert ("of the 100 that" in got.message) is (0 < quarantined < read < 100)
    assert got.message.endswith("in quarantine. The limit is 5%.")


DRIFTED = {"site_id": "text", "desig": "text"}


@pytest.mark.parametrize(
    ("refused", "passes"),
    [
        ((Drift.MISSING, Drift.RETYPED), False),
        ((Drift.NEW,), False),
        ((Drift.RETYPED,), False),
        ((), True),
    ],
)
def test_schema_drift(refused: tuple[Drift, ...], passes: bool) -> None:
    got = verdict("schema_drift", replace(SAME, columns=DRIFTED), refused_drift=refused)
    assert got.passed is passes
    assert got.found == {
        "missing": {"name": "text"},
        "new": {"desig": "text"},
        "retyped": {"site_id": "bigint -> text"},
    }


def test_a_new_column_passes_unless_it_is_refused() -> None:
    figures = replace(SAME, columns={**COLUMNS, "desig": "text"})
    assert verdict("schema_drift", figures).passed
    assert "desig" in verdict("schema_drift", figures).message


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        ((0, 0, 10, 10), (5, 0, 15, 10), 2 / 3),
        ((0, 0, 10, 0), (0, 0, 5, 0), 0.5),  # along a line
        ((3, 3, 3, 3), (3, 3, 3, 3), 0.0),  # a single point
        ((3, 3, 3, 3), (4, 4, 4, 4), 1.0),
        ((0, 0, 10, 10), (5, 5, 5, 5), 1.0),
        ((170, 0, -170, 10), (170, 0, -170, 10), 0.0),  # across the antimeridian
        ((170, 0, -170, 10), (170, 0, 180, 10), 0.5),
    ],
)
def test_uncommon_share(one: Any, other: Any, share: float) -> None:
    assert uncommon_share(one, other) == pytest.approx(share)
    assert uncommon_share(other, one) == pytest.approx(share)


_LON, _LAT = st.integers(-180, 180), st.integers(-90, 90)


@given(_LON, _LAT, _LON, _LAT, _LON, _LAT, _LON, _LAT)
def test_the_share_is_one_between_nothing_and_all(
    w1: int, s1: int, e1: int, n1: int, w2: int, s2: int, e2: int, n2: int
) -> None:
    one = (w1, min(s1, n1), e1, max(s1, n1))
    other = (w2, min(s2, n2), e2, max(s2, n2))
    share = uncommon_share(one, other)
    assert 0 <= share <= 1
    assert share == pytest.approx(uncommon_share(other, one))
    assert uncommon_share(one, one) == 0


def test_of_attributes_that_no_column_takes_only_new_ones_are_told() -> None:
    """A release that leaves out, or writes in another way, what nobody reads is as good as ever."""
    figures = replace(
        SAME,
        columns={"name": "text", f"{UNMAPPED}shape_leng": "double precision"},
        published_columns={
            "name": "text",
            f"{UNMAPPED}shape_leng": "bigint",
            f"{UNMAPPED}objectid": "bigint",
        },
    )
    assert not any(figures.drift.values())
    newer = replace(figures, columns={**figures.columns, f"{UNMAPPED}gov_note": "text"})
    assert newer.drift[Drift.NEW] == {f"{UNMAPPED}gov_note": "text"}
    assert verdict("schema_drift", newer).passed
