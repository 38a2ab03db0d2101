"""The report shows every figure, and the file every run."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks import report
from benchmarks.catalog import CatalogLoad
from benchmarks.dashboard import Refresh
from benchmarks.engine import EngineRun
from benchmarks.fathom import FathomRun
from benchmarks.h3 import EXACTEXTRACT, JOB, ZonalRun
from benchmarks.peer_run import PeerRun
from benchmarks.rounds import Results
from benchmarks.vector import OURS, VectorRun

MEMORY = {"host": 120_000_000, "service-bus": 30_000_000, "postgres": 90_000_000}
GROWN = {"host": 500_000, "service-bus": 0, "postgres": 0}

RESULTS = Results(
    engine=[EngineRun(1000, 0.5, MEMORY, GROWN, 540.0, 14, 0)],
    peers=[
        PeerRun("procrastinate", "concurrency 10", 300, 1.5, 1.0, 48_000_000),
        PeerRun("Prefect", "thread pool", 100, 10.0, 2.0, 110_000_000),
    ],
    catalog=CatalogLoad(20_000, [1.0], [1.6], [1.25]),
    vector=[
        VectorRun("9 parcels", OURS, 9, 2_000_000, 4.5, {"clean": 2.0}, 300_000_000, 9),
        VectorRun("9 parcels", "ogr2ogr", 9, 2_000_000, 9.0, {}, 80_000_000, 9),
        VectorRun("9 events", OURS, 9, 1_000_000, 3.0, {}, 90_000_000, 9, 1_234),
    ],
    fathom=[
        FathomRun(
            "stack 6 tiles",
            1_872,
            234,
            9_000_000,
            7_500_000,
            117.0,
            {},
            600_000_000,
            200_000_000,
            40,
        ),
    ],
    zonal=[
        ZonalRun("Earth", EXACTEXTRACT, 2_000, 0, 0.25, 150_000_000, off=2e-6),
        ZonalRun("Earth", JOB, 2_000, 0, 4.0, 700_000_000, stages={"compute_stats": 1.5}),
    ],
    dashboard=[Refresh("jobs", [0.020, 0.010, 0.030], 56_800, 5_400, 5_400)],
    failures=["Prefect: no server"],
)


def lines(results: Results) -> list[str]:
    return [" ".join(line.split()) for line in report.text(results, {"Load": "0.1"}).splitlines()]


def test_every_figure_is_shown() -> None:
    shown = lines(RESULTS)
    assert "Load: 0.1" in shown
    assert "1,000 tasks 2,000 0.500 6.67 40.00" in shown
    assert "1,000 tasks 120 MB 30 MB 90 MB 500 B/task 0 B/task 540 B 14 events" in shown
    assert "procrastinate, concurrency 10 300 200 48 MB" in shown
    assert "Prefect, thread pool 50 10 110 MB" in shown
    assert "geoforge 12,500 0.62" in shown
    assert "geoforge, again 16,000 0.80" in shown
    assert "9 parcels geoforge 2 MB 4.5 2 300 MB clean 2.0" in shown
    assert "9 parcels ogr2ogr 2 MB 9.0 1 80 MB" in shown
    assert "9 events geoforge 1 MB 1,234 3.0 3 90 MB" in shown
    assert "Earth exactextract 2,000 0.2 8,000 150 MB 2.0e-06" in shown
    assert "Earth geoforge, the job 2,000 4.0 500 700 MB compute_stats 1.5" in shown
    assert "jobs 20.0 ms 29.0 ms 56.8 kB 5.4 kB 5.4 kB" in shown
    assert "stack 6 tiles 1,872 234 117.0 2.00 9.0 MB 7.5 MB 600 MB 200 MB 40" in shown


def test_claims_say_whether_they_hold() -> None:
    shown = lines(RESULTS)
    assert "holds: At least 1,000 tasks/s, at every size (slowest: 2,000 tasks/s)" in shown
    assert any(line.startswith("DOES NOT HOLD: 20,000 STAC items") for line in shown)
    assert "Prefect: no server" in shown


def test_what_was_not_measured_takes_no_room() -> None:
    assert lines(Results()) == ["Load: 0.1"]


def test_the_file_holds_every_run(tmp_path: Path) -> None:
    file = tmp_path / "new" / "results.json"
    report.write(RESULTS, {"Load": "0.1"}, file)
    document = json.loads(file.read_text())
    assert document["engine"][0]["tasks_per_second"] == 2000
    assert [run["favourable_per_second"] for run in document["peers"]] == [300, 50]
    assert document["catalog"]["our_seconds"] == [1.6]
    assert {claim["holds"] for claim in document["claims"]} == {True, False}
    assert [run["cogs"] for run in document["fathom"]] == [234]
    assert [run["p50"] for run in document["dashboard"]] == [0.02]
    assert document["failures"] == ["Prefect: no server"]
