"""The map of H3 statistics: a dataset's cells, coloured by one of their statistics."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import azure.functions as func

from core.errors import InvalidParameters
from core.job_definition import JsonObject
from infrastructure import h3_repository, h3_snapshot, stac_repository
from infrastructure.h3_repository import Dataset, Layer
from services.access import HOW_TO_BE_SHOWN, may_see_restricted
from services.h3.choosing import ALL, MOST_STATISTICS, Choice, choose
from services.h3.reading import find
from services.h3.rolling_up import FRACTION, can_roll_up
from services.raster.rendering import ramps
from web_interfaces.api.callers import caller
from web_interfaces.curated import maps
from web_interfaces.pages.rendering import auth_level
from web_interfaces.vector import drawing

# Of the list to choose from.
_MOST_DATASETS: Final = 1_000

_RAMP: Final = "viridis"
_TITLES: Final = {
    "mean": "Mean",
    "sum": "Sum",
    "count": "Number of pixels",
    "min": "Smallest value",
    "max": "Largest value",
    "stdev": "Standard deviation",
    "median": "Median",
    "majority": "Most frequent class",
}
# Of these every cell in view is a sum, so that the range of large ones is not that of small ones.
_ADDED: Final = ("sum", "count")
# What has the unit of the raster's values.
_WITHOUT_UNIT: Final = ("count", "majority")


@dataclass(frozen=True, slots=True)
class CellsMap:
    """A map of cells. `bounds` are west, south, east, north in degrees, east beyond 180 where
    they lie over the antimeridian.

    `layers` are those of the band that have the statistic, each {resolution, cells}, the coarsest
    first. `frame` and `extent` show where the cells are without a script. `credit` says what the
    dataset was made of, `collection` is the id of the STAC collection that it is from, if any.
    `how_to_be_shown` is None for who may see the statistics.
    """

    dataset: Dataset
    choice: Choice
    bounds: maps.Box
    layers: Sequence[JsonObject]
    frame: drawing.Drawing
    extent: maps.Box
    credit: str
    collection: str | None
    how_to_be_shown: str | None
    width: float = drawing.WIDTH
    height: float = drawing.HEIGHT

    @property
    def layer(self) -> Layer:
        return self.choice.layer

    @property
    def statistic(self) -> str:
        return self.choice.statistics[0]

    @property
    def title(self) -> str:
        return title_of(self.statistic)

    @property
    def unit(self) -> str | None:
        has_none = self.statistic in _WITHOUT_UNIT or self.statistic.startswith(FRACTION)
        return None if has_none else self.dataset.unit

    @property
    def range(self) -> tuple[float, float]:
        return self.layer.statistics[self.statistic]

    @property
    def ramp(self) -> Sequence[str]:
        return ramps.colours(_RAMP) or ()

    @property
    def is_of_classes(self) -> bool:
        return self.statistic == "majority"

    @property
    def is_added(self) -> bool:
        """Whether large cells have larger values than small ones."""
        return self.statistic in _ADDED

    @property
    def can_roll_up(self) -> bool:
        return can_roll_up(self.statistic, self.layer.statistics)

    @property
    def told(self) -> str:
        """What to ask for as `stat` to be told all statistics of cells of any size; where there
        are more than one answer has room for, the one that is shown and others."""
        if len(self.layer.statistics) <= MOST_STATISTICS:
            return ALL
        stored = self.layer.statistics
        others = [name for name in stored if name != self.statistic and can_roll_up(name, stored)]
        return ",".join([self.statistic, *others][:MOST_STATISTICS])

    @property
    def bands(self) -> Sequence[int]:
        return sorted({each.band for each in self.dataset.layers})

    @property
    def script(self) -> JsonObject:
        """What the script is told."""
        return {
            "dataset": self.dataset.dataset_id,
            "band": self.layer.band,
            "statistic": self.statistic,
            "told": self.told,
            "bounds": self.bounds,
            "layers": self.layers,
            "range": self.range,
            "ramp": self.ramp,
            "titles": dict(self.statistics),
            "rollsUp": self.can_roll_up,
            "isOfClasses": self.is_of_classes,
            "isAdded": self.is_added,
        }

    @property
    def statistics(self) -> Sequence[tuple[str, str]]:
        """(name, title) of those to choose from."""
        return [(name, title_of(name)) for name in self.layer.statistics]


def title_of(statistic: str) -> str:
    """What people call a statistic."""
    if statistic.startswith(FRACTION):
        return f"Share of class {statistic.removeprefix(FRACTION)}"
    if percentile := re.fullmatch(r"p([\d.]+)", statistic):
        return f"Percentile {percentile[1]}"
    return _TITLES.get(statistic, statistic)


def context(req: func.HttpRequest) -> dict[str, Any]:
    """What the template needs: ?dataset=, ?stat= and ?band= choose what is shown."""
    with h3_snapshot.snapshot() as moment:
        known = h3_repository.datasets(moment.connection, limit=_MOST_DATASETS)
        name = req.params.get("dataset") or next((each.dataset_id for each in known), None)
        chosen = None if name is None else find(moment.connection, name)
    found: dict[str, Any] = {"datasets": known, "dataset": chosen, "map": None, "faults": {}}
    if chosen is not None and chosen.layers:
        may_see = not chosen.is_restricted or may_see_restricted(caller(req, auth_level()))
        choice, faults = _choice(chosen, req.params)
        found |= {"map": map_of(chosen, choice, may_see=may_see), "faults": faults}
    return found


def _choice(dataset: Dataset, query: Mapping[str, str]) -> tuple[Choice, dict[str, str]]:
    """What was chosen, and what is wrong with it by the name of the field: then it is the usual."""
    band, stat = query.get("band"), query.get("stat")
    try:
        number = None if not band else int(band) if band.isdecimal() else 0
        return choose(dataset, None, number, [stat] if stat else None), {}
    except InvalidParameters as refused:
        name = str(refused.errors[0]["loc"][-1])
        return choose(dataset, None, None, None), {name: refused.message}


def map_of(dataset: Dataset, choice: Choice, *, may_see: bool) -> CellsMap:
    """The map of what was chosen of a dataset."""
    bounds = maps.unwrapped(choice.layer.bounds)
    frame, extent = maps.drawn(bounds)
    layers = [
        {"resolution": each.resolution, "cells": each.cells}
        for each in sorted(dataset.layers, key=lambda each: each.resolution)
        if each.band == choice.layer.band and choice.statistics[0] in each.statistics
    ]
    credit, collection = _credit(dataset.source)
    return CellsMap(
        dataset=dataset,
        choice=choice,
        bounds=bounds,
        layers=layers,
        frame=frame,
        extent=extent,
        credit=credit,
        collection=collection,
        how_to_be_shown=None if may_see else HOW_TO_BE_SHOWN,
    )


def _credit(source: Mapping[str, Any]) -> tuple[str, str | None]:
    """What a dataset was made of and whom to credit for it, and the collection that it is from."""
    collection = source.get("collection_id")
    if collection is None:
        file = source.get("blob_name") or source.get("source_url")
        return (f"Made of {file}." if file else ""), None
    with stac_repository.snapshot() as catalog:
        document = catalog.collection(str(collection))
    if document is None:
        return f"Made of the collection {collection}, which is no longer in the catalog.", None
    names = [str(each["name"]) for each in document.get("providers") or () if each.get("name")]
    terms = document.get("license")
    parts = [", ".join(names), f"licence {terms}" if terms and terms != "other" else ""]
    said = "; ".join(part for part in parts if part)
    return f"Made of {document.get('title') or collection}{f' ({said})' if said else ''}.", str(
        collection
    )
