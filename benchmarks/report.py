"""Shows what was measured: tables for people, a file of JSON for everything else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import summary
from benchmarks.cogs import CogRun
from benchmarks.dashboard import Refresh
from benchmarks.engine import EngineRun
from benchmarks.fathom import FathomRun
from benchmarks.h3 import ZonalRun
from benchmarks.rounds import Results
from benchmarks.stack import PARTS
from benchmarks.vector import VectorRun

_MB = 1_000_000


def text(results: Results, facts: dict[str, Any]) -> str:
    """The report that is printed."""
    sections = [
        "\n".join(f"{name}: {value}" for name, value in facts.items()),
        *_engine(results),
        *_peers(results),
        *_catalog(results),
        *_files("process_vector", results.vector),
        *_files("curated_update", results.curated),
        *_files("curated_update from an API", results.events),
        *_cogs(results.cogs),
        *_fathom(results.fathom),
        *_zonal(results.zonal),
        *_dashboard(results.dashboard),
        *_claims(results),
    ]
    return "\n\n".join(sections)


def write(results: Results, facts: dict[str, Any], file: Path) -> None:
    """Write every run, not only the medians."""
    document = {
        "facts": facts,
        "engine": [
            {**asdict(run), "tasks_per_second": run.tasks_per_second} for run in results.engine
        ],
        "peers": [
            {
                **asdict(run),
                "committed_per_second": run.committed_per_second,
                "favourable_per_second": run.favourable_per_second,
            }
            for run in results.peers
        ],
        "vector": [asdict(run) for run in results.vector],
        "curated": [asdict(run) for run in results.curated],
        "events": [asdict(run) for run in results.events],
        "cogs": [asdict(run) for run in results.cogs],
        "fathom": [asdict(run) for run in results.fathom],
        "zonal": [
            {**asdict(run), "cells_per_second": run.cells_per_second} for run in results.zonal
        ],
        "dashboard": [{**asdict(run), "p50": run.p50, "p95": run.p95} for run in results.dashboard],
        "catalog": None if results.catalog is None else asdict(results.catalog),
        "claims": [asdict(claim) for claim in summary.claims(results)],
        "failures": results.failures,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document, indent=2) + "\n", "utf-8")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns aligned by spaces: the first to the left, those with figures to the right."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = []
    for row in [header, *rows]:
        first, *others = [
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join([first, *others]).rstrip())
    return "\n".join(lines)


def _engine(results: Results) -> Iterator[str]:
    if not results.engine:
        return
    best = summary.best_rates(results)
    rates = summary.engine_rates(results)
    yield table(
        ["geoforge, whole path", "tasks/s", "ms/task", *(f"x {peer}" for peer in best)],
        [
            [
                f"{tasks:,} tasks",
                f"{rate:,.0f}",
                f"{1000 / rate:.3f}",
                *(f"{rate / other:.2f}" for other in best.values()),
            ]
            for tasks, rate in rates.items()
        ],
    )
    # One run of each size is shown: the last, when the stack has been in use for longest.
    last = {run.tasks: run for run in results.engine}
    yield table(
        ["Memory and growth", *(f"peak {title}" for title in PARTS.values()), *_GROWTH],
        [_memory(last[tasks]) for tasks in sorted(last)],
    )


_GROWTH = ["host grew", "endpoint grew", "ledger per task", "history"]


def _memory(run: EngineRun) -> list[str]:
    peaks = [f"{run.peak_bytes[part] / _MB:,.0f} MB" for part in PARTS]
    grown = [f"{run.grown_bytes[part] / run.tasks:,.0f} B/task" for part in ("host", "service-bus")]
    ledger = f"{run.ledger_bytes_per_task:,.0f} B"
    return [f"{run.tasks:,} tasks", *peaks, *grown, ledger, f"{run.history_events} events"]


def _peers(results: Results) -> Iterator[str]:
    if not results.peers:
        return
    favourable = summary.peer_rates(results, lambda run: run.favourable_per_second)
    committed = summary.peer_rates(results, lambda run: run.committed_per_second)
    peaks = {(run.peer, run.variant): run.peak_bytes for run in results.peers}
    yield table(
        ["Peers", "tasks/s", "until all committed", "peak of its process"],
        [
            [
                ", ".join(variant),
                f"{favourable[variant]:,.0f}",
                f"{committed[variant]:,.0f}",
                f"{peaks[variant] / _MB:,.0f} MB",
            ]
            for variant in sorted(favourable, key=lambda variant: favourable[variant])
        ],
    )


def _catalog(results: Results) -> Iterator[str]:
    load = results.catalog
    if load is None:
        return
    loads = {
        "bare pypgstac Loader": load.bare_seconds,
        "geoforge": load.our_seconds,
        "geoforge, again": load.repeat_seconds,
    }
    yield table(
        [f"{load.items:,} STAC items", "items/s", "of bare"],
        [
            [
                name,
                f"{load.items / summary.median(seconds):,.0f}",
                f"{summary.median(load.bare_seconds) / summary.median(seconds):.2f}",
            ]
            for name, seconds in loads.items()
        ],
    )


def _files(title: str, all_runs: list[VectorRun]) -> Iterator[str]:
    if not all_runs:
        return
    groups: dict[tuple[str, str], list[VectorRun]] = {}
    for run in all_runs:
        groups.setdefault((run.title, run.contender), []).append(run)
    yield table(
        [title, "", "file", "requests", "seconds", "records/s", "peak", "of which (s)"],
        [
            [
                name,
                contender,
                f"{runs[0].file_bytes / _MB:,.0f} MB",
                "" if runs[0].requests is None else f"{runs[0].requests:,}",
                f"{(seconds := summary.median([run.seconds for run in runs])):.1f}",
                f"{runs[0].rows / seconds:,.0f}",
                f"{max(run.peak_bytes for run in runs) / _MB:,.0f} MB",
                ", ".join(f"{name} {spent:.1f}" for name, spent in runs[-1].stages.items()),
            ]
            for (name, contender), runs in groups.items()
        ],
    )


def _cogs(all_runs: list[CogRun]) -> Iterator[str]:
    if not all_runs:
        return
    groups: dict[tuple[str, str], list[CogRun]] = {}
    for run in all_runs:
        groups.setdefault((run.title, run.contender), []).append(run)
    yield table(
        ["process_raster", "", "seconds", "MB/s", "COG", "verified in", "job", "peak", "strips"],
        [
            [
                title,
                contender,
                f"{(seconds := summary.median(run.seconds for run in runs)):.1f}",
                f"{runs[0].raw_bytes / seconds / _MB:,.0f}",
                f"{runs[0].cog_bytes / _MB:,.0f} MB",
                _median_seconds([run.verify_seconds for run in runs]),
                _median_seconds([run.job_seconds for run in runs]),
                f"{max(run.peak_bytes for run in runs) / _MB:,.0f} MB",
                f"{runs[0].strips or ''}",
            ]
            for (title, contender), runs in groups.items()
        ],
    )


def _fathom(runs: list[FathomRun]) -> Iterator[str]:
    if not runs:
        return
    yield table(
        ["FATHOM", "files", "COGs", "seconds", "COGs/s", "in", "out", "peak", "before", "looks"],
        [
            [
                run.title,
                f"{run.sources:,}",
                f"{run.cogs:,}",
                f"{run.seconds:.1f}",
                f"{run.cogs / run.seconds:.2f}",
                f"{run.bytes_in / _MB:,.1f} MB",
                f"{run.bytes_out / _MB:,.1f} MB",
                f"{run.peak_bytes / _MB:,.0f} MB",
                f"{run.before_bytes / _MB:,.0f} MB",
                f"{run.looks}",
            ]
            for run in runs
        ],
    )


def _zonal(runs: list[ZonalRun]) -> Iterator[str]:
    if not runs:
        return
    yield table(
        ["H3 cells", "", "cells", "seconds", "cells/s", "peak", "means within", "of which (s)"],
        [
            [
                run.title,
                run.contender,
                f"{run.cells:,}",
                f"{run.seconds:.1f}",
                f"{run.cells_per_second:,.0f}",
                f"{run.peak_bytes / _MB:,.0f} MB",
                "" if run.off is None else f"{run.off:.1e}",
                ", ".join(f"{name} {spent:.1f}" for name, spent in run.stages.items()),
            ]
            for run in runs
        ],
    )


def _dashboard(runs: list[Refresh]) -> Iterator[str]:
    if not runs:
        return
    yield table(
        ["One refresh", "p50", "p95", "HTML", "gzip", "sent"],
        [
            [
                run.title,
                f"{1000 * run.p50:.1f} ms",
                f"{1000 * run.p95:.1f} ms",
                f"{run.html_bytes / 1000:.1f} kB",
                f"{run.gzip_bytes / 1000:.1f} kB",
                f"{run.sent_bytes / 1000:.1f} kB",
            ]
            for run in runs
        ],
    )


def _median_seconds(spent: Sequence[float | None]) -> str:
    known = [each for each in spent if each is not None]
    return f"{summary.median(known):.1f} s" if known else ""


def _claims(results: Results) -> Iterator[str]:
    claims = summary.claims(results)
    if claims:
        yield "\n".join(
            f"{'holds' if claim.holds else 'DOES NOT HOLD'}: {claim.text} ({claim.figures})"
            for claim in claims
        )
    if results.failures:
        yield "\n".join(["Could not be measured:", *(f"  {text}" for text in results.failures)])
