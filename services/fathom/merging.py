"""process_fathom_merge: stacks side by side as larger rasters, each of one grid cell of N x N
degrees.

Cells lie at multiples of N from 180 degrees west and 90 south. A merged raster is as large as
the members that there are in its cell reach, not as the cell. It has all stacks of its map that
the collection has in the cell: what a job is asked for chooses cells, and not their members, so
that jobs for neighbouring countries make the same raster of a cell that they share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from core.errors import PermanentTaskError
from core.job_definition import JsonObject, TaskContext
from infrastructure import blob_lookup, stac_repository
from infrastructure.blob_lookup import BlobVersion
from services import previews
from services.fathom import items, making, planning
from services.fathom.making import Call
from services.fathom.model import BANDS, band_name
from services.fathom.names import FathomMap
from services.fathom.parameters import ProcessFathomMerge
from services.fathom.selecting import selection
from services.fathom.tiles import Tile
from services.fathom.wanted import Source, Wanted
from services.raster import items as raster_items
from services.raster.model import RasterModel
from services.raster.rendering.published import RESTRICTED, located

STAGE = "merge"

_MERGE = "services.fathom.child.merging:merge"
_PAGE = 250
_PREVIEW_SECONDS = 20.0

Context = TaskContext[ProcessFathomMerge]


class Stack(RasterModel):
    """What the catalog says of a stack, and where its COG is."""

    item_id: str
    map: FathomMap
    tile: str
    missing: tuple[str, ...]
    container: str
    path: str
    checksum: str | None
    is_restricted: bool


class Cell(NamedTuple):
    """A cell of the grid, by its sides in whole degrees; the last ones may be smaller."""

    south: int
    west: int
    north: int
    east: int

    @classmethod
    def around(cls, tile: Tile, size: int) -> Cell:
        """The cell of `size` degrees a side in which a tile lies."""
        south = tile.south - (tile.south + 90) % size
        west = tile.west - (tile.west + 180) % size
        return cls(south, west, min(south + size, 90), min(west + size, 180))

    @property
    def name(self) -> str:
        """Such as n00-n05_w010-w005."""
        south, north = (f"{'s' if each < 0 else 'n'}{abs(each):02d}" for each in self[::2])
        west, east = (f"{'w' if each < 0 else 'e'}{abs(each):03d}" for each in self[1::2])
        return f"{south}-{north}_{west}-{east}"


Place = tuple[str, Cell]
"""Where a stack goes: the key of its map, and the cell of its tile."""


def list_cells(context: Context) -> JsonObject:
    """Find the stacks in the catalog, and keep which merged rasters of them are to be made.

    Returns {planned, stacks, deselected, other}: a `planning.Planned`, how many stacks are
    merged, how many are of other maps or cells than those asked for, and how many Items of the
    collection are no stacks. Raises `PermanentTaskError` for a collection that is not there
    (collection_not_found) or has no such stack (no_stacks), for a stack without its file
    (blob_not_found), and what `selection` and `planning.plan` raise.
    """
    parameters = context.parameters
    listed = _Listing(parameters, context.check, lambda n: context.progress(items_listed=n))
    stacks = listed.stacks()
    versions = _versions(stacks, context.check)
    groups = _groups(stacks, versions, parameters)
    planned = planning.plan(context, parameters.collection_id, groups)
    return {"planned": planned.model_dump(mode="json"), **listed.as_json()}


def preview(parameters: ProcessFathomMerge) -> JsonObject:
    """What a job would find, for a dry run: {cells, maps, stacks, deselected, other}. Nothing is
    written.

    Raises what `list_cells` raises, and preview_too_slow.
    """
    what = f"The collection {parameters.source_collection_id!r} cannot be read"
    check = previews.deadline(what, _PREVIEW_SECONDS)
    listed = _Listing(parameters, check, lambda _: None)
    places = {_place(stack, parameters.grid_size) for stack in listed.stacks()}
    return {"cells": len(places), "maps": len({key for key, _ in places}), **listed.as_json()}


def make_merge(context: Context) -> JsonObject:
    """Make the COG of one grid cell. Returns what `making.make` does."""
    return making.make(context, _call)


class _Listing:
    """Reads the Items of the source collection, and counts those that are left out."""

    def __init__(
        self,
        parameters: ProcessFathomMerge,
        check: Callable[[], None],
        progress: Callable[[int], None],
    ) -> None:
        self._collection_id = parameters.source_collection_id
        self._grid_size = parameters.grid_size
        self._selection = selection(parameters)
        self._check = check
        self._progress = progress
        self._is_restricted = False
        self._counts = {"stacks": 0, "deselected": 0, "other": 0}

    def as_json(self) -> JsonObject:
        """How many Items are stacks in cells that were asked for, others, and no stacks."""
        return dict(self._counts)

    def stacks(self) -> list[Stack]:
        """All stacks of the cells of the maps in which one was asked for. Raises
        `PermanentTaskError` (no_stacks) for none."""
        by_place: dict[Place, list[Stack]] = {}
        chosen: set[Place] = set()
        for number, item in enumerate(self._items()):
            if number % _PAGE == 0:
                self._check()
                self._progress(number)
            stack = _stack_of(item, is_restricted=self._is_restricted)
            if stack is None:
                self._counts["other"] += 1
                continue
            place = _place(stack, self._grid_size)
            by_place.setdefault(place, []).append(stack)
            if self._selection.takes(stack.map, Tile.of(stack.tile)):
                chosen.add(place)
        found = [stack for place in chosen for stack in by_place[place]]
        self._counts["stacks"] = len(found)
        self._counts["deselected"] = sum(map(len, by_place.values())) - len(found)
        if not found:
            raise PermanentTaskError(
                f"The collection {self._collection_id!r} has no stack of what was asked for: "
                f"{self._counts['deselected']:,} are of other maps or cells, and "
                f"{self._counts['other']:,} of its items are no stacks.",
                code="no_stacks",
                field="source_collection_id",
            )
        return found

    def _items(self) -> Iterator[JsonObject]:
        collection_id = self._collection_id
        search: dict[str, Any] = {"collections": [collection_id], "limit": _PAGE}
        with stac_repository.snapshot() as catalog:
            collection = catalog.collection(collection_id)
            if collection is None:
                raise PermanentTaskError(
                    f"There is no collection {collection_id!r} in the catalog: make it by "
                    "process_fathom_stack, or give another source_collection_id.",
                    code="collection_not_found",
                    field="source_collection_id",
                )
            self._is_restricted = bool(collection.get(RESTRICTED))
            while True:
                page = catalog.search(search)
                yield from page["features"]
                token = _next_token(page)
                if token is None:
                    return
                search["token"] = token


def _next_token(page: JsonObject) -> str | None:
    for link in page.get("links", ()):
        if link["rel"] == "next":
            return str(link["href"]).partition("token=")[2]
    return None


def _stack_of(item: JsonObject, *, is_restricted: bool) -> Stack | None:
    """What an Item says, if it is that of a stack whose COG lies in this app's storage.
    `is_restricted` says whether its collection is."""
    of = items.map_of(item)
    data = item["assets"].get(raster_items.DATA)
    place = None if data is None else located(str(data["href"]))
    if of is None or data is None or place is None:
        return None
    container, path = place
    return Stack(
        item_id=item["id"],
        map=of,
        tile=item["properties"][items.TILE],
        missing=tuple(map(band_name, item["properties"][items.MISSING])),
        container=container,
        path=path,
        checksum=data.get("file:checksum"),
        is_restricted=is_restricted or bool(item["properties"].get(RESTRICTED)),
    )


def _versions(stacks: Sequence[Stack], check: Callable[[], None]) -> dict[str, BlobVersion]:
    """The present version of each stack's COG, by the stack's id."""
    by_container: dict[str, set[str]] = {}
    for stack in stacks:
        by_container.setdefault(stack.container, set()).add(stack.path)
    found = {
        (container, path): version
        for container, paths in by_container.items()
        for path, version in blob_lookup.find(container, paths, check=check).items()
    }
    for stack in stacks:
        if (stack.container, stack.path) not in found:
            raise PermanentTaskError(
                f"The file of the stack {stack.item_id} is gone: there is no blob "
                f"{stack.container}/{stack.path}. Make it anew by process_fathom_stack with "
                "force_reprocess.",
                code="blob_not_found",
                item_id=stack.item_id,
            )
    return {each.item_id: found[each.container, each.path] for each in stacks}


def _place(stack: Stack, size: int) -> Place:
    return stack.map.key, Cell.around(Tile.of(stack.tile), size)


def _groups(
    stacks: Sequence[Stack], versions: dict[str, BlobVersion], parameters: ProcessFathomMerge
) -> Iterator[Wanted]:
    """The merged rasters that stacks make up, each with its members from north to south, and
    from west to east."""

    def place(stack: Stack) -> Place:
        return _place(stack, parameters.grid_size)

    def order(stack: Stack) -> tuple[Any, ...]:
        tile = Tile.of(stack.tile)
        return *place(stack), -tile.south, tile.west

    for (key, cell), group in groupby(sorted(stacks, key=order), key=place):
        members = list(group)
        yield Wanted(
            item_id=f"fathom_{cell.name}_{key}",
            map=members[0].map,
            tiles=tuple(each.tile for each in members),
            cell=cell.name,
            missing=tuple(name for name in BANDS if all(name in each.missing for each in members)),
            is_restricted=parameters.restricted or any(each.is_restricted for each in members),
            sources=tuple(_source(each, versions[each.item_id]) for each in members),
        )


def _source(stack: Stack, version: BlobVersion) -> Source:
    return Source(
        role=stack.item_id,
        container=version.container,
        path=version.path,
        etag=version.etag,
        size=version.size,
        checksum=stack.checksum,
    )


def _call(cog: Wanted, paths: Sequence[Path]) -> Call:
    members = [
        {"name": source.role, "path": str(path)}
        for source, path in zip(cog.sources, paths, strict=True)
    ]
    return _MERGE, {"members": members, "missing": list(cog.missing)}
