"""Prove that a COG holds what its source does: pixel by pixel, and what is said of them.

Source and COG are read window by window, each by a thread of its own while the window before is
compared, so that the memory does not grow with the raster. The statistics of all valid pixels
fall out of it, and are written into the COG's header.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader
from rasterio.warp import transform as transform_points
from rasterio.windows import Window
from rio_cogeo.cogeo import cog_validate

from core.errors import PermanentTaskError
from services.raster.child import header_statistics
from services.raster.child.comparisons import Comparison, comparison
from services.raster.child.moments import BandMoments
from services.raster.child.wrapping import wrapped
from services.raster.model import BandStatistics, CogPlan, Verification

# Of the child's memory. A window is held twice, as source and as COG, and so is the next.
_CACHE_SHARE = 4
_WINDOW_SHARE = 16
# Values that are compared at a time.
_RUN = 1 << 18

# Complex values: none of them is the smallest.
_NO_ORDER = BandStatistics(
    minimum=None,
    maximum=None,
    mean=None,
    stdev=None,
    percentiles=None,
    valid_share=0.0,
    distinct=0,
)

Pixels = NDArray[Any]
Number = Any  # a float, or an array of them


def verify(source: str, target: str, plan: dict[str, Any], memory_mb: int) -> dict[str, Any]:
    """Compare the COG `target` with `source` as `plan` has it; return a `Verification`.

    `target` was made with places for statistics, which are filled: ValueError where it has none.
    Raises `PermanentTaskError` with the code `verification_failed` and what differs first.
    """
    began = time.monotonic()
    cog_plan = CogPlan.model_validate(plan)
    environment = rasterio.Env(
        GDAL_CACHEMAX=(memory_mb << 20) // _CACHE_SHARE, GDAL_NUM_THREADS="ALL_CPUS"
    )
    with environment, wrapped(source, cog_plan) as expected:
        with rasterio.open(target, driver="GTiff") as cog:
            for difference in _differences(expected, cog):
                raise _failed(difference)
            outcome, moments = _compare(expected, cog, cog_plan, (memory_mb << 20) // _WINDOW_SHARE)
        # Strictly, a long raster is asked for overviews, which a single column cannot have.
        valid, errors, warnings = cog_validate(target, strict=expected.width > 1, quiet=True)
        bands = expected.count
    if not valid:
        raise _failed(f"it is no valid COG: {'; '.join(errors)}")
    known = [each.statistics() for each in moments]
    header_statistics.fill(target, known or [_NO_ORDER] * bands)
    return Verification(
        valid_cog=valid,
        errors=tuple(errors),
        warnings=tuple(warnings),
        compared=outcome.compared,
        exact=cog_plan.lossless,
        largest_difference=outcome.largest,
        mean_difference=outcome.mean,
        bound=outcome.bound,
        seconds=time.monotonic() - began,
    ).model_dump(mode="json")


def _failed(difference: str) -> PermanentTaskError:
    return PermanentTaskError(
        f"The COG is not what its source is: {difference}", code="verification_failed"
    )


def _compare(
    expected: DatasetReader, cog: DatasetReader, plan: CogPlan, window_bytes: int
) -> tuple[Comparison, list[BandMoments]]:
    """Compare all pixels, and take the moments of the COG's valid ones."""
    outcome = comparison(plan)
    moments = [BandMoments() for _ in cog.indexes if not cog.dtypes[0].startswith("complex")]
    masked = _mask_of(expected) in (MaskFlags.per_dataset, MaskFlags.alpha)
    alpha = _alpha(cog)
    windows = list(tile_windows(cog, window_bytes))
    with ThreadPoolExecutor(2) as readers:
        # Each dataset is read by one thread at a time: the next window once this one is there.
        pending = [readers.submit(_read, each, windows[0], masked) for each in (expected, cog)]
        for number, window in enumerate(windows):
            (wanted, wanted_mask), (found, found_mask) = (each.result() for each in pending)
            if number + 1 < len(windows):
                pending = [
                    readers.submit(_read, each, windows[number + 1], masked)
                    for each in (expected, cog)
                ]
            for run, part in _runs(window, cog.count):
                shown, kept = _part(wanted_mask, run), _part(found_mask, run)
                difference = _mask_difference(shown, kept, part)
                difference = difference or outcome.add(wanted[:, run], found[:, run], shown, part)
                if difference:
                    raise _failed(difference)
                for band, each in enumerate(moments):
                    valid = None if alpha[band] else kept
                    each.add(found[band, run], valid, cog.nodatavals[band])
    difference = outcome.verdict()
    if difference:
        raise _failed(difference)
    return outcome, moments


def _read(
    dataset: DatasetReader, window: Window, masked: bool
) -> tuple[Pixels, NDArray[np.uint8] | None]:
    """The pixels (band, row, column) of a window, and the mask of the dataset where it has one."""
    mask = dataset.read_masks(1, window=window) if masked else None
    return dataset.read(window=window), mask


def tile_windows(cog: DatasetReader, window_bytes: int) -> Iterator[Window]:
    """Windows of whole tiles, as wide as may be, that take at most so many bytes or one tile."""
    rows, columns = cog.block_shapes[0]
    pixel = sum(np.dtype(_numpy_name(dtype)).itemsize for dtype in cog.dtypes)
    tile = rows * columns * pixel
    across = max(1, min(math.ceil(cog.width / columns), window_bytes // tile))
    down = max(1, window_bytes // (tile * across)) if across * columns >= cog.width else 1
    for top in range(0, cog.height, down * rows):
        for left in range(0, cog.width, across * columns):
            yield Window(
                left,
                top,
                min(across * columns, cog.width - left),
                min(down * rows, cog.height - top),
            )


def _runs(window: Window, bands: int) -> Iterator[tuple[slice, Window]]:
    """Rows of a window, and the window that they are: so few that the arrays of a comparison stay
    in the processor's cache."""
    rows = max(1, _RUN // (window.width * bands))
    for top in range(0, window.height, rows):
        count = min(rows, window.height - top)
        part = Window(window.col_off, window.row_off + top, window.width, count)
        yield slice(top, top + count), part


def _part(mask: NDArray[np.uint8] | None, rows: slice) -> NDArray[np.uint8] | None:
    return None if mask is None else mask[rows]


def _numpy_name(dtype: str) -> str:
    return "complex64" if dtype == "complex_int16" else dtype


def _mask_of(dataset: DatasetReader) -> MaskFlags | None:
    """Where the validity of the pixels comes from: a mask, an alpha band, a value or nothing."""
    flags = dataset.mask_flag_enums[0]
    for each in (MaskFlags.alpha, MaskFlags.per_dataset, MaskFlags.nodata):
        if each in flags:
            return each
    return None


def _mask_difference(
    wanted: NDArray[np.uint8] | None, found: NDArray[np.uint8] | None, window: Window
) -> str | None:
    if wanted is None or found is None:
        return None
    differs = (wanted != 0) != (found != 0)
    if not differs.any():
        return None
    row, column = np.unravel_index(int(differs.argmax()), differs.shape)
    return (
        f"the mask differs at column {window.col_off + int(column)}, "
        f"row {window.row_off + int(row)}"
    )


def _differences(expected: DatasetReader, cog: DatasetReader) -> Iterator[str]:
    """What differs of all that is said of the pixels."""
    pairs = {
        "size": ((expected.width, expected.height), (cog.width, cog.height)),
        "types of the bands": (expected.dtypes, cog.dtypes),
        # As texts, in which NaN is the same as NaN.
        "values without data": (_texts(expected.nodatavals), _texts(cog.nodatavals)),
        "descriptions of the bands": (expected.descriptions, cog.descriptions),
        "units": (_texts(expected.units), _texts(cog.units)),
        "scales": (expected.scales, cog.scales),
        "offsets": (expected.offsets, cog.offsets),
        "alpha bands": (_alpha(expected), _alpha(cog)),
        "palettes": (_palettes(expected), _palettes(cog)),
        "mask": (_mask_of(expected), _mask_of(cog)),
        "pixels being points or areas": (_point(expected), _point(cog)),
    }
    for name, (wanted, found) in pairs.items():
        if wanted != found:
            yield f"{name}: {_shown(wanted)} became {_shown(found)}"
            return
    if not _same_grid(expected, cog):
        yield f"transform: {tuple(expected.transform)[:6]} became {tuple(cog.transform)[:6]}"
    if not _same_place(expected, cog):
        yield f"CRS: {expected.crs} became {cog.crs}"


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 300 else f"{text[:300]} ..."


def _texts(values: tuple[object, ...]) -> tuple[str, ...]:
    return tuple("" if value is None else str(value) for value in values)


def _alpha(dataset: DatasetReader) -> tuple[bool, ...]:
    return tuple(colour is ColorInterp.alpha for colour in dataset.colorinterp)


def _palettes(dataset: DatasetReader) -> list[list[tuple[int, ...]] | None]:
    """Red, green and blue of each entry: the palette of a TIFF knows no transparency, and GDAL
    makes the one without data transparent as it reads."""
    return [
        [rgba[:3] for rgba in dataset.colormap(band).values()]
        if colour is ColorInterp.palette
        else None
        for band, colour in zip(dataset.indexes, dataset.colorinterp, strict=True)
    ]


def _point(dataset: DatasetReader) -> bool:
    return bool(dataset.tags().get("AREA_OR_POINT", "Area").lower() == "point")


def _same_grid(expected: DatasetReader, cog: DatasetReader) -> bool:
    """Whether every pixel is where it was, to a millionth of a pixel."""
    corners = [(0, 0), (expected.width, 0), (0, expected.height)]
    back = ~expected.transform
    return all(
        math.dist(_at(back, *_at(cog.transform, *corner)), corner) <= 1e-6 for corner in corners
    )


def _at(transform: Affine, x: Number, y: Number) -> tuple[Number, Number]:
    """Where a transform takes a point: by its numbers, as affine 2 and 3 differ in the operator."""
    a, b, c, d, e, f = transform[:6]
    return a * x + b * y + c, d * x + e * y + f


def _same_place(expected: DatasetReader, cog: DatasetReader) -> bool:
    """Whether both CRSs put the raster in the same place.

    GeoTIFF says a CRS in other words than WKT does, so that the texts may differ.
    """
    if expected.crs == cog.crs:
        return True
    if expected.crs is None or cog.crs is None:
        return False
    columns, rows = np.meshgrid(
        np.linspace(0, expected.width, 5), np.linspace(0, expected.height, 5)
    )
    x, y = _at(expected.transform, columns.ravel(), rows.ravel())
    ways = [np.array(transform_points(crs, "EPSG:4326", x, y)[:2]) for crs in
            (expected.crs, cog.crs)]  # fmt: skip
    known = np.isfinite(ways[0])
    same = np.abs(ways[0][known] - ways[1][known]) < 1e-9
    return bool(known.any() and same.all())
