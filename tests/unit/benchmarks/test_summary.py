"""What is said of the figures follows from the figures."""

from __future__ import annotations

import pytest

from benchmarks.catalog import CatalogLoad
from benchmarks.dashboard import Refresh
from benchmarks.engine import EVENTS_PER_LOOK, EngineRun
from benchmarks.h3 import CENTROID, EXACT, EXACTEXTRACT, EXACTEXTRACT_WKB, ZonalRun
from benchmarks.peer_run import PeerRun
from benchmarks.rounds import Results
from benchmarks.summary import GOAL_VECTOR_BYTES, best_rates, claims, engine_rates
from benchmarks.vector import OURS, VectorRun


def job(tasks: int, seconds: float, *, events: int = 14, looks: int = 0) -> EngineRun:
    return EngineRun(tasks, seconds, {}, {}, 500.0, events, looks)


def peer(name: str, variant: str, tasks_per_second: float) -> PeerRun:
    return PeerRun(name, variant, 100, 200 / tasks_per_second, 100 / tasks_per_second, 0)


def verdicts(results: Results) -> dict[str, bool]:
    return {claim.text: claim.holds for claim in claims(results)}


def test_rates_are_medians_of_the_rounds() -> None:
    results = Results(engine=[job(1000, 1.0), job(1000, 10.0), job(1000, 0.5), job(10, 0.1)])
    assert engine_rates(results) == {10: pytest.approx(100), 1000: pytest.approx(1000)}


def test_a_peer_is_judged_by_its_best_variant_in_its_favourable_reading() -> None:
    runs = [peer("a", "1", 100), peer("a", "10", 300), peer("a", "50", 200), peer("b", "", 7)]
    assert best_rates(Results(peers=runs)) == {"a": pytest.approx(300), "b": pytest.approx(7)}


@pytest.mark.parametrize(
    ("seconds", "fast", "twice"), [(0.5, True, True), (0.9, True, False), (1.1, False, False)]
)
def test_the_rates_claimed(seconds: float, fast: bool, twice: bool) -> None:
    runs = Results(engine=[job(1000, seconds)], peers=[peer("procrastinate", "10", 600)])
    assert verdicts(runs) == {
        "At least 1,000 tasks/s, at every size": fast,
        "At least 2 times procrastinate at its best": twice,
    }


def test_the_slowest_size_counts() -> None:
    runs = Results(engine=[job(1000, 0.1), job(10_000, 20.0)])
    assert verdicts(runs)["At least 1,000 tasks/s, at every size"] is False


@pytest.mark.parametrize(("seconds", "holds"), [(100.0, True), (101.0, False)])
def test_many_tasks_are_no_slower_than_few(seconds: float, holds: bool) -> None:
    runs = Results(engine=[job(1000, 1.0), job(100_000, seconds)])
    assert verdicts(runs)["100,000 tasks no slower per task than 1,000"] is holds


def test_a_history_that_grows_with_tasks_is_told_from_one_that_a_watchdog_looked_at() -> None:
    text = "Orchestration history does not grow with tasks"
    looked_at = job(100_000, 70.0, events=14 + EVENTS_PER_LOOK, looks=1)
    assert verdicts(Results(engine=[job(1000, 1.0), looked_at]))[text] is True
    grown = job(100_000, 70.0, events=15)
    assert verdicts(Results(engine=[job(1000, 1.0), grown]))[text] is False


@pytest.mark.parametrize(("seconds", "holds"), [(1.25, True), (1.3, False)])
def test_the_catalog_load_is_compared_with_the_bare_one(seconds: float, holds: bool) -> None:
    load = CatalogLoad(20_000, [1.0, 1.0, 9.0], [seconds], [1.0])
    text = "20,000 STAC items at no less than 0.8 of the bare Loader's rate"
    assert verdicts(Results(catalog=load)) == {text: holds}


def test_nothing_is_claimed_of_what_was_not_measured() -> None:
    assert claims(Results()) == []


def vector(title: str, contender: str, seconds: float, peak_bytes: int = 0) -> VectorRun:
    return VectorRun(title, contender, 100, 1000, seconds, {}, peak_bytes, 100)


@pytest.mark.parametrize(("seconds", "holds"), [(8.0, True), (9.0, False)])
def test_the_same_file_is_loaded_by_both(seconds: float, holds: bool) -> None:
    runs = [
        vector("parcels", OURS, seconds),
        vector("parcels", "ogr2ogr", 8.0),
        vector("many parcels", OURS, 100.0),
    ]
    text = "parcels published no later than ogr2ogr loads them"
    assert verdicts(Results(vector=runs))[text] is holds


@pytest.mark.parametrize(
    ("peak_bytes", "holds"), [(GOAL_VECTOR_BYTES, True), (GOAL_VECTOR_BYTES + 1, False)]
)
def test_the_largest_memory_counts(peak_bytes: int, holds: bool) -> None:
    runs = [vector("small", OURS, 1.0), vector("large", OURS, 1.0, peak_bytes)]
    assert verdicts(Results(vector=runs))["Vector files of any size within 1 GB of memory"] is holds


@pytest.mark.parametrize(("seconds", "holds"), [(9.0, True), (11.0, False)])
def test_changes_of_events_are_published_in_seconds(seconds: float, holds: bool) -> None:
    runs = [
        VectorRun("all events", OURS, 1_000_000, 1, 100.0, {}, 0, 1_000_000),
        VectorRun("all events", "ogr2ogr", 1_000_000, 1, 50.0, {}, 0, 1_000_000),
        VectorRun("50 changes", OURS, 50, 1, seconds, {}, 0, 50),
    ]
    found = verdicts(Results(events=runs))
    assert found["50 changes of events published in 10 seconds"] is holds
    assert found["Events of any number within 1.5 GB of memory"] is True


def filled(
    contender: str, seconds: float, *, pixels: int = 100, off: float | None = None
) -> ZonalRun:
    return ZonalRun("Earth", contender, 1000, pixels, seconds, 10, off)


@pytest.mark.parametrize(("seconds", "equal", "tenfold"), [(1.0, True, True), (2.1, False, False)])
def test_cells_are_filled_beside_exactextract(seconds: float, equal: bool, tenfold: bool) -> None:
    runs = [
        filled(EXACT, seconds),
        filled(CENTROID, seconds / 2),
        filled(EXACTEXTRACT, 10.0, off=1e-6),
        filled(EXACTEXTRACT_WKB, 2.0, off=2e-6),
    ]
    found = verdicts(Results(zonal=runs))
    assert found == {
        "Earth: geoforge, exact at 1 times the rate of exactextract, given WKB, at least": equal,
        "Earth: geoforge, centroid at 10 times the rate of exactextract, at least": tenfold,
        "Means of elevations within 0.001 m of exactextract's": True,
        "A block of cells within 1 GB of memory": True,
    }


@pytest.mark.parametrize(("seconds", "holds"), [(17.0, True), (18.0, False)])
def test_pixels_of_a_larger_raster_take_no_longer(seconds: float, holds: bool) -> None:
    runs = [filled(EXACT, 1.0), filled(EXACT, 5.0, pixels=400), filled(EXACT, seconds, pixels=1600)]
    text = "16 times the pixels in 17.6 times the time at most"
    assert verdicts(Results(zonal=runs))[text] is holds


@pytest.mark.parametrize(("seconds", "holds"), [(0.049, True), (0.051, False)])
def test_the_slowest_refresh_counts(seconds: float, holds: bool) -> None:
    runs = [
        Refresh("charts", [0.01] * 3, 1, 1, 1),
        # One of three that was disturbed is not what is claimed.
        Refresh("jobs", [seconds, seconds, 9.0], 1, 1, 1),
    ]
    assert verdicts(Results(dashboard=runs)) == {"Every refresh within 50 ms": holds}
