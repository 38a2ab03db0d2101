"""Put the COG of a large raster together of its strips, in the sandboxed child.

The strips hold the tiles of the full image, encoded; they are copied as they are. What is left
to make is the overviews and the tags. GDAL's COG driver makes both, so that they are those of a
raster in a single pass:

1. Of all strips together it makes a COG of which only the largest overview is wanted: that is
   half the size of the image, and has no seams. The full image of that COG is next to nothing.
2. It makes a COG of that overview, whose full image and overviews are the overviews of the
   whole, each computed from the one before and encoded.
3. It makes a template of the image's upper left corner. The only tags that depend on the size of
   an image are its width, its length and those that say where its tiles are.

`build_overviews` of a dataset will not do for the first step: it rounds sizes up where the COG
driver rounds them down, and computes large overviews in other portions, whose edges show where
the size of the image is odd.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import rasterio
from rasterio.io import DatasetReader

from core.errors import PermanentTaskError
from services.raster.child import header_statistics, tiff_tiles
from services.raster.child.encoding import bounded, creation_options, write_cog
from services.raster.child.outlines import Outline, Piece
from services.raster.child.tiff_tiles import Directory
from services.raster.child.windows import without_overviews
from services.raster.child.wrapping import wrapped
from services.raster.model import CogPlan, Encoded

# What says how a tile is encoded: BitsPerSample, Compression, PhotometricInterpretation, FillOrder,
# SamplesPerPixel, PlanarConfiguration, Predictor, TileWidth, TileLength, ExtraSamples,
# SampleFormat, JPEGTables, YCbCrSubSampling, ReferenceBlackWhite, and the parameters of LERC.
_OF_ENCODING = (258, 259, 262, 266, 277, 284, 317, 322, 323, 338, 339, 347, 530, 532, 50674)
# A tag that says what holds without it may be there or not: TIFF 6.0, section 14 (Predictor).
_DEFAULTS = {317: tiff_tiles.Field(3, 1, b"\1\0")}
_LERC_DTYPES = frozenset(
    {"int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"}
)


@dataclass(frozen=True, slots=True)
class _Image:
    """One image of the COG to be: its tags, and the files that hold its tiles in their order."""

    tags: Directory
    parts: tuple[tuple[Path, Directory], ...]

    @property
    def sizes(self) -> tiff_tiles.Offsets:
        return np.concatenate([tiff_tiles.blocks(directory).sizes for _, directory in self.parts])


def assemble(
    source: str,
    strips: Sequence[str],
    target: str,
    folder: str,
    plan: dict[str, Any],
    memory_mb: int,
    threads: int,
    statistics: bool = False,
) -> dict[str, Any]:
    """Write the COG of `source` to `target`, of its encoded strips; return it as an `Encoded`.

    The strips are those of `windows.encode_strip`, from the first row to the last. Each is
    removed once it is copied. `folder` is an empty one, for what is made on the way. With
    `statistics` there are places for them in the COG's header, as `encoding.encode` leaves them.

    Raises `PermanentTaskError`: `strips_do_not_fit` where they are not those of this raster and
    plan, `cog_failed` where GDAL cannot make what is left to make.
    """
    began = time.monotonic()
    cog_plan = CogPlan.model_validate(plan)
    with ExitStack() as stack:
        stack.enter_context(bounded(memory_mb, threads))
        tags = header_statistics.reserved if statistics else None
        whole = stack.enter_context(wrapped(source, cog_plan, tags))
        options = creation_options(cog_plan, whole.width, whole.height, threads)
        work = _Work(whole, [Path(strip) for strip in strips], Path(folder), cog_plan, options)
        images = work.images()
        _write(Path(target), work.ghost, images)
        pixel_bits = sum(images[0].tags[tiff_tiles.BITS_PER_SAMPLE].integers)
    with rasterio.open(target, driver="GTiff") as cog:
        return Encoded(
            width=cog.width,
            height=cog.height,
            bytes=Path(target).stat().st_size,
            decoded_bytes=cog.width * cog.height * pixel_bits // 8,
            seconds=time.monotonic() - began,
            overviews=tuple(cog.overviews(1)),
        ).model_dump(mode="json")


class _Work:
    """The assembling of one COG, in a folder of its own."""

    def __init__(
        self,
        whole: DatasetReader,
        strips: Sequence[Path],
        folder: Path,
        plan: CogPlan,
        options: Mapping[str, str],
    ) -> None:
        self._whole = whole
        self._outline = Outline(whole)
        self._strips = strips
        self._folder = folder
        self._plan = plan
        self._options = options
        self.ghost = b""

    def images(self) -> list[_Image]:
        """The full image and its overviews, the largest first, with their tags in the COG."""
        full, overview = self._template()
        strips = [(strip, _read(strip).directories[0]) for strip in self._strips]
        self._require_all([directory for _, directory in strips], full)
        images = [_Image(_sized(full, self._whole.width, self._whole.height), tuple(strips))]
        largest = self._largest_overview(strips)
        cog = self._overviews(largest)
        largest.unlink()
        for directory in _read(cog).directories:
            _require_alike(directory, overview)
            tags = _sized(overview, *_size(directory))
            images.append(_Image(tags, ((cog, directory),)))
        return images

    def _template(self) -> tuple[Directory, Directory]:
        """The tags of the full image and of an overview."""
        width, height = (min(2 * self._plan.block_size, side) for side in self._whole.shape[::-1])
        corner = self._folder / "corner.tif"
        with self._outline.opened(width, height, Piece(self._whole.name, 0, height)) as dataset:
            write_cog(dataset, str(corner), {**self._options, "OVERVIEW_COUNT": "1"})
        template = _read(corner)
        self.ghost = template.ghost
        full, overview = template.directories
        return full, overview

    def _require_all(self, strips: Sequence[Directory], full: Directory) -> None:
        """Refuse strips that are not all of the full image, or not encoded as it is."""
        width, height = self._whole.width, self._whole.height
        rows = 0
        for strip in strips:
            _require_alike(strip, full)
            columns, of_it = _size(strip)
            if columns != width:
                raise _do_not_fit(f"one is {columns:,} pixels wide, not {width:,}")
            if rows % self._plan.block_size:
                raise _do_not_fit(f"one begins at row {rows:,}, where no tile begins")
            rows += of_it
        if rows != height:
            raise _do_not_fit(f"they have {rows:,} rows, not {height:,}")

    def _largest_overview(self, strips: Sequence[tuple[Path, Directory]]) -> Path:
        """A file whose second image is the whole at half its size, computed from all strips."""
        pieces: list[Piece] = []
        begin = 0
        for strip, directory in strips:
            _, rows = _size(directory)
            pieces.append(Piece(str(strip), begin, rows))
            begin += rows
        if not self._plan.lossless:
            # A single pass computes the overviews of what the source has, not of what is left
            # of it after a lossy compression.
            pieces = [Piece(self._whole.name, 0, self._whole.height)]
        file = self._folder / "largest.tif"
        with self._outline.opened(self._whole.width, self._whole.height, *pieces) as dataset:
            write_cog(dataset, str(file), _for_one_overview(self._options, dataset.dtypes[0]))
        return file

    def _overviews(self, largest: Path) -> Path:
        """A COG whose images are the overviews of the whole."""
        # There is one at least: what has several strips is larger than a tile.
        levels = int(self._options["OVERVIEW_COUNT"])
        width, height = max(1, self._whole.width // 2), max(1, self._whole.height // 2)
        cog = self._folder / "overviews.tif"
        options = _of_overviews(self._options)
        options = (
            {**options, "OVERVIEW_COUNT": str(levels - 1)}
            if levels > 1
            else without_overviews(options)
        )
        with self._outline.opened(
            width, height, Piece(f"GTIFF_DIR:2:{largest}", 0, height)
        ) as dataset:
            write_cog(dataset, str(cog), options)
        return cog


def _for_one_overview(options: Mapping[str, str], dtype: str) -> dict[str, str]:
    """The COG driver's options for a file of which only the largest overview is wanted.

    That is kept without loss. Where LERC knows the type of the values, an error that no value
    exceeds leaves next to nothing of the full image, and takes next to no time.
    """
    full = {"COMPRESS": "ZSTD", "LEVEL": "1"}
    if dtype in _LERC_DTYPES:
        full = {"COMPRESS": "LERC", "MAX_Z_ERROR": "1e30"}
    return {
        **full,
        "OVERVIEW_COMPRESS": "ZSTD",
        "OVERVIEWS": "IGNORE_EXISTING",
        "OVERVIEW_COUNT": "1",
        "OVERVIEW_RESAMPLING": options["OVERVIEW_RESAMPLING"],
        "BIGTIFF": "YES",
        "NUM_THREADS": options["NUM_THREADS"],
    }


def _of_overviews(options: Mapping[str, str]) -> dict[str, str]:
    """The COG driver's options for a full image that is encoded as overviews are."""
    made = {key: value for key, value in options.items() if not key.startswith("OVERVIEW_")}
    for overview, full in (
        ("OVERVIEW_PREDICTOR", "PREDICTOR"),
        ("OVERVIEW_QUALITY", "QUALITY"),
        ("MAX_Z_ERROR_OVERVIEW", "MAX_Z_ERROR"),
    ):
        if overview in options:
            made[full] = made[overview] = options[overview]
    made["OVERVIEW_RESAMPLING"] = options["OVERVIEW_RESAMPLING"]
    return made


def _write(target: Path, ghost: bytes, images: Sequence[_Image]) -> None:
    """The COG: its tags, then the tiles of its images, those of the smallest first."""
    with target.open("wb") as file:
        file.write(tiff_tiles.head(ghost, [(image.tags, image.sizes) for image in images]))
        for image in reversed(images):
            for path, directory in image.parts:
                _copy(path, directory, file)
                # Strips are of no use any more: a disk need not hold them and the COG at once.
                if image is images[0]:
                    path.unlink()


def _copy(path: Path, directory: Directory, target: BinaryIO) -> None:
    with _opened(path) as file:
        for block in tiff_tiles.stored(file, directory):
            target.write(tiff_tiles.framed(block))


def _read(path: Path) -> tiff_tiles.Tiff:
    with _opened(path) as file:
        return tiff_tiles.read(file)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except tiff_tiles.NotSuchATiff as error:
        raise _do_not_fit(f"{path.name} cannot be read: {error}") from error


def _size(directory: Directory) -> tuple[int, int]:
    [width] = directory[tiff_tiles.IMAGE_WIDTH].integers
    [height] = directory[tiff_tiles.IMAGE_LENGTH].integers
    return width, height


def _sized(tags: Directory, width: int, height: int) -> Directory:
    return {
        **tags,
        tiff_tiles.IMAGE_WIDTH: tiff_tiles.number(width),
        tiff_tiles.IMAGE_LENGTH: tiff_tiles.number(height),
    }


def _require_alike(directory: Directory, template: Directory) -> None:
    """Refuse tiles that are not encoded as the template's tags say."""
    differing = [
        tag
        for tag in _OF_ENCODING
        if directory.get(tag, _DEFAULTS.get(tag)) != template.get(tag, _DEFAULTS.get(tag))
    ]
    if differing:
        names = ", ".join(map(str, differing))
        raise _do_not_fit(f"their tiles are encoded otherwise than the COG's (TIFF tags {names})")


def _do_not_fit(reason: str) -> PermanentTaskError:
    return PermanentTaskError(
        f"The strips are not those of this raster: {reason.rstrip('.')}.", code="strips_do_not_fit"
    )
