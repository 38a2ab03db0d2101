"""What of a dataset answers a request: which layer is read, and which statistics of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import InvalidParameters, NotFound
from infrastructure.h3_repository import Dataset, Layer
from services.h3.rolling_up import FRACTION, can_roll_up
from services.orchestration.paging import bad_query

ALL = "all"

# Of one answer: more take the database long to put together.
MOST_STATISTICS = 100

# What is shown where nothing is asked for, the first that there is.
_USUAL = ("mean", "majority")
# What every cell with data has, by which those are found that lack a class.
_IN_EVERY_CELL = ("count", "majority", "mean", "sum")


@dataclass(frozen=True, slots=True)
class Choice:
    """A layer, the resolution it is wanted at, its own or a coarser one, and the statistics.

    `read` are the stored statistics that those need.
    """

    layer: Layer
    resolution: int
    statistics: tuple[str, ...]
    read: tuple[str, ...]

    @property
    def is_rolled_up(self) -> bool:
        return self.resolution != self.layer.resolution


def choose(
    dataset: Dataset,
    resolution: int | None,
    band: int | None,
    statistics: Sequence[str] | None,
) -> Choice:
    """The layer and the statistics that are asked for.

    Without a band it is the first one, without a resolution the finest one of the band. A coarser
    one comes from the coarsest of the finer layers that has what it takes. Without statistics it
    is the mean, or the majority, or the first one that there is; "all" are all that can be had.

    Raises `InvalidParameters` naming what there is instead, `NotFound` (no_statistics).
    """
    if not dataset.layers:
        raise NotFound(f"The H3 dataset {dataset.dataset_id!r} has no cells.", code="no_statistics")
    of_band = _of_band(dataset, band)
    if resolution is None:
        resolution = of_band[-1].resolution
    finer = [each for each in of_band if each.resolution >= resolution]
    if not finer:
        known = _listed(each.resolution for each in of_band)
        raise bad_query(
            "resolution",
            f"is finer than what the dataset has of band {of_band[0].band}, which is {known}; "
            "coarser ones are rolled up",
        )
    for layer in finer:
        names = _names(layer, resolution, statistics)
        if names and not _missing(layer, resolution, names):
            _not_too_many(names)
            return Choice(layer, resolution, names, _read(layer, resolution, names))
    raise _refusal(finer[0], resolution, statistics)


def _not_too_many(names: Sequence[str]) -> None:
    if len(names) > MOST_STATISTICS:
        raise bad_query(
            "stat", f"means {len(names)} statistics, of {MOST_STATISTICS} at most: name some"
        )


def _of_band(dataset: Dataset, band: int | None) -> list[Layer]:
    """The layers of the band, from the coarsest to the finest."""
    bands = sorted({each.band for each in dataset.layers})
    wanted = bands[0] if band is None else band
    if wanted not in bands:
        raise bad_query("band", f"must be one that the dataset has: {_listed(bands)}")
    return sorted(
        (each for each in dataset.layers if each.band == wanted), key=lambda each: each.resolution
    )


def _can_be_had(layer: Layer, resolution: int, name: str) -> bool:
    if layer.resolution == resolution:
        return name in layer.statistics
    return can_roll_up(name, layer.statistics)


def _names(layer: Layer, resolution: int, asked: Sequence[str] | None) -> tuple[str, ...]:
    if asked is not None and list(asked) != [ALL]:
        return tuple(asked)
    possible = [name for name in layer.statistics if _can_be_had(layer, resolution, name)]
    if asked is not None:
        return tuple(possible)
    usual = [name for name in _USUAL if name in possible]
    return tuple([*usual, *possible][:1])


def _missing(layer: Layer, resolution: int, names: Sequence[str]) -> list[str]:
    return [name for name in names if not _can_be_had(layer, resolution, name)]


def _read(layer: Layer, resolution: int, names: Sequence[str]) -> tuple[str, ...]:
    """Those names, and what else is needed to tell what they are."""
    read = list(names)
    if "stdev" in names and layer.resolution != resolution:
        read.append("mean")
    if any(name.startswith(FRACTION) for name in names):
        whole = [name for name in _IN_EVERY_CELL if name in layer.statistics]
        read += whole[:1] or layer.statistics
    return tuple(dict.fromkeys(read))


def _refusal(layer: Layer, resolution: int, asked: Sequence[str] | None) -> InvalidParameters:
    names = _names(layer, resolution, asked) or tuple(layer.statistics)
    unknown = [name for name in names if name not in layer.statistics]
    if unknown:
        return bad_query(
            "stat",
            f"names {_listed(unknown)}; the dataset has {_listed(layer.statistics)} at resolution "
            f"{layer.resolution}",
        )
    possible = [each for each in layer.statistics if can_roll_up(each, layer.statistics)]
    others = f"what can: {_listed(possible)}" if possible else "no other can either"
    return bad_query(
        "stat",
        f"names {_listed(_missing(layer, resolution, names))}, which cannot be rolled up from "
        f"resolution {layer.resolution} to {resolution}; {others}",
    )


def _listed(names: object) -> str:
    return ", ".join(map(str, names))  # type: ignore[call-overload]
