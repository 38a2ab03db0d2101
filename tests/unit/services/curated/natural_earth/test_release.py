"""Which release files say they are of."""

from __future__ import annotations

import pytest
from shapely.geometry import box

from services.curated.natural_earth import release
from tests.support.natural_earth import LAND, archive, shore
from tests.support.ranges import Fetched

SQUARE = [shore(box(0, 0, 1, 1))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"5.1.1", "5.1.1"),
        (b"5.1.1\r\n", "5.1.1"),
        (b"\xef\xbb\xbf4.1.0\n", "4.1.0"),
        (b"v5.0.0", "5.0.0"),
        (b"5.0.0-alpha.1", "5.0.0-alpha.1"),
        (b"5.2.0rc1", "5.2.0rc1"),
        (b"5", "5"),
        (b"", None),
        (b"Version 5.1.1", None),
        (b"5.1.1\n5.1.2", None),
        (b"<html>5.1.1</html>", None),
        (b"5.1.1-" + b"x" * 40, None),
        (b"\xff\xfe5\x00.\x001\x00", None),
    ],
)
def test_a_text_names_a_release_or_none(text: bytes, expected: str | None) -> None:
    assert release.release(text) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["ne_10m_land.VERSION.txt", "ne_10m_land.shp"], "ne_10m_land.VERSION.txt"),
        (["NE_10M_LAND.VERSION.TXT"], "NE_10M_LAND.VERSION.TXT"),
        (["in/a/folder/ne_10m_land.VERSION.txt"], "in/a/folder/ne_10m_land.VERSION.txt"),
        # The GeoPackage of everything, and the archive of a whole theme.
        (["packages/natural_earth_vector.gpkg", "VERSION", "CHANGELOG"], "VERSION"),
        (
            ["ne_10m_coastline.VERSION.txt", "ne_10m_land.VERSION.txt"],
            "ne_10m_land.VERSION.txt",
        ),
        (["ne_10m_land_scale_rank.VERSION.txt"], "ne_10m_land_scale_rank.VERSION.txt"),
        # Names that end as the theme is called are those of other themes.
        (["ne_10m_island.VERSION.txt", "ne_10m_land.VERSION.txt"], "ne_10m_land.VERSION.txt"),
        (["ne_10m_island.VERSION.txt", "ne_10m_ocean.VERSION.txt"], None),
        # The theme goes before its editions, and they before what is not of it.
        (
            ["ne_10m_land_scale_rank.VERSION.txt", "ne_10m_land.VERSION.txt"],
            "ne_10m_land.VERSION.txt",
        ),
        (
            ["ne_10m_ocean.VERSION.txt", "ne_10m_land_scale_rank.VERSION.txt"],
            "ne_10m_land_scale_rank.VERSION.txt",
        ),
        (["NE_10M_LAND_DEU.VERSION.TXT", "ne_10m_land_ind.VERSION.txt"], None),
        # As archives of macOS have them.
        (
            ["ne_10m_land.VERSION.txt", "__MACOSX/._ne_10m_land.VERSION.txt"],
            "ne_10m_land.VERSION.txt",
        ),
        # Whose they are, nobody says.
        (["ne_10m_coastline.VERSION.txt", "ne_10m_ocean.VERSION.txt"], None),
        (["ne_10m_land.VERSION.txt", "ne_50m_land.VERSION.txt"], None),
        (["ne_10m_land.shp", "CONVERSION.txt", "VERSION.md", "VERSION.txt.bak"], None),
        ([], None),
    ],
)
def test_the_member_is_the_one_of_the_theme(names: list[str], expected: str | None) -> None:
    assert release.version_file(names, "land") == expected


def test_the_coast_of_minor_islands_is_no_coastline() -> None:
    names = ["ne_10m_coastline.VERSION.txt", "ne_10m_minor_islands_coastline.VERSION.txt"]
    assert release.version_file(names, "coastline") == names[0]


def test_an_archive_says_its_release() -> None:
    assert release.in_archive(Fetched(archive(LAND, SQUARE)), "land") == "5.1.1"


@pytest.mark.parametrize(
    "content",
    [archive(LAND, SQUARE, version=None), archive(LAND, SQUARE, version="x" * 300), b"{}"],
    ids=["no text", "a long text", "no archive"],
)
def test_one_that_does_not_has_none(content: bytes) -> None:
    assert release.in_archive(Fetched(content), "land") is None
