"""Weighted quantiles by their definition, beside numpy's and exactextract's."""

from __future__ import annotations

import numpy as np
import pytest
from exactextract import exact_extract
from exactextract.feature import JSONFeatureSource
from exactextract.raster import NumPyRasterSource

from services.h3.model import Numbers
from services.h3.statistics import Accumulator


def _quantile(quantile: float, values: Numbers, weights: Numbers | None = None) -> float:
    name = f"p{quantile * 100:g}"
    accumulator = Accumulator(1, (name,))
    accumulator.add(np.zeros(len(values), np.int64), values, weights)
    return float(accumulator.result()[name][0])


def _defined(quantile: float, values: Numbers, weights: Numbers) -> float:
    """As the definition has it, with nothing but loops. All values are different."""
    order = np.argsort(values)
    values, weights = values[order], weights[order]
    n = len(values)
    stands = [k * weights[k] + (n - 1) * weights[:k].sum() for k in range(n)]
    return float(np.interp(quantile * stands[-1], stands, values))


@pytest.mark.parametrize("quantile", [0.0, 0.01, 0.25, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("count", [1, 2, 3, 10, 101])
def test_of_different_values_it_is_as_defined(quantile: float, count: int) -> None:
    random = np.random.default_rng(count)
    # Half of them fit into 32 bits, and take another way.
    for values in (random.normal(size=count), random.permutation(count) / 4):
        weights = random.uniform(0.001, 1, count)

        found = _quantile(quantile, values, weights)

        assert found == pytest.approx(_defined(quantile, values, weights), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("quantile", [0.0, 0.1, 0.33, 0.5, 0.75, 0.99])
@pytest.mark.parametrize("distinct", [1, 2, 3, 50])
def test_of_equal_weights_it_is_numpys(quantile: float, distinct: int) -> None:
    random = np.random.default_rng(distinct)
    for count in (1, 2, 7, 100):
        values = random.integers(-distinct, distinct, count).astype(float)

        expected = np.quantile(values, quantile, method="linear")

        assert _quantile(quantile, values) == pytest.approx(expected, abs=1e-9)
        assert _quantile(quantile, values, np.full(count, 0.3)) == pytest.approx(expected, abs=1e-9)


def test_pixels_of_one_value_share_their_weight_evenly() -> None:
    values = np.array([1.0, 1.0, 2.0])

    apart = _quantile(0.6, values, np.array([0.1, 0.5, 0.4]))

    assert apart == pytest.approx(_quantile(0.6, values, np.array([0.3, 0.3, 0.4])), rel=1e-15)


def test_the_median_of_many_zeros_and_a_one_is_zero() -> None:
    assert _quantile(0.5, np.array([0.0] * 99 + [1.0])) == 0


def test_where_all_values_differ_it_is_exactextracts() -> None:
    values = np.random.default_rng(8).permutation(100).reshape(10, 10) * 1.5 - 40
    # Columns of the raster in part: 0.3 of the first, 0.6 of the last.
    outline = [[0.7, 0], [9.6, 0], [9.6, 10], [0.7, 10], [0.7, 0]]
    raster = NumPyRasterSource(values, xmin=0, ymin=0, xmax=10, ymax=10)
    square = {
        "type": "Feature",
        "properties": {},
        "geometry": {"type": "Polygon", "coordinates": [outline]},
    }
    weights = np.ones((10, 10))
    weights[:, 0], weights[:, 9] = 0.3, 0.6
    for quantile in (0.05, 0.5, 0.83):
        [found] = exact_extract(raster, JSONFeatureSource([square]), [f"quantile(q={quantile})"])
        [theirs] = found["properties"].values()

        # Their shares are float32.
        assert _quantile(quantile, values.ravel(), weights.ravel()) == pytest.approx(
            theirs, abs=1e-4
        )
