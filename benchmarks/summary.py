"""From runs to figures: medians, each peer's best, and whether what we claim holds."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.catalog import CatalogLoad
from benchmarks.cogs import OURS as COGS_OURS
from benchmarks.cogs import CogRun
from benchmarks.dashboard import Refresh
from benchmarks.engine import EVENTS_PER_LOOK, EngineRun
from benchmarks.h3 import CENTROID, EXACT, EXACTEXTRACT, EXACTEXTRACT_WKB, ZonalRun
from benchmarks.peer_run import PeerRun
from benchmarks.rounds import Results
from benchmarks.stac_load import GOAL as CATALOG_GOAL
from benchmarks.vector import OURS, VectorRun

GOAL_TASKS_PER_SECOND = 1_000
GOAL_OVER_PROCRASTINATE = 2.0
GOAL_VECTOR_BYTES = 1 << 30
GOAL_CURATED_SECONDS = 180.0
GOAL_CHANGES_SECONDS = 10.0
GOAL_REFRESH_SECONDS = 0.05
GOAL_COG_RATE = 0.95
GOAL_COG_BYTES = 1 << 30
# Three tasks decode pages in the host while two children look into what others have fetched.
GOAL_EVENTS_BYTES = 3 << 29

GOAL_CENTROID_OVER_EXACTEXTRACT = 10.0
GOAL_ZONAL_BYTES = 1 << 30
GOAL_ZONAL_MEANS = 1e-3
# What a pixel may take, of what it takes where there are fewer.
GOAL_ZONAL_GROWTH = 1.1

Run = TypeVar("Run", EngineRun, PeerRun)


@dataclass(frozen=True)
class Claim:
    """Something that is said of geoforge, and whether these figures bear it out."""

    text: str
    holds: bool
    figures: str


def median(values: Iterable[float]) -> float:
    """The median of the values, of which there must be one."""
    return statistics.median(values)


def engine_rates(results: Results) -> dict[int, float]:
    """Tasks per second of the whole path, by the number of tasks; medians."""
    rates: dict[int, list[float]] = {}
    for run in results.engine:
        rates.setdefault(run.tasks, []).append(run.tasks_per_second)
    return {tasks: median(rates[tasks]) for tasks in sorted(rates)}


def peer_rates(results: Results, rate: Callable[[PeerRun], float]) -> dict[tuple[str, str], float]:
    """Tasks per second by peer and variant; medians.

    Args:
        results: all runs.
        rate: which of a run's two readings is meant.
    """
    rates: dict[tuple[str, str], list[float]] = {}
    for run in results.peers:
        rates.setdefault((run.peer, run.variant), []).append(rate(run))
    return {variant: median(values) for variant, values in rates.items()}


def best_rates(results: Results) -> dict[str, float]:
    """The favourable rate of each peer's best variant."""
    best: dict[str, float] = {}
    for (peer, _), rate in peer_rates(results, lambda run: run.favourable_per_second).items():
        best[peer] = max(best.get(peer, 0.0), rate)
    return best


def claims(results: Results) -> list[Claim]:
    """What is claimed, as far as these runs can tell."""
    rates, best = engine_rates(results), best_rates(results)
    made = []
    if rates:
        slowest = min(rates.values())
        made.append(
            Claim(
                f"At least {GOAL_TASKS_PER_SECOND:,} tasks/s, at every size",
                slowest >= GOAL_TASKS_PER_SECOND,
                f"slowest: {slowest:,.0f} tasks/s",
            )
        )
        if "procrastinate" in best:
            ratio = slowest / best["procrastinate"]
            made.append(
                Claim(
                    f"At least {GOAL_OVER_PROCRASTINATE:g} times procrastinate at its best",
                    ratio >= GOAL_OVER_PROCRASTINATE,
                    f"{slowest:,.0f} / {best['procrastinate']:,.0f} = {ratio:.2f}",
                )
            )
    if len(rates) > 1:
        made += [_no_slower(rates), _history(results.engine)]
    if results.catalog is not None:
        made.append(_catalog(results.catalog))
    made += _vector(results.vector) + _curated(results.curated) + _events(results.events)
    return made + _cogs(results.cogs) + _zonal(results.zonal) + _dashboard(results.dashboard)


def _vector(runs: list[VectorRun]) -> list[Claim]:
    """The ratio on the file that both have loaded, and the most memory on any."""
    made = []
    ours = [run for run in runs if run.contender == OURS]
    peers = [run for run in runs if run.contender != OURS]
    if ours and peers:
        own = median(run.seconds for run in ours if run.title == peers[0].title)
        other = median(run.seconds for run in peers)
        made.append(
            Claim(
                f"{peers[0].title} published no later than {peers[0].contender} loads them",
                own <= other,
                f"{other:.1f} s / {own:.1f} s = {other / own:.2f}",
            )
        )
    if ours:
        largest = max(ours, key=lambda run: run.peak_bytes)
        made.append(
            Claim(
                "Vector files of any size within 1 GB of memory",
                largest.peak_bytes <= GOAL_VECTOR_BYTES,
                f"most: {largest.peak_bytes / 1e6:,.0f} MB, for {largest.title}",
            )
        )
    return made


def _curated(runs: list[VectorRun]) -> list[Claim]:
    """The time of the slowest version, and the most memory of any."""
    ours = [run for run in runs if run.contender == OURS]
    if not ours:
        return []
    slowest = max(ours, key=lambda run: run.seconds)
    largest = max(ours, key=lambda run: run.peak_bytes)
    return [
        Claim(
            f"{slowest.rows:,} protected areas from archive to published in three minutes",
            slowest.seconds <= GOAL_CURATED_SECONDS,
            f"{slowest.seconds:.0f} s",
        ),
        Claim(
            "An update of a curated data set within 1 GB of memory",
            largest.peak_bytes <= GOAL_VECTOR_BYTES,
            f"{largest.peak_bytes / 1e6:,.0f} MB",
        ),
    ]


def _events(runs: list[VectorRun]) -> list[Claim]:
    """The time of the update that brings what has changed, and the most memory of any."""
    ours = [run for run in runs if run.contender == OURS]
    if not ours:
        return []
    fewest = min(ours, key=lambda run: run.rows)
    seconds = median(run.seconds for run in ours if run.title == fewest.title)
    largest = max(ours, key=lambda run: run.peak_bytes)
    return [
        Claim(
            f"{fewest.title} of events published in {GOAL_CHANGES_SECONDS:g} seconds",
            seconds <= GOAL_CHANGES_SECONDS,
            f"{seconds:.1f} s",
        ),
        Claim(
            "Events of any number within 1.5 GB of memory",
            largest.peak_bytes <= GOAL_EVENTS_BYTES,
            f"most: {largest.peak_bytes / 1e6:,.0f} MB, for {largest.title}",
        ),
    ]


def _dashboard(runs: list[Refresh]) -> list[Claim]:
    """How long a refresh of the slowest part takes, most of the time."""
    if not runs:
        return []
    slowest = max(runs, key=lambda run: run.p50)
    return [
        Claim(
            f"Every refresh within {1000 * GOAL_REFRESH_SECONDS:g} ms",
            slowest.p50 <= GOAL_REFRESH_SECONDS,
            f"slowest: {slowest.title}, {1000 * slowest.p50:.1f} ms in the median",
        )
    ]


def _cogs(runs: list[CogRun]) -> list[Claim]:
    """The rate beside the peer's on each kind of raster, and the most memory on any."""
    made = []
    ours = [run for run in runs if run.contender == COGS_OURS]
    peers = [run for run in runs if run.contender != COGS_OURS]
    for title in dict.fromkeys(run.title for run in peers):
        own = [run.seconds for run in ours if run.title == title]
        if own:
            other = median(run.seconds for run in peers if run.title == title)
            ratio = other / median(own)
            made.append(
                Claim(
                    f"A COG of {title} at {GOAL_COG_RATE:g} of gdal_translate's rate at least",
                    ratio >= GOAL_COG_RATE,
                    f"{other:.1f} s / {median(own):.1f} s = {ratio:.2f}",
                )
            )
    if ours:
        largest = max(ours, key=lambda run: run.peak_bytes)
        made.append(
            Claim(
                "Rasters of any size within 1 GB of memory",
                largest.peak_bytes <= GOAL_COG_BYTES,
                f"most: {largest.peak_bytes / 1e6:,.0f} MB, for {largest.title}",
            )
        )
    return made


def _zonal(runs: list[ZonalRun]) -> list[Claim]:
    """The rates beside exactextract's, that its means are ours, memory, and growth."""
    made = []
    for title in dict.fromkeys(run.title for run in runs):
        rates = {run.contender: run.cells_per_second for run in runs if run.title == title}
        for own, peer, times in (
            (EXACT, EXACTEXTRACT_WKB, 1.0),
            (CENTROID, EXACTEXTRACT, GOAL_CENTROID_OVER_EXACTEXTRACT),
        ):
            if own in rates and peer in rates:
                ratio = rates[own] / rates[peer]
                made.append(
                    Claim(
                        f"{title}: {own} at {times:g} times the rate of {peer}, at least",
                        ratio >= times,
                        f"{rates[own]:,.0f} / {rates[peer]:,.0f} cells/s = {ratio:.1f}",
                    )
                )
    compared = [run.off for run in runs if run.off is not None]
    if compared:
        made.append(
            Claim(
                f"Means of elevations within {GOAL_ZONAL_MEANS:g} m of exactextract's",
                max(compared) <= GOAL_ZONAL_MEANS,
                f"{max(compared):.1e} m",
            )
        )
    ours = [run for run in runs if run.contender in (EXACT, CENTROID)]
    if ours:
        largest = max(ours, key=lambda run: run.peak_bytes)
        made.append(
            Claim(
                "A block of cells within 1 GB of memory",
                largest.peak_bytes <= GOAL_ZONAL_BYTES,
                f"most: {largest.peak_bytes / 1e6:,.0f} MB, for {largest.title}",
            )
        )
    return made + _linear(runs)


def _linear(runs: list[ZonalRun]) -> list[Claim]:
    """What a pixel takes, where the same cells were filled from fewer and from more of them."""
    made = []
    exact = [run for run in runs if run.contender == EXACT]
    for cells in dict.fromkeys(run.cells for run in exact):
        same = sorted((run for run in exact if run.cells == cells), key=lambda run: run.pixels)
        few, many = same[0], same[-1]
        if few.pixels < many.pixels:
            times = many.pixels / few.pixels
            at_most = times * GOAL_ZONAL_GROWTH
            made.append(
                Claim(
                    f"{times:.0f} times the pixels in {at_most:.1f} times the time at most",
                    many.seconds <= few.seconds * at_most,
                    f"{many.seconds:.1f} s / {few.seconds:.1f} s "
                    f"= {many.seconds / few.seconds:.1f}",
                )
            )
    return made


def _no_slower(rates: dict[int, float]) -> Claim:
    small, large = min(rates), max(rates)
    return Claim(
        f"{large:,} tasks no slower per task than {small:,}",
        rates[large] >= rates[small],
        f"{1000 / rates[large]:.3f} ms and {1000 / rates[small]:.3f} ms per task",
    )


def _history(runs: list[EngineRun]) -> Claim:
    """A watchdog that has looked after a long stage leaves events; tasks must leave none."""
    by_tasks = {run.tasks: run for run in sorted(runs, key=lambda run: run.tasks)}
    without_looks = {run.history_events - run.watchdog_looks * EVENTS_PER_LOOK for run in runs}
    return Claim(
        "Orchestration history does not grow with tasks",
        len(without_looks) == 1,
        ", ".join(
            f"{run.history_events} events at {tasks:,}"
            + (f" ({run.watchdog_looks} looks of the watchdog)" if run.watchdog_looks else "")
            for tasks, run in by_tasks.items()
        ),
    )


def _catalog(load: CatalogLoad) -> Claim:
    return Claim(
        f"{load.items:,} STAC items at no less than {CATALOG_GOAL} of the bare Loader's rate",
        load.ratio >= CATALOG_GOAL,
        f"{load.ratio:.2f}",
    )
