"""STAC items into pgSTAC beside pypgstac's bare Loader: benchmarks.stac_load on the same stack."""

from __future__ import annotations

import json
import statistics
import sys
from dataclasses import dataclass

from benchmarks.programs import run
from benchmarks.stack import BenchStack

_SECONDS = 1800.0


@dataclass(frozen=True)
class CatalogLoad:
    """Loads of the same items, in seconds.

    Attributes:
        items: items of a load.
        bare_seconds: each load by the bare Loader.
        our_seconds: each load by geoforge: under the lock, in one transaction, its count proved.
        repeat_seconds: geoforge's load of what it has just loaded, which changes nothing.
    """

    items: int
    bare_seconds: list[float]
    our_seconds: list[float]
    repeat_seconds: list[float]

    @property
    def ratio(self) -> float:
        """geoforge's rate in terms of the bare Loader's; medians."""
        return statistics.median(self.bare_seconds) / statistics.median(self.our_seconds)


def load(stack: BenchStack, items: int, rounds: int) -> CatalogLoad:
    """Load so many items, by both in turn.

    Raises:
        BenchmarkError: a load failed.
    """
    stack.checkpoint()
    answer = stack.scratch / "stac_load.json"
    command = [sys.executable, "-m", "benchmarks.stac_load", "--items", str(items)]
    run([*command, "--rounds", str(rounds), "--json", str(answer)], stack.environment, _SECONDS)
    measured = json.loads(answer.read_bytes())
    seconds = measured["seconds"]
    return CatalogLoad(measured["items"], seconds["bare"], seconds["ours"], seconds["again"])
