"""Statistics of cells, beside what numpy makes of each cell's pixels alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import PermanentTaskError
from services.h3.model import Indices, Numbers
from services.h3.statistics import SMALLEST_WEIGHT, Accumulator

_SUMS = ("count", "sum", "mean", "stdev")
_OTHERS = ("min", "max", "median", "p5", "p97.5", "majority", "fractions")
_CELLS = 9


def _result(
    names: tuple[str, ...],
    cell: Any,
    values: Any,
    weights: Any = None,
    *,
    cells: int = _CELLS,
    **limits: Any,
) -> dict[str, Numbers]:
    accumulator = Accumulator(cells, names, **limits)
    accumulator.add(
        np.asarray(cell, np.int64),
        values,
        None if weights is None else np.asarray(weights, np.float64),
    )
    return accumulator.result()


def _pixels(seed: int, count: int = 400) -> tuple[Indices, Numbers, Numbers]:
    """Pixels of all cells but the last two."""
    random = np.random.default_rng(seed)
    cell = random.integers(0, _CELLS - 2, count)
    return cell, random.normal(0, 10, count), random.uniform(0.01, 1, count)


def test_each_cell_has_the_statistics_of_its_own_pixels() -> None:
    cell, values, weights = _pixels(1)

    found = _result((*_SUMS, "min", "max"), cell, values, weights)

    assert list(found) == ["pixel_count", "nodata_count", *_SUMS, "min", "max"]
    for number in range(_CELLS - 2):
        value, weight = values[cell == number], weights[cell == number]
        mean = np.average(value, weights=weight)
        expected = {
            "pixel_count": weight.sum(),
            "nodata_count": 0,
            "count": weight.sum(),
            "sum": (value * weight).sum(),
            "mean": mean,
            "stdev": np.sqrt(np.average((value - mean) ** 2, weights=weight)),
            "min": value.min(),
            "max": value.max(),
        }
        for name, one in expected.items():
            assert found[name][number] == pytest.approx(one, rel=1e-12), name


def test_without_weights_each_pixel_counts_as_one() -> None:
    cell, values, _ = _pixels(2)
    names = (*_SUMS, "min", "max", "median", "p5", "p97.5")

    found = _result(names, cell, values)

    for number in range(_CELLS - 2):
        value = values[cell == number]
        assert found["count"][number] == len(value)
        assert found["stdev"][number] == pytest.approx(value.std(), rel=1e-12)
        for name, percentile in (("median", 50), ("p5", 5), ("p97.5", 97.5)):
            assert found[name][number] == pytest.approx(np.percentile(value, percentile))
    for name, column in _result(names, cell, values, np.ones(len(cell))).items():
        np.testing.assert_array_equal(column, found[name], name)


def test_a_cell_without_valid_pixels_has_no_statistics_but_counts() -> None:
    accumulator = Accumulator(4, (*_SUMS, *_OTHERS))
    accumulator.add(np.array([1, 1]), [3, 3], np.array([0.5, 0.25]))
    accumulator.add_nodata(np.array([2, 1, 2]), np.array([0.5, 0.125, 1.0]))
    accumulator.add_nodata(np.array([2]))

    found = accumulator.result()

    assert found["pixel_count"].tolist() == [0, 0.75, 0, 0]
    assert found["nodata_count"].tolist() == [0, 0.125, 2.5, 0]
    for name, column in found.items():
        if name not in ("pixel_count", "nodata_count"):
            assert np.isnan(column).tolist() == [True, False, True, True], name
    assert found["fraction_3"][1] == 1


def test_nothing_at_all_is_no_error() -> None:
    found = _result((*_SUMS, *_OTHERS), [], [])

    assert not found["pixel_count"].any()
    assert all(np.isnan(found[name]).all() for name in (*_SUMS, "min", "median", "majority"))
    assert not any(name.startswith("fraction_") for name in found)
    assert _result(("mean", "median"), [], [], cells=0)["median"].shape == (0,)


@pytest.mark.parametrize("value", [7.25, -1e12, 0.0, 1e100])
def test_a_cell_of_one_value_has_that_value(value: float) -> None:
    names = ("mean", "min", "max", "median", "p1", "p99")

    found = _result((*names, "stdev"), [0, 1, 1, 1], [value] * 4, [0.3, 0.1, 0.7, 0.2])

    for name in names:
        assert found[name][:2] == pytest.approx([value] * 2, rel=1e-15), name
    assert found["stdev"][:2] == pytest.approx([0, 0], abs=abs(value) * 1e-15)


def test_deviations_survive_values_that_are_large_beside_them() -> None:
    values = 1e12 + np.tile([-1.0, 1.0], 5_000)
    accumulator = Accumulator(1, ("stdev",))

    for part in np.array_split(values, 37):
        accumulator.add(np.zeros(len(part), np.int64), part)

    assert accumulator.result()["stdev"][0] == pytest.approx(1, rel=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    pixels=st.lists(
        st.tuples(
            st.integers(0, _CELLS - 1),
            st.integers(-3, 3).map(float) | st.floats(-1e6, 1e6, allow_subnormal=False),
            st.floats(1e-6, 1) | st.just(1.0),
        ),
        max_size=60,
    ),
    cuts=st.integers(1, 9),
    random=st.randoms(use_true_random=False),
)
def test_what_comes_out_does_not_depend_on_the_batches(
    pixels: list[tuple[int, float, float]], cuts: int, random: Any
) -> None:
    names = (*_SUMS, "min", "max", "median", "p5", "p97.5")
    cell, values, weights = (np.array([each[place] for each in pixels]) for place in range(3))
    whole = _result(names, cell, values, weights)
    order = list(range(len(pixels)))
    random.shuffle(order)

    accumulator = Accumulator(_CELLS, names, most_values=120)
    for part in np.array_split(np.array(order, np.int64), cuts):
        accumulator.add(np.asarray(cell, np.int64)[part], values[part], weights[part])
    found = accumulator.result()

    for name in names:
        if name in _SUMS:
            scale = np.abs(values).max(initial=1.0)
            np.testing.assert_allclose(found[name], whole[name], rtol=1e-12, atol=1e-10 * scale)
        else:
            np.testing.assert_array_equal(found[name], whole[name], name)


def test_a_majority_does_not_depend_on_the_batches() -> None:
    cell, values, weights = _pixels(8)
    classes = np.rint(values / 10)
    whole = _result(("majority",), cell, classes, weights)["majority"]
    accumulator = Accumulator(_CELLS, ("majority",), most_values=60)
    for part in np.array_split(np.random.default_rng(9).permutation(len(cell)), 23):
        accumulator.add(cell[part], classes[part], weights[part])

    np.testing.assert_array_equal(accumulator.result()["majority"], whole)


def test_weights_of_rounding_make_no_extremes_and_no_classes() -> None:
    names = ("sum", "min", "max", "median", "majority", "fractions")
    sliver = SMALLEST_WEIGHT / 2

    found = _result(names, [0, 0, 0], [5, -100, 100], [0.5, sliver, sliver])

    assert [found[name][0] for name in ("min", "max", "median", "majority")] == [5, 5, 5, 5]
    assert [name for name in found if name.startswith("fraction_")] == ["fraction_5"]
    assert found["pixel_count"][0] == pytest.approx(0.5 + 2 * sliver, rel=1e-15)


def test_values_that_are_not_finite_are_refused() -> None:
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match="not finite"):
            _result(("mean",), [0, 1], [1.0, value])


def test_values_that_cannot_be_squared_are_refused() -> None:
    """The least double is what some programs write for nodata, without saying so."""
    with pytest.raises(PermanentTaskError, match="nodata") as raised:
        _result(("mean",), [0, 1], [1.0, -1.7976931348623157e308])

    assert raised.value.error_code == "values_too_large"


class TestClasses:
    def test_the_class_with_the_most_weight_is_the_majority(self) -> None:
        found = _result(("majority",), [0, 0, 0, 1, 1], [3, 8, 3, 8, 3], [0.4, 0.7, 0.4, 0.7, 0.4])

        assert found["majority"][:2].tolist() == [3, 8]

    def test_of_equal_weights_the_smallest_class_is(self) -> None:
        """Tenths do not add up to the same in binary, and still are the same."""
        weights = [0.1, 0.2, 0.3]

        found = _result(("majority",), [0, 0, 0], [9, 9, 4], weights)

        assert weights[0] + weights[1] > weights[2]
        assert found["majority"][0] == 4

    def test_fractions_are_shares_of_the_weight(self) -> None:
        cell, _, weights = _pixels(3)
        values = np.random.default_rng(4).choice([-1, 11, 90], len(cell))

        found = _result(("fractions", "mean"), cell, values, weights)

        names = ["fraction_-1", "fraction_11", "fraction_90"]
        assert list(found)[2:] == [*names, "mean"]
        for number in range(_CELLS - 2):
            for name, value in zip(names, (-1, 11, 90), strict=True):
                of_class = weights[(cell == number) & (values == value)].sum()
                share = of_class / weights[cell == number].sum()
                assert found[name][number] == pytest.approx(share, rel=1e-12)

    def test_a_class_that_a_cell_does_not_have_is_no_zero(self) -> None:
        found = _result(("fractions",), [0, 0, 1], [1, 2, 2], cells=2)

        assert found["fraction_1"][0] == 0.5
        assert np.isnan(found["fraction_1"][1])

    def test_of_small_cells_in_large_pixels_too(self) -> None:
        found = _result(("fractions",), [0, 0], [1, 2], [3e-8, 1e-8])

        assert found["fraction_1"][0] == pytest.approx(0.75, rel=1e-10)

    @pytest.mark.parametrize("names", [("majority",), ("median", "majority")])
    def test_of_measurements_there_is_no_majority(self, names: tuple[str, ...]) -> None:
        with pytest.raises(PermanentTaskError, match="majority") as raised:
            _result(names, [0, 0], [1.0, 2.5])

        assert raised.value.error_code == "majority_needs_classes"

    def test_a_majority_may_be_of_more_classes_than_fractions(self) -> None:
        found = _result(("majority",), np.zeros(301), [*range(300), 7])

        assert found["majority"][0] == 7

    @pytest.mark.parametrize("values", [[1.0, 2.5], list(range(300))])
    def test_measurements_are_no_classes(self, values: list[float]) -> None:
        with pytest.raises(PermanentTaskError) as raised:
            _result(("fractions",), np.zeros(len(values)), values)

        assert raised.value.error_code == "fractions_need_classes"


class TestLimit:
    def test_too_many_values_are_refused_by_name(self) -> None:
        with pytest.raises(
            PermanentTaskError, match=r"median and p5 .* finer resolution"
        ) as raised:
            _result(("mean", "median", "p5"), np.zeros(11), np.arange(11), most_values=10)

        assert raised.value.error_code == "too_many_values"
        assert raised.value.details["statistics"] == ["median", "p5"]

    def test_many_pixels_of_few_values_are_not_too_many(self) -> None:
        accumulator = Accumulator(3, ("majority", "median"), most_values=10)
        random = np.random.default_rng(7)
        cell, values = random.integers(0, 3, 500), random.choice([1, 4, 6], 500)
        for part in np.array_split(np.arange(500), 50):
            accumulator.add(cell[part], values[part])

        found = accumulator.result()

        for number in range(3):
            one = values[cell == number]
            assert found["median"][number] == np.median(one)
            assert found["majority"][number] == np.bincount(one).argmax()

    def test_statistics_that_need_no_values_have_no_limit(self) -> None:
        found = _result(("mean", "max"), np.zeros(50), np.arange(50), most_values=10)

        assert found["mean"][0] == 24.5
