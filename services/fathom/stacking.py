"""process_fathom_stack: which stacks a container's tiles make up, and the COG of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from core.job_definition import JsonObject, TaskContext
from core.result_lists import listed
from services.fathom import listing, making, planning
from services.fathom.grouping import StackGroup
from services.fathom.listing import StackList
from services.fathom.making import Call
from services.fathom.model import band_name
from services.fathom.parameters import ProcessFathomStack
from services.fathom.tiles import Tile
from services.fathom.wanted import Failure, Source, Wanted

STAGE = "stack"

_STACK = "services.fathom.child.stacking:stack"

Context = TaskContext[ProcessFathomStack]


def list_stacks(context: Context) -> JsonObject:
    """Find the stacks that there are files of, and keep which of them are to be made.

    Returns {planned, listing, first_problems}: a `planning.Planned`, a `listing.StackList`, and
    why the first files are in no stack. Raises what `listing.list_stacks` raises, and
    `PermanentTaskError` where there is no stack at all (no_stacks), and what `planning.plan`
    raises for stacks that have several files for one return period (duplicate_return_period).
    """
    parameters = context.parameters
    found = StackList.model_validate(listing.list_stacks(context))
    refused = list(_refused(context, found))
    if not refused:
        listing.refuse_nothing(parameters, found)
    groups = listing.read_stacks(context.workspace, found)
    planned = planning.plan(
        context,
        parameters.collection_id,
        (_wanted(each, parameters) for each in groups),
        refused,
        leaves_out=parameters.failed_tiles == "report",
        hint="Or leave these out by failed_tiles: report.",
    )
    problems = listing.read_problems(context.workspace, found)
    return {
        "planned": planned.model_dump(mode="json"),
        "listing": found.model_dump(mode="json"),
        "first_problems": list(
            listed({"code": each.code, "message": each.message} for each in problems)
        ),
    }


def make_stack(context: Context) -> JsonObject:
    """Make the COG of one stack. Returns what `making.make` does."""
    return making.make(context, _call)


def _wanted(group: StackGroup, parameters: ProcessFathomStack) -> Wanted:
    container = parameters.container_name
    return Wanted(
        item_id=group.item_id,
        map=group.map,
        tiles=(group.tile,),
        missing=tuple(map(band_name, group.missing)),
        is_restricted=parameters.restricted,
        sources=tuple(
            Source(role=band_name(years), container=container, **file.model_dump())
            for years, file in group.files.items()
        ),
    )


def _refused(context: Context, found: StackList) -> Iterator[Failure]:
    for problem in listing.read_problems(context.workspace, found):
        if problem.item_id is not None:
            yield Failure(item_id=problem.item_id, code=problem.code, message=problem.message)


def _call(stack: Wanted, paths: Sequence[Path]) -> Call:
    (tile,) = stack.tiles
    files = [
        {"band": source.role, "name": source.path, "path": str(path)}
        for source, path in zip(stack.sources, paths, strict=True)
    ]
    return _STACK, {"files": files, "tile": tile, "bounds": list(Tile.of(tile).bounds)}
