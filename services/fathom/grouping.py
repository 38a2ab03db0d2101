"""Which files make up a stack: those of one map and one tile, one for each return period."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import NamedTuple

from infrastructure.blob_lookup import BlobVersion
from services.fathom import names
from services.fathom.names import RETURN_PERIODS, FathomMap, Reason, UnreadableName
from services.fathom.tiles import Tile
from services.raster.model import RasterModel

DUPLICATE = "duplicate_return_period"

_NAMED = 10


class StackFile(RasterModel):
    """A version of a blob. `etag` is without quotes, `size` in bytes."""

    path: str
    etag: str
    size: int


class StackGroup(RasterModel):
    """The files of one stack, by return period in years, the shortest first."""

    item_id: str
    tile: str
    map: FathomMap
    files: dict[int, StackFile]

    @property
    def missing(self) -> tuple[int, ...]:
        """The return periods of which there is no file: their bands are empty."""
        return tuple(years for years in RETURN_PERIODS if years not in self.files)

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(file.size for file in self.files.values())


class Problem(RasterModel):
    """Why files are in no stack: the name of one says too little, or their stack (`item_id`) is
    refused. `code` is for programs."""

    code: str
    message: str
    paths: tuple[str, ...]
    item_id: str | None = None


class Counts(RasterModel):
    """What became of the blobs that were listed: all the others add up to `listed`.

    `grouped` files are in stacks. `duplicates` are all files of stacks that are refused because
    there are several for one return period. `unparsed` have names that say too little, `other`
    are no TIFFs, and `deselected` are not of what was asked for.
    """

    listed: int
    grouped: int
    duplicates: int
    unparsed: int
    other: int
    deselected: int


class _Listed(NamedTuple):
    """A file of a stack, as short as it can be kept: a million must fit into memory."""

    return_period: int
    version: str  # size, etag and path, in one text

    def as_file(self) -> StackFile:
        size, etag, path = self.version.split(" ", 2)
        return StackFile(path=path, etag=etag, size=int(size))


class Grouping:
    """Puts the files of a listing into stacks: `add` all of them, then see what came of it."""

    def __init__(
        self, selects: Callable[[FathomMap, Tile], bool] = lambda _map, _tile: True
    ) -> None:
        """`selects` says of which maps and tiles stacks are wanted."""
        self.unparsed_by_reason: Counter[Reason] = Counter()
        self._selects = selects
        self._listed = self._other = self._deselected = 0
        self._unparsed: list[tuple[str, Reason, str]] = []
        self._files: dict[tuple[FathomMap, Tile], list[_Listed]] = {}

    def add(self, blob: BlobVersion) -> None:
        """Put one blob where it belongs."""
        self._listed += 1
        try:
            name = names.parse(blob.path)
        except UnreadableName as error:
            self._set_aside(blob.path, error)
            return
        if self._selects(name.map, name.tile):
            version = f"{blob.size} {blob.etag} {blob.path}"
            files = self._files.setdefault((name.map, name.tile), [])
            files.append(_Listed(name.return_period, version))
        else:
            self._deselected += 1

    def counts(self) -> Counts:
        """How many blobs became what."""
        in_groups = sum(len(files) for files in self._files.values())
        duplicates = sum(len(files) for files in self._files.values() if _are_several(files))
        return Counts(
            listed=self._listed,
            grouped=in_groups - duplicates,
            duplicates=duplicates,
            unparsed=len(self._unparsed),
            other=self._other,
            deselected=self._deselected,
        )

    def stacks(self) -> Iterator[StackGroup]:
        """The stacks, in the order of their ids."""
        for item_id, of, tile in self._order():
            files = self._files[of, tile]
            if not _are_several(files):
                by_period = {each.return_period: each.as_file() for each in sorted(files)}
                yield StackGroup(item_id=item_id, tile=tile.name, map=of, files=by_period)

    def problems(self) -> Iterator[Problem]:
        """What is in no stack, and why: stacks that are refused, then files by their paths."""
        for item_id, of, tile in self._order():
            files = self._files[of, tile]
            if _are_several(files):
                yield _refusal(item_id, files)
        for path, reason, message in sorted(self._unparsed):
            yield Problem(code=reason, message=f"{path} {message}.", paths=(path,))

    def _set_aside(self, path: str, error: UnreadableName) -> None:
        if error.reason is Reason.NOT_A_TIF:
            self._other += 1
        else:
            self.unparsed_by_reason[error.reason] += 1
            self._unparsed.append((path, error.reason, error.message))

    def _order(self) -> list[tuple[str, FathomMap, Tile]]:
        ids = ((f"fathom_{tile.name}_{of.key}", of, tile) for of, tile in self._files)
        return sorted(ids, key=lambda each: each[0])


def _are_several(files: list[_Listed]) -> bool:
    """Whether any return period has more than one file."""
    return len({each.return_period for each in files}) < len(files)


def _refusal(item_id: str, files: list[_Listed]) -> Problem:
    repeated: list[str] = []
    said: list[str] = []
    for years, same in groupby(sorted(files), key=lambda each: each.return_period):
        paths = sorted(each.as_file().path for each in same)
        if len(paths) > 1:
            repeated += paths
            more = f" and {len(paths) - _NAMED:,} more" if len(paths) > _NAMED else ""
            said.append(f"1in{years}: {', '.join(paths[:_NAMED])}{more}")
    return Problem(
        code=DUPLICATE,
        message=f"{item_id} has several files for one return period, of which only one can be "
        f"right ({'; '.join(said)}). Remove the others, or give a longer prefix.",
        paths=tuple(repeated),
        item_id=item_id,
    )
