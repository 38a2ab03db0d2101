"""Weighted quantiles of the cells' values.

The definition is that of exactextract (https://github.com/isciences/exactextract, class
WeightedQuantiles), which takes it from https://stats.stackexchange.com/a/13223: of n values in
ascending order x_1 ... x_n with weights w_k, each stands at

    s_k = (k - 1) * w_k + (n - 1) * (w_1 + ... + w_{k-1}),

and the quantile q is what linear interpolation gives at q * s_n. Of equal weights it is what
numpy calls "linear".

Every pixel is a value here; those of one value share their weight evenly. exactextract first
joins the pixels of one value to a single value with all their weight: by that, the median of 99
zeros and a one is 0.5. Where all values of a cell are different, both say the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.h3.model import Indices, Numbers
from services.h3.tally import Groups, in_pixels


def weighted(groups: Groups, quantiles: Sequence[float]) -> list[Numbers]:
    """Quantiles of each cell's values.

    Args:
        groups: the values of some cells.
        quantiles: from 0 to 1.

    Returns:
        For each quantile, a number for each cell that is in the groups.
    """
    starts = groups.starts
    ends = np.append(starts[1:], len(groups.cell)) - 1
    sizes = ends - starts + 1
    total = _before(groups.pixels, starts, sizes)[ends] + groups.pixels[ends]
    others = np.repeat(total - 1, sizes)
    before = _before(groups.pixels, starts, sizes)
    lighter = in_pixels(_before(groups.coarse, starts, sizes), _before(groups.fine, starts, sizes))
    weight = groups.weight
    share = weight / groups.pixels
    # Where the first and the last pixel of each group stand.
    first = before * share + others * lighter
    last = (before + groups.pixels - 1) * share + others * (lighter + weight - share)
    whole = (lighter + weight)[ends] * (total - 1)
    found = []
    for quantile in quantiles:
        position = quantile * whole
        reached = first <= np.repeat(position, sizes)
        at = starts + np.add.reduceat(reached, starts, dtype=np.int64) - 1
        following = np.minimum(at + 1, ends)
        gap = first[following] - last[at]
        beyond = position - last[at]
        low, high = groups.value[at], groups.value[following]
        between = (beyond > 0.0) & (following > at)
        part = np.divide(beyond, gap, out=np.zeros_like(gap), where=between)
        found.append(low + part * (high - low))
    return found


def _before(amounts: Indices, starts: Indices, sizes: Indices) -> Indices:
    """The sum of all amounts of the cell's groups before each group."""
    sums = np.cumsum(amounts) - amounts
    return sums - np.repeat(sums[starts], sizes)
