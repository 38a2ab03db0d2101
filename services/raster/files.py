"""The rasters of one job, and what its stages leave behind of each: files of the workspace.

A job's files have numbers, from 0. What is said of one goes through the workspace rather than
the ledger, whose results are small.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TypeVar

from pydantic import BaseModel

from core.job_definition import Workspace
from services.raster.description import Description
from services.raster.model import CogPlan, Encoded, RasterModel, Survey, Verification
from services.raster.rendering.model import RenderStyle
from services.raster.times import ItemTime
from services.vector.source_files import SourceRef

_PAGE = 200

M = TypeVar("M", bound=BaseModel)


class RasterFile(RasterModel):
    """One raster that a job reads, and the id of the Item that becomes of it. `own_name` is that
    of a file from an address, whose copy lies at a path that tells nobody anything."""

    index: int
    ref: SourceRef
    item_id: str
    own_name: str | None = None

    @property
    def name(self) -> str:
        """How people know it: its path in its container, or its own name."""
        return self.own_name or self.ref.path


class Settled(RasterModel):
    """What was decided of a raster: its COG's plan, the size of its grid in pixels, and the
    rows of each strip if it is encoded in several."""

    plan: CogPlan
    width: int
    height: int
    strips: tuple[tuple[int, int], ...] = ()


class Stored(RasterModel):
    """A file in the workspace, in the version that was put there."""

    path: str
    etag: str
    bytes: int


class Image(Stored):
    """A PNG in the workspace, its size in pixels."""

    width: int
    height: int


class Made(RasterModel):
    """A COG in the workspace, and what is known of it."""

    index: int
    cog: Stored
    sha256: str
    encoded: Encoded
    verification: Verification | None
    description: Description
    style: RenderStyle
    thumbnail: Image
    preview: Image


def write_files(workspace: Workspace, files: Iterable[RasterFile]) -> int:
    """Keep the job's files, in the order of their numbers; how many there are."""
    page: list[RasterFile] = []
    count = 0
    for file in files:
        page.append(file)
        count += 1
        if len(page) == _PAGE:
            _write_page(workspace, page)
            page = []
    if page:
        _write_page(workspace, page)
    return count


def are_written(workspace: Workspace) -> bool:
    """Whether `write_files` has kept any files of the job."""
    return workspace.exists(_page_name(0))


def read_file(workspace: Workspace, index: int) -> RasterFile:
    """One of the files that `write_files` has kept."""
    return next(read_files(workspace, [index]))


def read_files(workspace: Workspace, indices: Iterable[int]) -> Iterator[RasterFile]:
    """Files that `write_files` has kept, in this order; of neighbours storage is asked once."""
    for page, numbers in groupby(indices, lambda index: index // _PAGE):
        lines = workspace.read_bytes(_page_name(page)).splitlines()
        for number in numbers:
            yield RasterFile.model_validate_json(lines[number % _PAGE])


def keep(workspace: Workspace, index: int, what: BaseModel) -> None:
    """Keep a `Survey`, `ItemTime`, `Settled` or `Made` of a file; one of before is replaced."""
    workspace.write_bytes(_name(index, type(what)), what.model_dump_json().encode())


def survey(workspace: Workspace, index: int) -> Survey:
    return _read(workspace, index, Survey)


def time(workspace: Workspace, index: int) -> ItemTime:
    return _read(workspace, index, ItemTime)


def settled(workspace: Workspace, index: int) -> Settled:
    return _read(workspace, index, Settled)


def made(workspace: Workspace, index: int) -> Made:
    return _read(workspace, index, Made)


def folder(index: int) -> str:
    """Where in the workspace all that belongs to a file lies."""
    return f"files/{index}"


def _read(workspace: Workspace, index: int, kind: type[M]) -> M:
    return kind.model_validate_json(workspace.read_bytes(_name(index, kind)))


def _name(index: int, kind: type[BaseModel]) -> str:
    return f"{folder(index)}/{kind.__name__.lower()}.json"


def _write_page(workspace: Workspace, page: list[RasterFile]) -> None:
    data = b"".join(file.model_dump_json().encode() + b"\n" for file in page)
    workspace.write_bytes(_page_name(page[0].index // _PAGE), data)


def _page_name(page: int) -> str:
    return f"inventory/{page}.ndjson"
