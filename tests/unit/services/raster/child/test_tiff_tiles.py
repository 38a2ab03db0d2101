"""Directories and blocks of TIFFs, read from GDAL's files and written as COGs."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rio_cogeo.cogeo import cog_validate

from services.raster.child import tiff_tiles
from services.raster.child.tiff_tiles import Directory, Field, NotSuchATiff

_GHOST = b"GDAL_STRUCTURAL_METADATA_SIZE=000000 bytes\n"
_SOFTWARE = 305


def _directory(text: bytes = b"somebody's\0") -> Directory:
    return {
        tiff_tiles.IMAGE_WIDTH: tiff_tiles.number(40),
        tiff_tiles.IMAGE_LENGTH: tiff_tiles.number(30),
        _SOFTWARE: Field(2, len(text), text),
    }


def _file(head: bytes, blocks: list[bytes]) -> io.BytesIO:
    return io.BytesIO(head + b"".join(map(tiff_tiles.framed, blocks)))


def _sizes(*sizes: int) -> tiff_tiles.Offsets:
    return np.array(sizes, np.int64)


def test_what_is_written_is_read_again() -> None:
    full, overview = [b"first block", b"second"], [b"small"]
    images = [(_directory(), _sizes(11, 6)), (_directory(b"x\0"), _sizes(5))]

    file = _file(tiff_tiles.head(_GHOST, images), overview + full)

    tiff = tiff_tiles.read(file)
    assert tiff.ghost == _GHOST
    assert [each[_SOFTWARE].data for each in tiff.directories] == [b"somebody's\0", b"x\0"]
    assert [list(tiff_tiles.stored(file, each)) for each in tiff.directories] == [full, overview]


def test_a_block_stands_between_its_size_and_its_last_bytes() -> None:
    file = _file(tiff_tiles.head(_GHOST, [(_directory(), _sizes(7))]), [b"content"])

    [offset] = tiff_tiles.blocks(tiff_tiles.read(file).directories[0]).offsets
    data = file.getvalue()
    assert struct.unpack_from("<I", data, offset - 4) == (7,)
    assert data[offset : offset + 11] == b"contenttent"
    assert len(data) == offset + 11


def test_a_block_that_is_not_stored_has_no_place() -> None:
    file = _file(tiff_tiles.head(_GHOST, [(_directory(), _sizes(5, 0, 4))]), [b"first", b"last"])

    [directory] = tiff_tiles.read(file).directories
    assert tiff_tiles.blocks(directory).offsets[1] == 0
    assert list(tiff_tiles.stored(file, directory)) == [b"first", b"last"]


@pytest.mark.parametrize(
    ("last", "magic"), [((1 << 32) - 1, 42), (1 << 32, 43)], ids=["classic", "BigTIFF"]
)
def test_it_is_a_bigtiff_where_offsets_need_more_than_32_bits(last: int, magic: int) -> None:
    images = [(_directory(), _sizes(1000, 1000))]
    begin = len(tiff_tiles.head(_GHOST, images))
    # Two blocks with eight bytes around each: the file ends after so many bytes.
    images = [(_directory(), _sizes(1000, last - begin - 1000 - 16))]

    file = io.BytesIO(tiff_tiles.head(_GHOST, images))

    assert struct.unpack_from("<H", file.getvalue(), 2) == (magic,)
    tiff = tiff_tiles.read(file)
    first, second = tiff_tiles.blocks(tiff.directories[0]).offsets
    assert tiff.ghost == _GHOST
    assert tiff.directories[0][_SOFTWARE].data == b"somebody's\0"
    assert first == len(file.getvalue()) + 4
    assert second == first + 1008


@pytest.mark.parametrize("bigtiff", ["NO", "YES"])
@pytest.mark.parametrize("side", [100, 700])
def test_a_cog_of_gdal_written_anew_is_a_cog_with_the_same_pixels(
    bigtiff: str, side: int, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(2).integers(0, 4000, (2, side, side), np.uint16)
    theirs, ours = tmp_path / "theirs.tif", tmp_path / "ours.tif"
    with rasterio.open(
        theirs, "w", driver="COG", count=2, width=side, height=side, dtype="uint16",
        crs="EPSG:32633", transform=Affine(10, 0, 5e5, 0, -10, 5.4e6), blocksize=128,
        compress="DEFLATE", bigtiff=bigtiff, nodata=7,
    ) as dataset:  # fmt: skip
        dataset.write(pixels)

    with theirs.open("rb") as source, ours.open("wb") as target:
        tiff = tiff_tiles.read(source)
        sizes = [tiff_tiles.blocks(each).sizes for each in tiff.directories]
        target.write(tiff_tiles.head(tiff.ghost, list(zip(tiff.directories, sizes, strict=True))))
        for directory in reversed(tiff.directories):
            for block in tiff_tiles.stored(source, directory):
                target.write(tiff_tiles.framed(block))

    assert cog_validate(ours, strict=True, quiet=True) == (True, [], [])
    with rasterio.open(theirs) as one, rasterio.open(ours) as other:
        assert other.profile == one.profile
        assert other.tags() == one.tags()
        assert other.overviews(1) == one.overviews(1)
        assert other.tags(ns="IMAGE_STRUCTURE") == one.tags(ns="IMAGE_STRUCTURE")
        np.testing.assert_array_equal(other.read(), one.read())
    if bigtiff == "NO":
        # As much of a header as GDAL makes, give or take the padding of values.
        assert ours.stat().st_size == pytest.approx(theirs.stat().st_size, abs=200)


@pytest.mark.parametrize(
    "data",
    [b"", b"II*\0", b"MM\0*" + bytes(20), b"II\x07\0" + bytes(20), b"\x89PNG" + bytes(20)],
    ids=["empty", "cut off", "big-endian", "another number", "PNG"],
)
def test_what_is_no_such_tiff_is_refused(data: bytes) -> None:
    with pytest.raises(NotSuchATiff):
        tiff_tiles.read(io.BytesIO(data))


def test_a_file_that_ends_within_a_directory_is_refused() -> None:
    head = tiff_tiles.head(_GHOST, [(_directory(), _sizes(7, 9))])
    lengths = range(16, len(head) - 7)  # of the last value there may be padding behind it

    for length in lengths:
        with pytest.raises(NotSuchATiff):
            tiff_tiles.read(io.BytesIO(head[:length]))


def test_an_image_in_strips_has_no_tiles() -> None:
    with pytest.raises(NotSuchATiff, match="not in tiles"):
        tiff_tiles.blocks(_directory())


def test_a_file_that_ends_within_a_block_is_refused() -> None:
    whole = _file(tiff_tiles.head(_GHOST, [(_directory(), _sizes(7))]), [b"content"])
    cut = io.BytesIO(whole.getvalue()[:-8])

    [directory] = tiff_tiles.read(cut).directories
    with pytest.raises(NotSuchATiff, match="ends too soon"):
        list(tiff_tiles.stored(cut, directory))
