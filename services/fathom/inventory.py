"""Stage report of inventory_fathom_container: what a container holds, counted and published."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import orjson

from core.counting import counted
from core.job_definition import JobContext, JsonObject, TaskContext
from core.result_lists import listed
from infrastructure.blob_upload import upload_file
from services.fathom import listing
from services.fathom.grouping import Problem, StackGroup
from services.fathom.listing import StackList
from services.fathom.model import band_name
from services.fathom.names import FathomMap
from services.fathom.parameters import InventoryFathomContainer

Context = TaskContext[InventoryFathomContainer]

STAGE = "report"

# The result is kept in the ledger, and must stay far below 100 KB.
_PATHS = 3
_MAPS = 200
_CHECK_EVERY = 1000
_NDJSON = "application/x-ndjson"


def publish_reports(context: Context) -> JsonObject:
    """Publish a line of JSON for every stack and every problem; the job's result.

    A container without any stack is no error here: its report says what is there instead.
    Raises `TransientTaskError` where a report does not arrive whole.
    """
    found = listing.listed(context)
    workspace = context.workspace
    stacks = _Stacks()
    published = {
        "stacks": _publish(
            context, "stacks", stacks.counted(listing.read_stacks(workspace, found))
        ),
        "problems": _publish(
            context,
            "problems",
            (problem.model_dump() for problem in listing.read_problems(workspace, found)),
        ),
    }
    return {
        "message": _message(context.parameters, found, stacks),
        "container": context.parameters.container_name,
        "prefix": context.parameters.prefix,
        "counts": found.counts.model_dump(),
        "stacks": found.stacks,
        "bytes": found.bytes,
        **stacks.as_json(),
        "unparsed_by_reason": found.unparsed_by_reason,
        "problems": found.problems,
        "first_problems": list(listed(map(_in_short, listing.read_problems(workspace, found)))),
        "reports": published,
    }


def job_result(context: JobContext[InventoryFathomContainer]) -> JsonObject:
    """The result as the stage left it in the ledger."""
    return next(context.results(STAGE)).result


class _Stacks:
    """Counts stacks as they go by."""

    def __init__(self) -> None:
        self.incomplete = 0
        self._maps: Counter[FathomMap] = Counter()
        self._tiles: set[str] = set()
        self._missing: Counter[int] = Counter()

    @property
    def maps(self) -> int:
        return len(self._maps)

    @property
    def tiles(self) -> int:
        return len(self._tiles)

    def counted(self, stacks: Iterable[StackGroup]) -> Iterator[JsonObject]:
        """The stacks' lines in the report, each counted."""
        for stack in stacks:
            self._maps[stack.map] += 1
            self._tiles.add(stack.tile)
            self._missing.update(stack.missing)
            self.incomplete += bool(stack.missing)
            yield _of_stack(stack)

    def as_json(self) -> JsonObject:
        """How many there are of each kind; of maps those with the most stacks come first."""
        return {
            "tiles": len(self._tiles),
            "maps": len(self._maps),
            "by_flood_type": self._by("flood_type"),
            "by_defence": self._by("defence"),
            "by_year": self._by("year"),
            "by_ssp": self._by("ssp"),
            "by_version": self._by("version"),
            "by_map": {of.key: count for of, count in self._maps.most_common(_MAPS)},
            "incomplete": self.incomplete,
            "missing_return_periods": {
                band_name(years): count for years, count in sorted(self._missing.items())
            },
        }

    def _by(self, name: str) -> dict[str, int]:
        """Stacks by an attribute of their maps; those without it under "none"."""
        counts: Counter[str] = Counter()
        for of, count in self._maps.items():
            value = getattr(of, name)
            counts["none" if value is None else str(value)] += count
        return dict(sorted(counts.items()))


def _message(parameters: InventoryFathomContainer, found: StackList, stacks: _Stacks) -> str:
    """What was found, for people."""
    text = (
        f"{listing.where(parameters)} holds {counted(found.stacks, 'stack')} of "
        f"{counted(stacks.maps, 'map')} on {counted(stacks.tiles, 'tile')}"
    )
    counts = found.counts
    notes = [
        said
        for number, said in (
            (stacks.incomplete, f"{stacks.incomplete:,} without some return periods"),
            (
                counts.duplicates,
                f"{counted(counts.duplicates, 'file')} of stacks refused for duplicates",
            ),
            (
                counts.unparsed,
                f"{counted(counts.unparsed, 'file')} with names that say too little",
            ),
            (counts.deselected, f"{counted(counts.deselected, 'file')} not asked for"),
            (
                counts.other,
                counted(counts.other, "file that is no TIFF", "files that are no TIFFs"),
            ),
        )
        if number
    ]
    return f"{text}; {', '.join(notes)}." if notes else f"{text}."


def _of_stack(stack: StackGroup) -> JsonObject:
    return {
        "item_id": stack.item_id,
        "tile": stack.tile,
        **stack.map.model_dump(),
        "files": {band_name(years): file.model_dump() for years, file in stack.files.items()},
        "missing": [band_name(years) for years in stack.missing],
    }


def _in_short(problem: Problem) -> JsonObject:
    return {**problem.model_dump(), "paths": list(problem.paths[:_PATHS])}


def _publish(context: Context, what: str, records: Iterable[JsonObject]) -> JsonObject:
    """Write a report; where it is, and how many bytes it has."""
    parameters = context.parameters
    path = f"inventory/{parameters.container_name}/{what}-{context.job_id[:12]}.ndjson"
    with tempfile.TemporaryDirectory(prefix="geoforge-fathom-") as folder:
        file = Path(folder, "report.ndjson")
        with file.open("wb") as stream:
            for number, record in enumerate(records):
                if number % _CHECK_EVERY == 0:
                    context.check()
                stream.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
        version = upload_file(
            file, parameters.report_container, path, content_type=_NDJSON, check=context.check
        )
    return {"container": version.container, "path": version.path, "bytes": version.size}
