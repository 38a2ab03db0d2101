"""The COGs that a job is to make, and what each is made of: files of the job's workspace.

They have numbers, from 0. What comes of one goes through the workspace as well, since results in
the ledger are small.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice

import orjson

from core.errors import NotFound
from core.job_definition import Workspace
from infrastructure.blob_lookup import BlobVersion
from services.fathom.model import Built
from services.fathom.names import FathomMap
from services.raster import files
from services.raster.model import RasterModel
from services.vector import source_files
from services.vector.source_files import SourceRef

_PAGE = 100
# Raised whenever COGs of the same files are made in another way: then all are made anew.
_RECIPE = 1


class Source(RasterModel):
    """A version of a blob that goes into a COG. `role` is the band that a tile becomes, and the
    item that a stack is; `checksum` is of its content, where that is known."""

    role: str
    container: str
    path: str
    etag: str
    size: int
    checksum: str | None = None

    @property
    def ref(self) -> SourceRef:
        """The source as a worker copies it."""
        version = BlobVersion(self.container, self.path, self.size, self.etag)
        name = source_files.safe_name(self.path.rpartition("/")[2])
        return source_files.pinned([version], self.path, [name])


class Wanted(RasterModel):
    """One COG: of `tiles` (one in a stack, those of the members in a merge, whose grid cell is
    `cell`) of a map. `missing` are the bands of which there is no source. Not everyone may
    see what `is_restricted`."""

    item_id: str
    map: FathomMap
    tiles: tuple[str, ...]
    cell: str | None = None
    missing: tuple[str, ...] = ()
    is_restricted: bool = False
    sources: tuple[Source, ...]

    @property
    def size(self) -> int:
        """Bytes of all sources."""
        return sum(source.size for source in self.sources)

    @property
    def digest(self) -> str:
        """The same for the same versions of the same sources, under the same restriction;
        SHA-256 in hexadecimal."""
        of_sources = sorted(
            (each.role, each.container, each.path, each.checksum or each.etag)
            for each in self.sources
        )
        made_of = [_RECIPE, of_sources, *(["restricted"] if self.is_restricted else [])]
        return hashlib.sha256(orjson.dumps(made_of)).hexdigest()


class Failure(RasterModel):
    """Why a COG cannot be made. `code` is for programs."""

    item_id: str
    code: str
    message: str


def write(workspace: Workspace, folder: str, wanted: Iterable[Wanted]) -> int:
    """Keep them in a folder, in the order of their numbers; how many there are."""
    remaining, count = iter(wanted), 0
    for page in iter(lambda: list(islice(remaining, _PAGE)), []):
        workspace.write_bytes(_page_name(folder, count // _PAGE), _lines(page))
        count += len(page)
    return count


def read(workspace: Workspace, folder: str, indices: Iterable[int]) -> Iterator[Wanted]:
    """Those of these numbers that `write` has kept, in this order; of neighbours storage is
    asked once."""
    for page, numbers in groupby(indices, lambda index: index // _PAGE):
        lines = workspace.read_bytes(_page_name(folder, page)).splitlines()
        for number in numbers:
            yield Wanted.model_validate_json(lines[number % _PAGE])


def keep_built(workspace: Workspace, index: int, built: Built) -> None:
    """Keep what the child told of a COG."""
    workspace.write_bytes(_built_name(index), built.model_dump_json().encode())


def built(workspace: Workspace, index: int) -> Built:
    """What `keep_built` has kept."""
    return Built.model_validate_json(workspace.read_bytes(_built_name(index)))


def keep_failure(workspace: Workspace, index: int, failure: Failure) -> None:
    """Keep why the last attempt at a COG has failed."""
    workspace.write_bytes(_failure_name(index), failure.model_dump_json().encode())


def failure(workspace: Workspace, index: int, item_id: str) -> Failure:
    """What `keep_failure` has kept; of a worker that was lost there is nothing."""
    try:
        return Failure.model_validate_json(workspace.read_bytes(_failure_name(index)))
    except NotFound:
        return Failure(
            item_id=item_id,
            code="task_failed",
            message="Its workers were lost, or failed without a reason: see the job's tasks.",
        )


def write_failures(workspace: Workspace, name: str, failures: Sequence[Failure]) -> None:
    """Keep a list of failures as a file of this name."""
    workspace.write_bytes(name, _lines(failures))


def read_failures(workspace: Workspace, name: str) -> list[Failure]:
    """The list that `write_failures` has kept."""
    lines = workspace.read_bytes(name).splitlines()
    return [Failure.model_validate_json(line) for line in lines]


def _lines(values: Iterable[RasterModel]) -> bytes:
    return b"".join(value.model_dump_json().encode() + b"\n" for value in values)


def _page_name(folder: str, page: int) -> str:
    return f"{folder}/wanted-{page}.ndjson"


def _built_name(index: int) -> str:
    return f"{files.folder(index)}/built.json"


def _failure_name(index: int) -> str:
    return f"failures/{index}.json"
