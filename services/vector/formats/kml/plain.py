"""Geometries without a flaw, all those of a batch at once.

Nearly all placemarks have a point, a line, a polygon or several of these, with coordinates
written as they should be. The texts of a whole batch are read in one go by Arrow's CSV reader,
which takes a twentieth of the time that Python needs for as many numbers.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import shapely
from pyarrow import csv

from services.vector.batch import Geometries

_NAMES: Final = ["x", "y", "z"]
_MIN_POSITIONS: Final = {"LineString": 2, "Polygon": 4}
_Mask = npt.NDArray[np.bool_]
_Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Plain:
    """A geometry whose coordinates are still texts.

    `kind` is Point, LineString or Polygon; `texts` are those of its points, lines or rings.
    `rings` says how many texts each polygon has, and is one for points and lines.
    """

    kind: str
    texts: list[str]
    rings: list[int]

    @property
    def type(self) -> str:
        return self.kind if len(self.rings) == 1 else f"Multi{self.kind}"


def build_plain(plains: Sequence[Plain]) -> tuple[Geometries, _Mask]:
    """The geometries, and which of them are flawless; of the others nothing is built."""
    geometries: Geometries = np.full(len(plains), None, dtype=object)
    flawless = np.zeros(len(plains), dtype=bool)
    groups: dict[tuple[str, int], list[int]] = {}
    for position, plain in enumerate(plains):
        ordinates = plain.texts[0].lstrip()[:200].split(None, 1)[:1]
        size = ordinates[0].count(",") + 1 if ordinates else 0
        if size in (2, 3):
            groups.setdefault((plain.type, size), []).append(position)
    for (_, size), positions in groups.items():
        built, good = _build_alike([plains[at] for at in positions], size)
        where = np.asarray(positions)
        geometries[where[good]] = built
        flawless[where] = good
    return geometries, flawless


def _build_alike(plains: list[Plain], size: int) -> tuple[Geometries, _Mask]:
    """Build those of one type and tuple size."""
    tokens = [[text.split() for text in plain.texts] for plain in plains]
    good = np.ones(len(plains), dtype=bool)
    numbers = _numbers(list(chain.from_iterable(chain.from_iterable(tokens))), size)
    if numbers is None:
        good[:] = [_is_regular(parts, size) for parts in tokens]
        tokens = [parts for parts, fits in zip(tokens, good.tolist(), strict=True) if fits]
        numbers = _numbers(list(chain.from_iterable(chain.from_iterable(tokens))), size)
        if numbers is None:
            return np.empty(0, dtype=object), np.zeros(len(plains), dtype=bool)
    chosen = [plain for plain, fits in zip(plains, good.tolist(), strict=True) if fits]
    if not chosen:
        return np.empty(0, dtype=object), good
    lengths = np.array([len(part) for parts in tokens for part in parts])
    texts = np.array([len(plain.texts) for plain in chosen])
    kind = chosen[0].kind
    fits = _fits(kind, numbers, lengths)
    whole = np.logical_and.reduceat(fits, np.cumsum(texts) - texts)
    if not whole.all():
        numbers = numbers[np.repeat(np.repeat(whole, texts), lengths)]
        lengths = lengths[np.repeat(whole, texts)]
        chosen = [plain for plain, fit in zip(chosen, whole.tolist(), strict=True) if fit]
        good[good] = whole
    return _construct(chosen, numbers, lengths), good


def _numbers(tokens: list[str], size: int) -> _Numbers | None:
    """The tuples as an array; None where one of them is something else."""
    if not tokens:
        return None
    data = "\n".join(tokens).encode()
    names = _NAMES[:size]
    try:
        table = csv.read_csv(
            io.BytesIO(data),
            csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=names),
            csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
            csv.ConvertOptions(column_types=dict.fromkeys(names, pa.float64()), null_values=[]),
        )
    except pa.ArrowInvalid:
        return None
    if len(table) != len(tokens):
        return None
    numbers = np.column_stack([table.column(name).to_numpy() for name in names])
    return numbers if np.isfinite(numbers).all() else None


def _is_regular(parts: list[list[str]], size: int) -> bool:
    """Whether all tuples of a geometry are finite numbers, as many as the first has."""
    try:
        return all(
            token.count(",") == size - 1
            and token[0] != "+"
            and ",+" not in token
            and "_" not in token
            and all(map(np.isfinite, map(float, token.split(","))))
            for part in parts
            for token in part
        )
    except ValueError:
        return False


def _fits(kind: str, numbers: _Numbers, lengths: npt.NDArray[np.int64]) -> _Mask:
    """Which texts are a point, a line of two positions or more, or a closed ring."""
    fits: _Mask = lengths == 1 if kind == "Point" else lengths >= _MIN_POSITIONS[kind]
    if kind == "Polygon" and fits.any():
        ends = np.cumsum(lengths)
        starts = np.where(fits, ends - lengths, 0)
        last = np.where(fits, ends - 1, 0)
        fits &= (numbers[starts] == numbers[last]).all(axis=1)
    return fits


def _construct(
    plains: list[Plain], numbers: _Numbers, lengths: npt.NDArray[np.int64]
) -> Geometries:
    if not plains:
        return np.empty(0, dtype=object)
    kind, name = plains[0].kind, plains[0].type
    levels = [] if kind == "Point" else [lengths]
    if kind == "Polygon":
        levels.append(np.array([rings for plain in plains for rings in plain.rings]))
    if name != kind:
        levels.append(np.array([len(plain.rings) for plain in plains]))
    offsets = tuple(np.concatenate(([0], np.cumsum(level))) for level in levels)
    geometries: Geometries = shapely.from_ragged_array(
        shapely.GeometryType[name.upper()], numbers, offsets or None
    )
    return geometries
