"""The plan of an aggregation, kept in the job's workspace between its stages.

The plan of thousands of rasters has tens of megabytes, and a task needs little of it. So it is kept
in parts: the `Head`, which is all that the last stage needs; the area; and pages of blocks, each
with the rasters near them, of which a task reads one.

All lie in a folder of the attempt that made them, which is named by the result of its stage: an
attempt that comes late writes over nothing that is in use.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, Final

from core.job_definition import JobContext, Workspace
from services.h3 import planning
from services.h3.model import Head, Member, Mosaic, Page, Plan

# The stage that makes the plan, and in its result the name of the plan's folder.
STAGE: Final = "inventory_cells"
PLAN: Final = "plan"

_BLOCKS_A_PAGE = 64
_HEAD, _AREA = "head.json", "area.json"


def keep(workspace: Workspace, plan: Plan, attempt: int, check: Callable[[], None]) -> str:
    """Keep a plan that this attempt has made; the name of its folder. `check` may raise, to
    stop."""
    folder = f"{PLAN}/{attempt}"
    for number, page in enumerate(pages(plan)):
        check()
        workspace.write_bytes(_page_name(folder, number), page.model_dump_json().encode())
    workspace.write_json(f"{folder}/{_AREA}", plan.area)
    workspace.write_bytes(f"{folder}/{_HEAD}", head_of(plan).model_dump_json().encode())
    return folder


def head(context: JobContext[Any]) -> Head:
    """What the last stage needs of the plan that the first has made."""
    return Head.model_validate_json(context.workspace.read_bytes(f"{_folder(context)}/{_HEAD}"))


def page(context: JobContext[Any], block: int) -> Page:
    """The part of the plan in which a block is, by its index."""
    name = _page_name(_folder(context), block // _BLOCKS_A_PAGE)
    return Page.model_validate_json(context.workspace.read_bytes(name))


def area(context: JobContext[Any]) -> dict[str, Any] | None:
    """The area of the plan: a GeoJSON geometry, None where there is none."""
    found: dict[str, Any] | None = context.workspace.read_json(f"{_folder(context)}/{_AREA}")
    return found


def head_of(plan: Plan) -> Head:
    """A plan without its rasters."""
    return Head(
        resolution=plan.resolution,
        weighting=plan.weighting,
        statistics=plan.statistics,
        rasters=len(plan.rasters),
        band=planning.band_of(plan.rasters),
        blocks=tuple(block.model_copy(update={"rasters": ()}) for block in plan.blocks),
        is_restricted=plan.is_restricted,
        notes=plan.notes,
    )


def pages(plan: Plan) -> Iterator[Page]:
    """The blocks of a plan, some at a time, with what is near them."""
    places = {
        member.raster: (number, member)
        for number, mosaic in enumerate(plan.mosaics)
        for member in mosaic.members
    }
    for first in range(0, len(plan.blocks), _BLOCKS_A_PAGE):
        blocks = plan.blocks[first : first + _BLOCKS_A_PAGE]
        near = sorted({number for block in blocks for number in block.rasters})
        yield Page(
            resolution=plan.resolution,
            weighting=plan.weighting,
            statistics=plan.statistics,
            blocks=blocks,
            blocks_total=len(plan.blocks),
            mosaics=tuple(_with_members(plan, [places[number] for number in near])),
            rasters={number: plan.rasters[number] for number in near},
        )


def _with_members(plan: Plan, places: list[tuple[int, Member]]) -> Iterator[Mosaic]:
    """The mosaics with no members but these, which keep their order: that of the rasters."""
    places = sorted(places, key=lambda place: (place[0], place[1].raster))
    for number, members in itertools.groupby(places, key=lambda place: place[0]):
        only = tuple(member for _, member in members)
        yield plan.mosaics[number].model_copy(update={"members": only})


def _folder(context: JobContext[Any]) -> str:
    return str(next(context.results(STAGE)).result[PLAN])


def _page_name(folder: str, number: int) -> str:
    return f"{folder}/blocks/{number}.json"
