"""Natural Earth's own files, from the archive to the published table."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from infrastructure import blob_storage, database
from infrastructure.database import Connection
from jobs.curated_update import JOB
from tests.support.curated_datasets import forget_all, register
from tests.support.run_job import JobRun
from tests.support.settings import app_settings

_DATA = Path(os.environ.get("GEOFORGE_DATA", Path(__file__).parents[5] / "shared" / "data"))
_FILES = _DATA / "1_natural_earth"
_RUNS = itertools.count()
UPLOADS = "bronze-natural-earth-files"
EARTH = (-180, -90, 180, 90)

pytestmark = pytest.mark.skipif(
    not _FILES.is_dir(), reason=f"no sample data at {_DATA} (GEOFORGE_DATA)"
)


class Published(NamedTuple):
    """What an update said, and the rows that it published with what PostGIS says of them."""

    result: Mapping[str, Any]
    rows: list[dict[str, Any]]

    def of(self, code: str) -> dict[str, Any]:
        """The country with this code."""
        [row] = [each for each in self.rows if each["adm0_a3"] == code]
        return row


@pytest.fixture
def connection(
    ledger_url: str, blob_connection_string: str, tmp_path: Path
) -> Iterator[Connection]:
    with (
        app_settings(
            DATABASE_URL=ledger_url,
            AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
            GEOFORGE_CURATED_CONTAINER="curated-earth-files",
            GEOFORGE_SOURCE_CACHE_DIR=str(tmp_path / "sources"),
        ),
        database.connect(autocommit=True) as connection,
    ):
        forget_all(connection)
        blob_storage.ensure_container(UPLOADS)
        yield connection


def publish(connection: Connection, theme: str, file: str) -> Published:
    """Publish a file as the theme's dataset; nothing of it is lost, invalid or of another kind."""
    path = _FILES / file
    number = next(_RUNS)
    for part in sorted(path.parent.glob(f"{path.name.split('.')[0]}.*")):
        blob_storage.write_bytes(UPLOADS, f"{number}/{part.name}", part.read_bytes())
    dataset = register(
        connection,
        dataset_id=theme,
        source_type="manual",
        source_url=None,
        source_config={"container_name": UPLOADS, "blob_name": f"{number}/{path.name}"},
        handler=f"natural_earth_{theme}",
        target_table_name=f"curated_{theme}",
    )
    result = JobRun(JOB, number, dataset_id=theme).run()
    assert result is not None
    found = connection.execute(
        "SELECT *, GeometryType(geom) AS kind, ST_IsValid(geom) AS valid,"
        " ST_Area(geom::geography) / 1e6 AS km2, ST_XMin(geom) AS west, ST_YMin(geom) AS south,"
        " ST_XMax(geom) AS east, ST_YMax(geom) AS north,"
        " (SELECT max(ST_XMax(part.geom) - ST_XMin(part.geom)) FROM ST_Dump(a.geom) AS part)"
        f" AS width FROM {dataset.target} AS a"
    ).fetchall()
    rows = [dict(row) for row in found]
    assert result["read"] == result["loaded"] == len(rows)
    assert result["quarantined"] == 0
    assert [row["gid"] for row in rows if not row["valid"]] == []
    assert {row["kind"] for row in rows} == {
        "MULTILINESTRING" if theme == "coastlines" else "MULTIPOLYGON"
    }
    for row in rows:
        west, south, east, north = EARTH
        assert west <= row["west"] <= row["east"] <= east
        assert south <= row["south"] <= row["north"] <= north
    return Published(result, rows)


@pytest.mark.parametrize(
    ("file", "count", "version"),
    [
        ("10m/ne_10m_admin_0_countries.geojson.zip", 258, None),
        ("110m/ne_110m_admin_0_countries.geojson", 177, None),
        ("110m_shp/ne_110m_admin_0_countries.shp", 177, "5.1.1"),
    ],
)
def test_all_countries_are_published(
    connection: Connection, file: str, count: int, version: str | None
) -> None:
    published = publish(connection, "admin0", file)
    assert len(published.rows) == count
    assert version in (None, published.result["source_version"])
    for row in published.rows:
        assert "-99" not in {str(value) for value in row.values()}
        # Antarctica is all around the pole. Nothing else is wider than Russia.
        assert row["width"] < (361 if row["adm0_a3"] == "ATA" else 160)
    codes = {code: published.of(code)["iso_a3"] for code in ("FRA", "NOR", "TWN", "SOL", "KOS")}
    assert codes == {"FRA": "FRA", "NOR": "NOR", "TWN": "TWN", "SOL": "SOL", "KOS": "KOS"}
    assert all(len(row["iso_a3"]) == 3 and row["iso_a3"].isalpha() for row in published.rows)
    # Releases before 5 do not have it.
    assert published.of("FRA")["iso_a2"] == ("FR" if published.of("FRA")["ne_id"] else None)
    assert published.of("TWN")["iso_a2"] == "TW"


def test_countries_across_the_antimeridian_have_their_size(connection: Connection) -> None:
    published = publish(connection, "admin0", "10m/ne_10m_admin_0_countries.geojson.zip")
    # Areas by the United Nations: 18,272, 17,098,246 (with lakes, which are cut out here) and
    # 268,838 km2.
    for code, km2, share in (("FJI", 18_272, 0.05), ("RUS", 17_098_246, 0.01)):
        country = published.of(code)
        assert country["km2"] == pytest.approx(km2, rel=share)
        assert (round(country["west"]), round(country["east"])) == (-180, 180)
    assert published.of("NZL")["km2"] == pytest.approx(268_838, rel=0.01)
    # Its ring crosses itself in the file.
    assert published.of("EGY")["km2"] == pytest.approx(1_001_450, rel=0.01)


@pytest.mark.parametrize(
    ("theme", "file", "count"),
    [
        ("admin1", "110m/ne_110m_admin_1_states_provinces.geojson", 51),
        ("coastlines", "10m/ne_10m_coastline.geojson.zip", 4133),
        ("coastlines", "110m/ne_110m_coastline.geojson", 134),
        ("land", "10m/ne_10m_land.geojson.zip", 10),
        ("land", "110m/ne_110m_land.geojson", 127),
    ],
)
def test_all_states_coastlines_and_land_are_published(
    connection: Connection, theme: str, file: str, count: int
) -> None:
    published = publish(connection, theme, file)
    assert len(published.rows) == count
    filled = {name for row in published.rows for name, value in row.items() if value is not None}
    assert {"featurecla", "scalerank", "min_zoom", "source_version"} <= filled
    if theme == "admin1":
        minnesota = next(row for row in published.rows if row["name"] == "Minnesota")
        assert (minnesota["adm1_code"], minnesota["iso_3166_2"]) == ("USA-3514", "US-MN")
        assert (minnesota["adm0_a3"], minnesota["postal"]) == ("USA", "MN")
