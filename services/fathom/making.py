"""Stages stack and merge: one COG of flood depths, made, proved, described and drawn.

All that is made goes into the job's workspace; nothing of it can be seen from outside.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from core.errors import GeoforgeError, PermanentTaskError, TaskCancelled, Unavailable
from core.job_definition import JsonObject, TaskContext
from infrastructure.job_progress_contexts import FathomETLTracker
from services.fathom import items, planning, wanted
from services.fathom.model import Built
from services.fathom.parameters import FathomOptions
from services.fathom.wanted import Failure, Source, Wanted
from services.raster import children, creating, encoding, files, room, sources
from services.raster.encoding import Written
from services.vector.source_files import LocalSource

_SCRATCH = "made-"
# What children work with: each is of one task, and would import it anew.
_PRELOAD = (
    "services.fathom.child.stacking",
    "services.fathom.child.merging",
    "services.raster.child.describing",
    "services.raster.child.rendering",
)
# A COG of tiles that are packed without loss is packed about as small again, but nobody knows;
# its overviews are a third more, and are there twice while it is made.
_ROOM = 2 * (1 + 2 / 3)
_MOST_ROOM = 16 << 30

Context = TaskContext[FathomOptions]
# The function of the child's that makes a COG, and the arguments that are not the same for all.
Call = tuple[str, JsonObject]


def make(context: Context, call: Callable[[Wanted, Sequence[Path]], Call]) -> JsonObject:
    """Make the COG of the task's number, by what `call` says for it and for the local paths of
    its sources.

    Returns {index, item_id, bytes_in, bytes_out, seconds, shallower, water, seams, sha256}. Of
    a failure the reason is kept for the report. Raises `PermanentTaskError` for a group that
    was refused from the beginning.
    """
    if "refused" in context.task:
        refused = Failure.model_validate(context.task["refused"])
        raise PermanentTaskError(refused.message, code=refused.code, item_id=refused.item_id)
    index: int = context.task["index"]
    cog = planning.group(context, index)
    try:
        return _made(context, index, cog, call)
    except TaskCancelled:
        raise
    except GeoforgeError as error:
        # Where storage is away, the failure itself says more than that it could not be kept.
        with contextlib.suppress(Unavailable):
            wanted.keep_failure(
                context.workspace,
                index,
                Failure(item_id=cog.item_id, code=error.error_code, message=error.message),
            )
        raise


def _made(
    context: Context, index: int, cog: Wanted, call: Callable[[Wanted, Sequence[Path]], Call]
) -> JsonObject:
    tracker, task = FathomETLTracker(context.job_id), f"{context.task['index']}"
    tracker.working_on(cog.cell or cog.tiles[0])
    with room.told(cog.item_id), _copies(context, cog.sources) as copies:
        sources.make_room(copies[0], int(min(cog.size * _ROOM, _MOST_ROOM)))
        with (
            copies[0].entry.scratch(_SCRATCH) as folder,
            children.child_of_several(
                context.job_id,
                copies,
                folder,
                context.check,
                memory_mb=context.parameters.memory_mb,
                preload=_PRELOAD,
            ) as child,
        ):
            target = folder / "cog.tif"
            function, arguments = call(cog, [each.files[0] for each in copies])
            common = {
                "target": str(target),
                "memory_mb": context.parameters.memory_mb,
                "threads": encoding.threads(),
            }
            built = Built.model_validate(
                children.call(
                    child,
                    function,
                    {**arguments, **common},
                    check=Written(target, context.check, context.progress),
                    what=cog.item_id,
                )
            )
            made = creating.finished(
                context,
                child,
                target,
                (index, cog.item_id),
                built.encoded,
                built.verification,
                items.style(built),
            )
    wanted.keep_built(context.workspace, index, built)
    files.keep(context.workspace, index, made)
    tracker.tile_done(task, len(cog.sources), cog.size)
    tracker.region_completed(task)
    return {
        "index": index,
        "item_id": cog.item_id,
        "bytes_in": cog.size,
        "bytes_out": made.cog.bytes,
        "seconds": round(built.encoded.seconds, 3),
        "shallower": sum(each.pixels for each in built.depths.shallower),
        "water": max(built.depths.water),
        "seams": built.seams,
        "missing": list(cog.missing),
        "sha256": made.sha256,
    }


@contextlib.contextmanager
def _copies(context: Context, wanted_sources: Sequence[Source]) -> Iterator[list[LocalSource]]:
    """The sources on this machine, for as long as the context is open."""
    with contextlib.ExitStack() as stack:
        found = []
        for number, source in enumerate(wanted_sources, start=1):
            copy = sources.local_copy(source.ref, check=context.check)
            found.append(stack.enter_context(copy))
            context.progress(tiles_fetched=number, tiles_to_fetch=len(wanted_sources))
        yield found
