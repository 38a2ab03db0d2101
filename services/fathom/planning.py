"""What a job makes, what it leaves out, and why: found once, read by all stages after it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from core.counting import counted
from core.errors import PermanentTaskError
from core.job_definition import JobContext, JsonObject, TaskContext, TaskSpec
from infrastructure.job_progress_contexts import FathomETLTracker
from services.fathom import skipping, wanted
from services.fathom.parameters import FathomOptions
from services.fathom.skipping import Judged
from services.fathom.wanted import Failure, Wanted
from services.raster.model import RasterModel

INVENTORY = "inventory"

_SHOWN = 5
_LISTED = 100
# Letters of a reason in the ledger, which holds little.
_REASON = 3000

Job = JobContext[FathomOptions]
Context = TaskContext[FathomOptions]


class Planned(RasterModel):
    """What the stage inventory has found, kept in `folder` of the workspace.

    Of `groups`, each of which becomes one COG, `to_make` are to be made, of `sources` files of
    `bytes` together; `skipped` are in the catalog already, and `refused` cannot be made. `first`
    are the ids of some that are to be made. A job that is only a dry run learns in `would_fail`
    why it would fail because of those refused.
    """

    folder: str
    groups: int
    to_make: int
    skipped: int
    refused: int
    sources: int
    bytes: int
    first: tuple[str, ...]
    would_fail: str | None = None


def plan(
    context: Context,
    collection_id: str,
    groups: Iterable[Wanted],
    refused: Sequence[Failure] = (),
    *,
    leaves_out: bool = False,
    hint: str = "",
) -> Planned:
    """Keep which of the groups are to be made, and begin to show the job's figures.

    `refused` are known not to be possible already; `leaves_out` says that such are left out.
    Raises what `skipping.left_over` raises, and, unless they are left out, `PermanentTaskError`
    with the code of the first that is refused; its message ends with `hint`.
    """
    # An attempt that has lost its lease may still be writing: each has a folder of its own.
    folder = f"planned/{context.attempt}"
    choice = _Choice(refused=list(refused))
    chosen = choice.among(
        skipping.left_over(groups, collection_id, context.parameters, context.check)
    )
    to_make = wanted.write(context.workspace, folder, chosen)
    context.workspace.write_json(_skipped_name(folder), choice.skipped)
    wanted.write_failures(context.workspace, _refused_name(folder), choice.refused)
    failing = None if leaves_out else _failing(choice.refused, hint)
    if not context.parameters.dry_run:
        if failing is not None:
            raise failing
        FathomETLTracker(context.job_id).begin(choice.sources)
    return Planned(
        folder=folder,
        groups=to_make + len(choice.skipped) + len(choice.refused),
        to_make=to_make,
        skipped=len(choice.skipped),
        refused=len(choice.refused),
        sources=choice.sources,
        bytes=choice.bytes,
        first=tuple(choice.first),
        would_fail=None if failing is None else failing.message[:_REASON],
    )


def planned(context: Job) -> Planned:
    """What the stage inventory has found."""
    result = next(context.results(INVENTORY)).result
    return Planned.model_validate(result["planned"])


def cogs(context: Job) -> Iterator[TaskSpec]:
    """A task for each COG that is to be made, and for each that cannot be, which fails: so that
    the job ends with errors. None in a dry run."""
    if not context.parameters.dry_run:
        found = planned(context)
        for index in range(found.to_make):
            yield TaskSpec({"index": index})
        for failure in refused(context):
            short = failure.model_copy(update={"message": failure.message[:_REASON]})
            yield TaskSpec({"refused": short.model_dump()})


def publication(context: Job) -> Iterator[TaskSpec]:
    """The one task that publishes; none in a dry run."""
    if not context.parameters.dry_run:
        yield TaskSpec()


def group(context: Job, index: int) -> Wanted:
    """A group that is to be made, by its number."""
    return next(groups(context, [index]))


def groups(context: Job, indices: Iterable[int]) -> Iterator[Wanted]:
    """Groups that are to be made, by their numbers."""
    return wanted.read(context.workspace, planned(context).folder, indices)


def skipped(context: Job) -> list[str]:
    """The ids of the Items that the catalog has already."""
    ids: list[str] = context.workspace.read_json(_skipped_name(planned(context).folder))
    return ids


def refused(context: Job) -> list[Failure]:
    """The groups of which it was known from the beginning that they cannot be made."""
    return wanted.read_failures(context.workspace, _refused_name(planned(context).folder))


def _failing(failures: Sequence[Failure], hint: str) -> PermanentTaskError | None:
    """What the job fails with because of groups that cannot be made, if there are any."""
    if not failures:
        return None
    more = f" (and {len(failures) - _SHOWN:,} more)" if len(failures) > _SHOWN else ""
    said = " ".join(each.message for each in failures[:_SHOWN])
    return PermanentTaskError(
        f"{counted(len(failures), 'COG')} cannot be made: {said}{more} {hint}".rstrip(),
        code=failures[0].code,
        item_ids=[each.item_id for each in failures[:_LISTED]],
    )


def dry_result(found: Planned) -> JsonObject:
    """What a dry run answers: {dry_run, would_fail, message, groups, would_make, skipped, failed,
    sources, bytes, first}. `would_make` is what can be made, also where the job would fail."""
    of_all = f"{found.skipped:,} of {found.groups:,} are in the catalog already"
    what = f"{counted(found.to_make, 'COG')} of {counted(found.sources, 'file')}; {of_all}"
    if found.would_fail is not None:
        message = f"The job would fail: {found.would_fail} Without these it would make {what}."
    elif found.refused:
        message = f"Would make {what}, and {found.refused:,} cannot be made and are left out."
    else:
        message = f"Would make {what}."
    return {
        "dry_run": True,
        "would_fail": found.would_fail is not None,
        "message": f"{message} Nothing was written.",
        "groups": found.groups,
        "would_make": found.to_make,
        "skipped": found.skipped,
        "failed": found.refused,
        "sources": found.sources,
        "bytes": found.bytes,
        "first": list(found.first),
    }


@dataclass(slots=True)
class _Choice:
    """Counts groups as they go by, and keeps those that are to be made."""

    refused: list[Failure]
    sources: int = 0
    bytes: int = 0
    skipped: list[str] = field(default_factory=list)
    first: list[str] = field(default_factory=list)

    def among(self, judged: Iterable[Judged]) -> Iterator[Wanted]:
        for each, is_to_be_made, refusal in judged:
            if refusal is not None:
                self.refused.append(refusal)
                continue
            if not is_to_be_made:
                self.skipped.append(each.item_id)
                continue
            self.sources += len(each.sources)
            self.bytes += each.size
            if len(self.first) < _LISTED:
                self.first.append(each.item_id)
            yield each


def _skipped_name(folder: str) -> str:
    return f"{folder}/skipped.json"


def _refused_name(folder: str) -> str:
    return f"{folder}/refused.ndjson"
