"""Who is measured when, and what becomes of one that cannot be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from benchmarks import catalog, h3, prefect_peer, procrastinate_peer
from benchmarks.catalog import CatalogLoad
from benchmarks.cogs import CogRun, CogRuns, Kind
from benchmarks.curated import CuratedUpdates
from benchmarks.dashboard import Dashboard, Refresh
from benchmarks.engine import Engine, EngineRun
from benchmarks.errors import BenchmarkError
from benchmarks.events import EventUpdates
from benchmarks.fathom import FathomRun, FathomRuns
from benchmarks.h3 import Case, ZonalJobs, ZonalRun
from benchmarks.peer_run import PeerRun
from benchmarks.rounds import Plan, Rounds
from benchmarks.stack import BenchStack
from benchmarks.vector import VectorLoads, VectorRun
from local.stack.ports import Ports
from local.stack.settings import StackSettings
from local.standins.acled.server import Acled
from local.standins.ibat.server import Ibat


@pytest.fixture
def order(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is run, in order; nothing is."""
    ran: list[str] = []

    def engine(_self: Engine, tasks: int) -> EngineRun:
        ran.append(f"engine {tasks}")
        return EngineRun(tasks, 1.0, {}, {}, 0.0, 14, 0)

    def peer(name: str) -> Any:
        def run(_stack: BenchStack, tasks: int, *variant: int) -> PeerRun:
            ran.append(" ".join(map(str, (name, *variant))))
            return PeerRun(name, str(variant), tasks, 1.0, 1.0, 0)

        return run

    def load(_stack: BenchStack, items: int, rounds: int) -> CatalogLoad:
        ran.append("stac")
        return CatalogLoad(items, [1.0] * rounds, [1.0] * rounds, [1.0] * rounds)

    def vector(contender: str) -> Any:
        def run(_self: VectorLoads, title: str, path: Path, rows: int) -> VectorRun:
            ran.append(f"{contender} {rows}")
            return VectorRun(title, contender, rows, 1, 1.0, {}, 0, rows)

        return run

    def curated(contender: str) -> Any:
        def run(_self: CuratedUpdates, release: int) -> VectorRun:
            ran.append(f"{contender} {release}")
            return VectorRun(str(release), contender, 1, 1, 1.0, {}, 0, 1)

        return run

    def events(told: str) -> Any:
        def run(_self: EventUpdates, *changes: int) -> VectorRun:
            ran.append(" ".join(map(str, (told, *changes))))
            return VectorRun(told, told, 1, 1, 1.0, {}, 0, 1)

        return run

    def cogs(contender: str) -> Any:
        def run(_self: CogRuns, kind: Kind, side: int) -> CogRun:
            ran.append(f"{contender} {kind.pixel_bytes} {side}")
            return CogRun(kind.title, contender, 1, 1.0, 1, 0)

        return run

    def floods(_self: FathomRuns, pixels: int, tiles: int, maps: int) -> list[FathomRun]:
        ran.append(f"floods {pixels} {tiles} {maps}")
        return [FathomRun("stack", 8, 1, 1, 1, 1.0, {}, 0, 0, 1)]

    def fill(_self: ZonalJobs, case: Case, contender: str) -> ZonalRun:
        ran.append(f"{contender}: {case.name}")
        return ZonalRun(case.title, contender, 1, 1, 1.0, 0)

    def looked_at(_self: Dashboard, requests: int) -> list[Refresh]:
        ran.append(f"pages {requests}")
        return [Refresh("jobs", [0.01, 0.02], 1, 1, 1)]

    monkeypatch.setattr(Dashboard, "measure", looked_at)
    monkeypatch.setattr(ZonalJobs, "fill", fill)
    monkeypatch.setattr(FathomRuns, "country", floods)
    monkeypatch.setattr(CogRuns, "ours", cogs("cog"))
    monkeypatch.setattr(CogRuns, "peer", cogs("gdal_translate"))
    monkeypatch.setattr(EventUpdates, "everything", events("all events"))
    monkeypatch.setattr(EventUpdates, "peer", events("load only events"))
    monkeypatch.setattr(EventUpdates, "changes", events("changes of events"))
    monkeypatch.setattr(CuratedUpdates, "ours", curated("update"))
    monkeypatch.setattr(CuratedUpdates, "peer", curated("load only"))
    monkeypatch.setattr(VectorLoads, "file", lambda _self, name, _make: Path(name))
    monkeypatch.setattr(VectorLoads, "ours", vector("vector"))
    monkeypatch.setattr(VectorLoads, "peer", vector("ogr2ogr"))
    monkeypatch.setattr(Engine, "run", engine)
    monkeypatch.setattr(procrastinate_peer, "run", peer("procrastinate"))
    monkeypatch.setattr(prefect_peer, "run", peer("prefect"))
    monkeypatch.setattr(catalog, "load", load)
    return ran


@pytest.fixture
def rounds(tmp_path: Path) -> Callable[[Plan], Rounds]:
    """Rounds of a plan, on a stack that does not run."""
    stack = BenchStack(StackSettings(values={}, ports=Ports(), state=tmp_path))
    ibat, acled = Ibat.__new__(Ibat), Acled.__new__(Acled)  # nothing asks them
    return lambda plan: Rounds(stack, ibat, acled, plan, lambda _line: None)


def test_rounds_alternate_and_what_takes_long_comes_once_at_the_end(
    rounds: Callable[[Plan], Rounds], order: list[str]
) -> None:
    results = rounds(Plan(rounds=2, sizes=(10, 20, 100_000))).measure()
    there = ["engine 10", "engine 20"]
    there += [f"procrastinate {number} {size}" for number, size in procrastinate_peer.VARIANTS]
    there += ["prefect", "vector 250000", "ogr2ogr 250000"]
    for pixel_bytes in (4, 3, 1):
        there += [f"cog {pixel_bytes} 8192", f"gdal_translate {pixel_bytes} 8192"]
    warm_up = ["engine 1000", "vector 1000"]
    once = ["engine 100000", "stac", "vector 1000000", "vector 4000000", "vector 2500000"]
    once += ["update 1", "load only 1", "update 2"]
    once += ["all events", "load only events", *["changes of events 5000"] * 2]
    once += ["cog 4 16384", "cog 4 51200", "floods 360 6 39"]
    for case in ("world_8640_5", "country_8"):
        once += [f"{contender}: {case}" for contender in h3.CONTENDERS]
    once += [f"{h3.EXACT}: world_{columns}_5" for columns in (4320, 17280)]
    once += ["pages 60"]
    assert order == [*warm_up, *there, *reversed(there), *once]
    assert [run.tasks for run in results.engine] == [10, 20, 20, 10, 100_000]
    assert len(results.peers) == 12
    assert len(results.fathom) == len(results.dashboard) == 1
    assert results.failures == []


def test_only_what_is_asked_for_is_run(rounds: Callable[[Plan], Rounds], order: list[str]) -> None:
    rounds(Plan(contenders=("prefect",), rounds=1)).measure()
    assert order == ["prefect"]


def test_one_that_fails_is_named_and_the_others_go_on(
    rounds: Callable[[Plan], Rounds], order: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_stack: BenchStack, _tasks: int) -> PeerRun:
        raise BenchmarkError("no server")

    monkeypatch.setattr(prefect_peer, "run", broken)
    results = rounds(Plan(contenders=("prefect", "stac"), rounds=1)).measure()
    assert results.failures == ["Prefect: no server"]
    assert order == ["stac"]
    assert cast(CatalogLoad, results.catalog).items == Plan().stac_items
