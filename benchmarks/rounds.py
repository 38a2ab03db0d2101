"""Who is measured when: in rounds, each in the other direction than the one before.

So no contender always comes first or always after the same other, and a disturbance from outside
hits all alike. Each warms up before it is measured: the engine by a job that does not count, a
peer by tasks that its program runs first.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import psycopg

from benchmarks import catalog, h3, prefect_peer, procrastinate_peer, vector_files
from benchmarks.catalog import CatalogLoad
from benchmarks.cogs import KINDS, PEER, TERRAIN, CogRun, CogRuns, Kind
from benchmarks.curated import CuratedUpdates
from benchmarks.dashboard import Dashboard, Refresh
from benchmarks.engine import Engine, EngineRun
from benchmarks.errors import BenchmarkError
from benchmarks.events import EventUpdates
from benchmarks.fathom import FathomRun, FathomRuns
from benchmarks.h3 import Case, ZonalJobs, ZonalRun
from benchmarks.peer_run import PeerRun
from benchmarks.stack import BenchStack
from benchmarks.vector import VectorLoads, VectorRun
from local.standins.acled.server import Acled
from local.standins.ibat.server import Ibat

CONTENDERS = (
    "engine", "procrastinate", "prefect", "stac", "vector", "curated", "events", "cogs", "fathom",
    "h3", "dashboard",
)  # fmt: skip

_WARM_UP_TASKS = 1_000
_LARGE = 20_000


@dataclass(frozen=True)
class Plan:
    """What is to be measured.

    Attributes:
        contenders: some of CONTENDERS.
        sizes: numbers of tasks of the engine's jobs.
        rounds: how often each is measured. A job of more than 20,000 tasks is measured once:
            it takes long enough to be its own average.
        procrastinate_tasks: tasks of one of procrastinate's runs.
        prefect_tasks: tasks of one of Prefect's.
        stac_items: items of a load into pgSTAC.
        polygons: polygons of the GeoPackage that geoforge and ogr2ogr load in turn.
        large_polygons: those of the larger ones, which geoforge loads once, for its memory.
        points: rows of the CSV.
        areas: polygons of the made-up protected areas, with a tenth as many points.
        events: made-up events of ACLED.
        changes: how many of them change before the next update.
        raster_side: pixels along a side of the rasters that geoforge and gdal_translate turn
            into COGs, in turn.
        large_raster_sides: those of the larger elevations, which geoforge does once, for its
            memory.
        flood_pixels: along a side of a tile of FATHOM's maps.
        flood_tiles: of the country whose maps are stacked and merged, once.
        flood_maps: of each of them.
        world_columns: pixels around the Earth of the raster whose H3 cells are filled; a quarter
            as many pixels, and four times as many, are filled once more.
        world_resolution: of its cells.
        country_resolution: of the cells of the country.
        dashboard_jobs: in the ledger while pages are looked at.
        dashboard_tasks: of the largest of these.
        dashboard_requests: for each refresh.
    """

    contenders: tuple[str, ...] = CONTENDERS
    sizes: tuple[int, ...] = (1_000, 10_000, 100_000)
    rounds: int = 3
    procrastinate_tasks: int = 2_000
    prefect_tasks: int = 500
    stac_items: int = 20_000
    polygons: int = vector_files.POLYGONS
    large_polygons: tuple[int, ...] = (1_000_000, 4_000_000)
    points: int = vector_files.POINTS
    areas: int = 300_000
    events: int = 2_800_000
    changes: int = 5_000
    raster_side: int = 8_192
    large_raster_sides: tuple[int, ...] = (16_384, 51_200)
    flood_pixels: int = 360
    flood_tiles: int = 6
    flood_maps: int = 39
    world_columns: int = 8_640
    world_resolution: int = 5
    country_resolution: int = 8
    dashboard_jobs: int = 10_000
    dashboard_tasks: int = 1_000_000
    dashboard_requests: int = 60

    def quick(self) -> Plan:
        """The same once and small: enough to see that everything runs."""
        return replace(
            self,
            sizes=(1_000, 2_000),
            rounds=1,
            procrastinate_tasks=300,
            prefect_tasks=100,
            stac_items=2_000,
            polygons=5_000,
            large_polygons=(10_000,),
            points=10_000,
            areas=5_000,
            events=20_000,
            changes=500,
            raster_side=1_024,
            large_raster_sides=(2_048,),
            flood_pixels=36,
            flood_tiles=2,
            flood_maps=2,
            world_columns=1_080,
            world_resolution=3,
            country_resolution=6,
            dashboard_jobs=500,
            dashboard_tasks=5_000,
            dashboard_requests=5,
        )


@dataclass
class Results:
    """Everything that was measured, and what could not be."""

    engine: list[EngineRun] = field(default_factory=list)
    peers: list[PeerRun] = field(default_factory=list)
    catalog: CatalogLoad | None = None
    vector: list[VectorRun] = field(default_factory=list)
    curated: list[VectorRun] = field(default_factory=list)
    events: list[VectorRun] = field(default_factory=list)
    cogs: list[CogRun] = field(default_factory=list)
    fathom: list[FathomRun] = field(default_factory=list)
    zonal: list[ZonalRun] = field(default_factory=list)
    dashboard: list[Refresh] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


class Rounds:
    """A plan, carried out on a running stack.

    Attributes:
        results: what has been measured so far.
    """

    def __init__(
        self,
        stack: BenchStack,
        ibat: Ibat,
        acled: Acled,
        plan: Plan,
        say: Callable[[str], None],
    ) -> None:
        """Prepare.

        Args:
            stack: the running stack.
            ibat: where its app asks for protected areas.
            acled: where it asks for events.
            plan: what is to be measured.
            say: told of each run as it ends.
        """
        self.results = Results()
        self._stack = stack
        self._plan = plan
        self._say = say
        self._app = Engine(stack)
        self._vector = VectorLoads(stack)
        self._curated = CuratedUpdates(stack, ibat, plan.areas, plan.areas // 10)
        self._events = EventUpdates(stack, acled)
        self._cogs = CogRuns(stack)
        self._fathom = FathomRuns(stack)
        self._zonal = ZonalJobs(stack)

    def measure(self) -> Results:
        """Carry the plan out. What cannot be run is among the failures; the rest goes on."""
        with (
            self._app,
            closing(self._vector),
            closing(self._curated),
            closing(self._events),
            closing(self._cogs),
            closing(self._fathom),
            closing(self._zonal),
        ):
            self._measure()
        return self.results

    def _measure(self) -> None:
        plan = self._plan
        if "engine" in plan.contenders:
            self._attempt("Warm-up", self._warm_up)
        if "vector" in plan.contenders:
            self._attempt("Warm-up, vector", self._vector_warm_up)
        repeated = self._repeated()
        for number in range(plan.rounds if repeated else 0):
            self._say(f"Round {number + 1} of {plan.rounds}")
            for label, run in repeated if number % 2 == 0 else repeated[::-1]:
                self._attempt(label, run)
        for label, run in self._once():
            self._attempt(label, run)

    def _repeated(self) -> list[tuple[str, Callable[[], str]]]:
        plan, runs = self._plan, list[tuple[str, Callable[[], str]]]()
        if "engine" in plan.contenders:
            small = [tasks for tasks in plan.sizes if tasks <= _LARGE]
            runs += [
                (f"geoforge, {tasks:,} tasks", partial(self._engine, tasks)) for tasks in small
            ]
        if "procrastinate" in plan.contenders:
            runs += [
                (
                    f"procrastinate, concurrency {concurrency}, {connections} connections",
                    partial(self._procrastinate, concurrency, connections),
                )
                for concurrency, connections in procrastinate_peer.VARIANTS
            ]
        if "prefect" in plan.contenders:
            runs.append(("Prefect", self._prefect))
        if "vector" in plan.contenders:
            runs += [
                (f"geoforge, {plan.polygons:,} polygons", partial(self._polygons, plan.polygons)),
                (f"ogr2ogr -makevalid, {plan.polygons:,} polygons", self._ogr2ogr),
            ]
        if "cogs" in plan.contenders:
            for kind in KINDS:
                runs += [
                    (f"geoforge, {kind.title}", partial(self._cog, kind, plan.raster_side)),
                    (f"{PEER}, {kind.title}", partial(self._translated, kind)),
                ]
        return runs

    def _once(self) -> list[tuple[str, Callable[[], str]]]:
        plan, runs = self._plan, list[tuple[str, Callable[[], str]]]()
        if "engine" in plan.contenders:
            large = [tasks for tasks in plan.sizes if tasks > _LARGE]
            runs += [
                (f"geoforge, {tasks:,} tasks", partial(self._engine, tasks)) for tasks in large
            ]
        if "stac" in plan.contenders:
            runs.append((f"{plan.stac_items:,} STAC items", self._catalog))
        if "vector" in plan.contenders:
            runs += [
                (f"geoforge, {count:,} polygons", partial(self._polygons, count))
                for count in plan.large_polygons
            ]
            runs.append((f"geoforge, {plan.points:,} points", self._points))
        if "curated" in plan.contenders:
            label = f"{plan.areas:,} protected areas"
            runs += [
                (f"geoforge, {label}, first version", partial(self._update, 1)),
                (f"ogr2ogr, {label}, load only", self._load_areas),
                (f"geoforge, {label}, next version", partial(self._update, 2)),
            ]
        if "events" in plan.contenders:
            runs += [
                (f"geoforge, {plan.events:,} events", self._all_events),
                (f"ogr2ogr, {plan.events:,} events, load only", self._load_events),
                *[(f"geoforge, {plan.changes:,} changes of events", self._changed_events)]
                * plan.rounds,
            ]
        if "cogs" in plan.contenders:
            runs += [
                (f"geoforge, {side:,} x {side:,} elevations", partial(self._cog, TERRAIN, side))
                for side in plan.large_raster_sides
            ]
        if "fathom" in plan.contenders:
            label = f"{plan.flood_tiles * plan.flood_maps:,} stacks of FATHOM's tiles, merged"
            runs.append((f"geoforge, {label}", self._floods))
        if "h3" in plan.contenders:
            runs += self._cells()
        if "dashboard" in plan.contenders:
            # At the end: what is filled in for it stays.
            label = f"pages over {plan.dashboard_jobs:,} jobs"
            runs.append((label, self._looked_at))
        return runs

    def _cells(self) -> list[tuple[str, Callable[[], str]]]:
        plan = self._plan
        earth = h3.world(plan.world_columns, plan.world_resolution)
        runs: list[tuple[str, Callable[[], str]]] = [
            (f"{contender}, {case.title}", partial(self._filled, case, contender))
            for case in (earth, h3.country(plan.country_resolution))
            for contender in h3.CONTENDERS
        ]
        # Fewer and more pixels in as many cells.
        for columns in (plan.world_columns // 2, plan.world_columns * 2):
            case = h3.world(columns, plan.world_resolution)
            runs.append((f"{h3.EXACT}, {case.title}", partial(self._filled, case, h3.EXACT)))
        return runs

    def _warm_up(self) -> str:
        return f"{self._app.run(_WARM_UP_TASKS).tasks_per_second:,.0f} tasks/s, not counted"

    def _engine(self, tasks: int) -> str:
        run = self._app.run(tasks)
        self.results.engine.append(run)
        return f"{run.tasks_per_second:,.0f} tasks/s"

    def _procrastinate(self, concurrency: int, connections: int) -> str:
        tasks = self._plan.procrastinate_tasks
        return self._peer(procrastinate_peer.run(self._stack, tasks, concurrency, connections))

    def _prefect(self) -> str:
        return self._peer(prefect_peer.run(self._stack, self._plan.prefect_tasks))

    def _peer(self, run: PeerRun) -> str:
        self.results.peers.append(run)
        return f"{run.favourable_per_second:,.0f} tasks/s"

    def _catalog(self) -> str:
        load = catalog.load(self._stack, self._plan.stac_items, self._plan.rounds)
        self.results.catalog = load
        return f"{load.ratio:.2f} of the bare Loader's rate"

    def _vector_warm_up(self) -> str:
        file = self._vector.file("warm_up.gpkg", lambda path: vector_files.polygons(path, 1_000))
        return f"{self._vector.ours('warm-up', file, 1_000).seconds:.1f} s, not counted"

    def _polygons(self, count: int) -> str:
        file = self._polygon_file(count)
        return self._loaded(self._vector.ours(f"{count:,} polygons", file, count))

    def _ogr2ogr(self) -> str:
        count = self._plan.polygons
        return self._loaded(
            self._vector.peer(f"{count:,} polygons", self._polygon_file(count), count)
        )

    def _polygon_file(self, count: int) -> Path:
        return self._vector.file(
            f"polygons_{count}.gpkg", lambda path: vector_files.polygons(path, count)
        )

    def _points(self) -> str:
        count = self._plan.points
        file = self._vector.file(
            f"points_{count}.csv", lambda path: vector_files.events(path, count)
        )
        return self._loaded(self._vector.ours(f"{count:,} points in a CSV", file, count))

    def _update(self, release: int) -> str:
        run = self._curated.ours(release)
        self.results.curated.append(run)
        return f"{run.seconds:.1f} s, {run.rows / run.seconds:,.0f} records/s"

    def _load_areas(self) -> str:
        run = self._curated.peer(1)
        self.results.curated.append(run)
        return f"{run.seconds:.1f} s, {run.rows / run.seconds:,.0f} records/s"

    def _all_events(self) -> str:
        return self._read(self._events.everything())

    def _load_events(self) -> str:
        return self._read(self._events.peer())

    def _changed_events(self) -> str:
        return self._read(self._events.changes(self._plan.changes))

    def _read(self, run: VectorRun) -> str:
        self.results.events.append(run)
        asked = "" if run.requests is None else f", {run.requests:,} requests"
        return f"{run.seconds:.1f} s, {run.rows / run.seconds:,.0f} records/s{asked}"

    def _cog(self, kind: Kind, side: int) -> str:
        return self._made(self._cogs.ours(kind, side))

    def _translated(self, kind: Kind) -> str:
        return self._made(self._cogs.peer(kind, self._plan.raster_side))

    def _made(self, run: CogRun) -> str:
        self.results.cogs.append(run)
        return f"{run.seconds:.1f} s, {run.raw_bytes / run.seconds / 1e6:,.0f} MB/s"

    def _floods(self) -> str:
        plan = self._plan
        runs = self._fathom.country(plan.flood_pixels, plan.flood_tiles, plan.flood_maps)
        self.results.fathom += runs
        return ", ".join(f"{run.cogs:,} COGs in {run.seconds:.1f} s" for run in runs)

    def _filled(self, case: Case, contender: str) -> str:
        run = self._zonal.fill(case, contender)
        self.results.zonal.append(run)
        return f"{run.seconds:.1f} s, {run.cells_per_second:,.0f} cells/s"

    def _looked_at(self) -> str:
        plan = self._plan
        pages = Dashboard(self._stack, plan.dashboard_jobs, plan.dashboard_tasks)
        self.results.dashboard += pages.measure(plan.dashboard_requests)
        slowest = max(self.results.dashboard, key=lambda refresh: refresh.p95)
        return f"slowest: {slowest.title}, {1000 * slowest.p95:.0f} ms at the 95th percentile"

    def _loaded(self, run: VectorRun) -> str:
        self.results.vector.append(run)
        return f"{run.seconds:.1f} s, {run.rows / run.seconds:,.0f} records/s"

    def _attempt(self, label: str, run: Callable[[], str]) -> None:
        try:
            outcome = run()
        except (BenchmarkError, psycopg.Error) as error:
            outcome = f"failed: {error}"
            self.results.failures.append(f"{label}: {error}")
        self._say(f"  {label:<46} {outcome}")
