"""The figures of an inference say what its answers are, and whether its word holds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.inference_figures import (
    BINS,
    Answer,
    brier,
    calibration_error,
    confusion,
    reliability,
    shares,
    text,
)

DEM = Answer("a.tif", "dem", frozenset(), said="dem", confidence=0.96, likelihood=0.96)
WRONG = Answer("b.tif", "rgb", frozenset(), said="nir", confidence=0.6, likelihood=0.3)
ACCEPTED = Answer("c.tif", "nir", frozenset({"rgb"}), said="rgb", confidence=0.6, likelihood=0.4)
REFUSED = Answer("d.tif", "dem", frozenset({"unknown"}), said=None, refusal="no_crs: It has none.")
ALL = [DEM, WRONG, ACCEPTED, REFUSED]


def test_a_label_may_accept_more_than_the_one_right_type() -> None:
    assert shares(ALL) == (0.25, 0.5)
    with pytest.raises(ValueError, match="no answers"):
        shares([])


def test_a_refusal_is_not_right_and_not_sure() -> None:
    assert (REFUSED.right, REFUSED.acceptable) == (False, False)
    assert sum(each.count for each in reliability(ALL)) == 3
    assert confusion(ALL)["dem", None] == 1


def test_answers_are_put_with_those_that_were_as_sure() -> None:
    low, high = reliability(ALL)
    assert (low.low, low.high, low.count, low.right, low.acceptable) == (0.5, 0.7, 2, 0.0, 0.5)
    assert (high.low, high.high, high.count, high.right) == (0.95, 0.99, 1, 1.0)


@pytest.mark.parametrize(("sure", "error"), [(0.8, 0.0), (1.0, 0.2), (0.6, 0.2)])
def test_a_word_that_holds_has_no_error(sure: float, error: float) -> None:
    eight_of_ten = [replace(DEM, confidence=sure)] * 8 + [replace(WRONG, confidence=sure)] * 2
    bins = reliability(eight_of_ten)
    assert calibration_error(bins, lambda each: each.right) == pytest.approx(error)


def test_the_brier_score_is_the_mean_square_of_what_was_missed() -> None:
    score = brier([DEM, WRONG, REFUSED], lambda each: each.right)
    assert score == pytest.approx((0.04**2 + 0.6**2) / 2)


@given(st.lists(st.floats(min_value=1e-6, max_value=1.0), min_size=1, max_size=50))
def test_every_answer_is_in_one_bin_that_its_confidence_fits(confidences: list[float]) -> None:
    bins = reliability([replace(DEM, confidence=each) for each in confidences])
    assert sum(each.count for each in bins) == len(confidences)
    assert all(each.high in BINS and each.low < each.high for each in bins)
    assert all(each.low < each.confidence <= each.high + 1e-9 for each in bins)


def test_the_text_has_a_row_for_each_type_expected_and_names_what_is_not_right() -> None:
    said = text(ALL)
    assert "4 rasters: 25.0% right (strictly), 50.0% acceptable; 1 refused" in said
    table = said.split("\n\n")[2].splitlines()
    assert table[0].split() == ["expected", "dem", "nir", "rgb", "refused"]
    assert [line.split() for line in table[1:]] == [
        ["dem", "1", ".", ".", "1"],
        ["nir", ".", ".", "1", "."],
        ["rgb", ".", "1", ".", "."],
    ]
    errors = said.split("\n\n")[-1]
    assert errors.startswith("Not right: 3")
    assert "wrong    b.tif: nir (0.60), not rgb (0.30)" in errors
    assert "accepted c.tif: rgb (0.60), not nir (0.40)" in errors
    assert "refused  d.tif: no_crs: It has none." in errors


def test_the_text_of_data_held_out_names_no_raster() -> None:
    said = text(ALL, with_errors=False)
    assert not any(answer.path in said for answer in ALL)


def test_the_text_where_all_were_refused_claims_no_reliability() -> None:
    assert "Nothing was said of any raster." in text([REFUSED])
