"""Stage inventory: which stacks a container holds the files of, each file in its present version.

The stacks are kept in the job's workspace, in pages, and so is what is in none of them. A later
stage finds them by what this one has returned (`listed`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

from core.counting import counted
from core.errors import NotFound, PermanentTaskError
from core.job_definition import JobContext, JsonObject, TaskContext, Workspace
from services import previews
from services.fathom.grouping import Counts, Grouping, Problem, StackGroup
from services.fathom.names import FathomMap
from services.fathom.parameters import FathomTiles
from services.fathom.selecting import selection
from services.raster.model import RasterModel
from services.vector import source_files

STAGE = "inventory"

_MAX_BLOBS = 1_000_000
_CHECK_EVERY = 1000
_PREVIEW_SECONDS = 20.0
_PAGE = 100

M = TypeVar("M", bound=RasterModel)


class StackList(RasterModel):
    """What was found: `stacks` and `problems` are how many of each there are in `folder`."""

    folder: str
    counts: Counts
    unparsed_by_reason: dict[str, int]
    stacks: int
    problems: int
    bytes: int


def list_stacks(context: TaskContext[FathomTiles]) -> JsonObject:
    """List the container, and keep the stacks and the problems in the workspace.

    Returns a `StackList`; a container without any stack is no error (`refuse_nothing` makes it
    one). Raises `PermanentTaskError` for a missing container, for more blobs than one job can
    take, and for a country that cannot be found.
    """
    grouping = _grouped(
        context.parameters,
        context.check,
        lambda count: context.progress(blobs_listed=count),
    )
    # An attempt that has lost its lease may still be writing: each has a folder of its own.
    folder = f"listing/{context.attempt}"
    size = 0

    def counting() -> Iterator[StackGroup]:
        nonlocal size
        for stack in grouping.stacks():
            size += stack.size
            yield stack

    stacks = _write(context, f"{folder}/stacks", counting())
    problems = _write(context, f"{folder}/problems", grouping.problems())
    return StackList(
        folder=folder,
        counts=grouping.counts(),
        unparsed_by_reason=_by_reason(grouping),
        stacks=stacks,
        problems=problems,
        bytes=size,
    ).model_dump(mode="json")


def preview(parameters: FathomTiles) -> JsonObject:
    """What a job would find, for a dry run: {counts, stacks, maps, tiles, bytes,
    unparsed_by_reason}.

    `counts` are `Counts`, and `bytes` those of the files in stacks. Nothing is written. Raises
    what `list_stacks` raises, and preview_too_slow.
    """
    check = previews.deadline(f"{where(parameters)} cannot be listed", _PREVIEW_SECONDS)
    grouping = _grouped(parameters, check, lambda _: None)
    stacks = size = 0
    maps: set[FathomMap] = set()
    tiles: set[str] = set()
    for stack in grouping.stacks():
        if stacks % _CHECK_EVERY == 0:
            check()
        stacks += 1
        size += stack.size
        maps.add(stack.map)
        tiles.add(stack.tile)
    return {
        "counts": grouping.counts().model_dump(),
        "stacks": stacks,
        "maps": len(maps),
        "tiles": len(tiles),
        "bytes": size,
        "unparsed_by_reason": _by_reason(grouping),
    }


def listed(context: JobContext[FathomTiles]) -> StackList:
    """What the stage has found, for stages after it."""
    return StackList.model_validate(next(context.results(STAGE)).result)


def read_stacks(workspace: Workspace, found: StackList) -> Iterator[StackGroup]:
    """The stacks, in the order of their ids."""
    return _read(workspace, f"{found.folder}/stacks", found.stacks, StackGroup)


def read_problems(workspace: Workspace, found: StackList) -> Iterator[Problem]:
    """What is in no stack, and why."""
    return _read(workspace, f"{found.folder}/problems", found.problems, Problem)


def refuse_nothing(parameters: FathomTiles, found: StackList) -> None:
    """Raise `PermanentTaskError` (no_stacks) where there is not one stack, saying why."""
    if found.stacks:
        return
    counts = found.counts
    passed = [
        f"{counted(number, 'file')} {what}"
        for number, what in (
            (counts.unparsed, "with names that say too little"),
            (counts.duplicates, "of stacks with several files for one return period"),
            (counts.deselected, "of other maps or tiles than those asked for"),
            (counts.other, "that are no TIFFs"),
        )
        if number
    ]
    raise PermanentTaskError(
        f"There is no flood map of FATHOM in {where(parameters)}"
        + (f": only {'; '.join(passed)}." if passed else ", and nothing else."),
        code="no_stacks",
        counts=counts.model_dump(),
        unparsed_by_reason=found.unparsed_by_reason,
    )


def where(parameters: FathomTiles) -> str:
    """The place that is listed, for people."""
    return f"{parameters.container_name}/{parameters.prefix}"


def _grouped(
    parameters: FathomTiles, check: Callable[[], None], progress: Callable[[int], None]
) -> Grouping:
    grouping = Grouping(selection(parameters).takes)
    blobs = source_files.listed(parameters.container_name, parameters.prefix)
    try:
        for count, blob in enumerate(islice(blobs, _MAX_BLOBS + 1)):
            if count == _MAX_BLOBS:
                raise PermanentTaskError(
                    f"There are more than {_MAX_BLOBS:,} blobs under {where(parameters)}. Give a "
                    "longer prefix.",
                    code="too_many_files",
                )
            if count % _CHECK_EVERY == 0:
                check()
                progress(count)
            grouping.add(blob)
    except NotFound as error:
        raise PermanentTaskError(error.message, code=error.error_code) from error
    check()
    progress(grouping.counts().listed)
    return grouping


def _by_reason(grouping: Grouping) -> dict[str, int]:
    reasons: Counter[str] = Counter(
        {reason.value: count for reason, count in grouping.unparsed_by_reason.items()}
    )
    return dict(reasons.most_common())


def _write(context: TaskContext[FathomTiles], folder: str, values: Iterable[RasterModel]) -> int:
    """Keep values in pages of lines of JSON; how many there are."""
    remaining = iter(values)
    count = 0
    while page := list(islice(remaining, _PAGE)):
        context.check()
        lines = (value.model_dump_json().encode() + b"\n" for value in page)
        context.workspace.write_bytes(f"{folder}/{count // _PAGE}.ndjson", b"".join(lines))
        count += len(page)
    return count


def _read(workspace: Workspace, folder: str, count: int, kind: type[M]) -> Iterator[M]:
    for page in range(-(-count // _PAGE)):
        for line in workspace.read_bytes(f"{folder}/{page}.ndjson").splitlines():
            yield kind.model_validate_json(line)
