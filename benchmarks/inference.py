"""`python -m benchmarks.inference`: is it what it says, and as often as it says?

Labelled rasters go through the survey that process_raster and /api/raster/inspect begin with, in
the same sandboxed child processes; nothing else of the stack is wanted. The labels are a table in
TSV with the columns path (below the folder of the data), expected_type, also_ok (types accepted
as well, with | between them) and scored ("yes" for rasters that count).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import inference_figures
from benchmarks.errors import BenchmarkError
from benchmarks.inference_figures import Answer
from core.errors import PermanentTaskError
from infrastructure.file_cache import Entry
from local.stack.settings import CHECKOUT
from services.raster import children, sidecars, sources, surveying
from services.raster.model import RasterType, Survey
from services.raster.parameters import RasterOptions
from services.vector.source_files import LocalSource

_DATA = Path(os.environ.get("GEOFORGE_DATA", CHECKOUT.parent / "shared" / "data"))
_LABELS = "MANIFEST.tsv"
# The app's settings want to know of these. Nothing here connects to them.
_SERVICES = {
    "DATABASE_URL": "postgresql://nowhere.invalid/",
    "AZURE_STORAGE_CONNECTION_STRING__accountUrl": "https://nowhere.invalid",
    "SERVICE_BUS_CONNECTION_STRING__fullyQualifiedNamespace": "nowhere.invalid",
}
_SECONDS = 120.0
_EVERY = 25


@dataclass(frozen=True)
class Label:
    """What is known of one raster, from documentation and from looking at it."""

    path: str
    expected: RasterType
    accepted: frozenset[str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Survey all labelled rasters and print how good the inference is.

    Returns 0 whatever the figures say, 2 where there is nothing to measure.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inference", description=__doc__)
    parser.add_argument("--data", type=Path, default=_DATA, metavar="FOLDER")
    parser.add_argument(
        "--labels", type=Path, metavar="TSV", help=f"default: {_LABELS} in the folder of the data"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every survey there")
    parser.add_argument(
        "--no-errors", action="store_true", help="do not name the rasters that are not right"
    )
    options = parser.parse_args(arguments)
    try:
        labels = read_labels(options.labels or options.data / _LABELS)
        answers, surveys = measure(options.data, labels, _say)
    except BenchmarkError as error:
        print(error, file=sys.stderr)
        return 2
    print(inference_figures.text(answers, with_errors=not options.no_errors))
    if options.json is not None:
        options.json.write_text(json.dumps(surveys, indent=1))
    return 0


def read_labels(file: Path) -> list[Label]:
    """The labels of the rasters that count.

    Raises:
        BenchmarkError: there is no such table, it lacks a column, names no type, or is empty.
    """
    try:
        with file.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
        labels = [
            Label(
                row["path"],
                RasterType(row["expected_type"]),
                frozenset(filter(None, row["also_ok"].split("|"))),
            )
            for row in rows
            if row["scored"] == "yes"
        ]
    except OSError as error:
        raise BenchmarkError(f"No labels: {error}") from error
    except KeyError as error:
        raise BenchmarkError(f"{file} has no column {error}") from error
    except ValueError as error:
        raise BenchmarkError(f"{file}: {error}") from error
    if not labels:
        raise BenchmarkError(f"{file} has no raster that counts")
    return labels


def measure(
    data: Path, labels: Sequence[Label], say: Callable[[str], None]
) -> tuple[list[Answer], dict[str, Any]]:
    """Survey each labelled raster.

    Returns:
        What was said of each, and the surveys as JSON, by path, of those not refused.

    Raises:
        BenchmarkError: a raster is not there.
    """
    answers: list[Answer] = []
    surveys: dict[str, Any] = {}
    for label in labels:
        answer, found = _ask(data, label)
        answers.append(answer)
        if found is not None:
            surveys[label.path] = found.model_dump(mode="json")
        if len(answers) % _EVERY == 0:
            say(f"{len(answers)} of {len(labels)}")
    return answers, surveys


def _ask(data: Path, label: Label) -> tuple[Answer, Survey | None]:
    raster = data / label.path
    if not raster.is_file():
        raise BenchmarkError(f"{raster} is not there")
    with _copy(raster) as source:
        began = time.monotonic()
        try:
            with children.brief_child(source, _SECONDS) as child:
                path = sources.raster_path(source, child, None)
                found = surveying.survey(child, path, raster.name, RasterOptions(), None)
        except PermanentTaskError as error:
            return Answer(
                label.path,
                label.expected,
                label.accepted,
                said=None,
                seconds=time.monotonic() - began,
                refusal=f"{error.error_code}: {error.message}",
            ), None
        seconds = time.monotonic() - began
    inference = found.inference
    return Answer(
        label.path,
        label.expected,
        label.accepted,
        said=inference.type,
        confidence=inference.confidence,
        likelihood=next(
            each.probability for each in inference.candidates if each.type is label.expected
        ),
        seconds=seconds,
    ), found


@contextmanager
def _copy(raster: Path) -> Iterator[LocalSource]:
    """The raster with its sidecars in a folder of their own: a child reads and writes no other."""
    with tempfile.TemporaryDirectory(prefix="geoforge-inference-") as name:
        folder = Path(name)
        copies = [Path(shutil.copy(raster, folder))]
        for local, sidecar in sidecars.among(raster, list(raster.parent.iterdir())).items():
            copies.append(Path(shutil.copy(sidecar, folder / local)))
        yield LocalSource(folder, copies, Entry(folder), _never)


def _never() -> None:
    """Nothing asks a benchmark to stop but an interrupt, which is an exception by itself."""


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _name_services() -> None:
    """Settings want services to be named; none of them is asked for anything here."""
    for name, value in _SERVICES.items():
        os.environ.setdefault(name, value)


if __name__ == "__main__":
    _name_services()
    sys.exit(main())
