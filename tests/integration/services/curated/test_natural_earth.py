"""Natural Earth's boundaries, from archives that are made up to their published tables."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from shapely import LineString, MultiPolygon, Polygon, box

from core.errors import PermanentTaskError
from core.models.curated import CuratedDataset
from infrastructure import blob_storage, curated_updates_repository, database
from infrastructure.database import Connection
from jobs.curated_update import JOB
from services.curated import handlers
from services.curated.handler import RemoteVersion
from services.vector import reports
from tests.support.curated_datasets import forget_all, register
from tests.support.file_server import File, FileServer, file_server
from tests.support.handler_runs import run, store
from tests.support.natural_earth import (
    COASTLINE,
    COUNTRIES,
    LAND,
    STATES,
    archive,
    country,
    shapefile,
    shore,
    state,
)
from tests.support.run_job import JobRun
from tests.support.settings import app_settings

PATH = f"/10m/cultural/{COUNTRIES}.zip"
DATE = "Mon, 01 May 2023 10:00:00 GMT"
UPLOADS = "bronze-natural-earth"
_RUNS = itertools.count()

KENYA = country(box(34, -5, 42, 5), "KEN", "Kenya")
FRANCE = country(box(0, 43, 7, 50), "FRA", "France", ISO_A2="-99", ISO_A3="-99", ISO_N3="-99")
SOMALILAND = country(
    box(43, 8, 49, 11),
    "SOL",
    "Somaliland",
    **dict.fromkeys(("ISO_A2", "ISO_A2_EH", "ISO_A3", "ISO_A3_EH", "ISO_N3", "ISO_N3_EH"), "-99"),
    ECONOMY="-99",
    GDP_MD=-99,
    POP_YEAR=0,
    WIKIDATAID="-99",
    LABEL_X=-99.0,
)
TAIWAN = country(box(120, 22, 122, 25), "TWN", "Taiwan", ISO_A2="CN-TW", ISO_A2_EH="TW")
FIJI = country(MultiPolygon([box(177, -19, 180, -16), box(-180, -18, -179, -16)]), "FJI", "Fiji")
ALL = [KENYA, FRANCE, SOMALILAND, TAIWAN, FIJI]


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as server:
        yield server


@pytest.fixture
def connection(
    ledger_url: str, blob_connection_string: str, tmp_path: Path
) -> Iterator[Connection]:
    with (
        app_settings(
            DATABASE_URL=ledger_url,
            AZURE_STORAGE_CONNECTION_STRING=blob_connection_string,
            GEOFORGE_CURATED_CONTAINER=f"curated-earth-{next(_RUNS)}",
            GEOFORGE_SOURCE_CACHE_DIR=str(tmp_path / "sources"),
            GEOFORGE_ALLOWED_HOSTS="127.0.0.1",
        ),
        database.connect(autocommit=True) as connection,
    ):
        forget_all(connection)
        blob_storage.ensure_container(UPLOADS)
        yield connection


@pytest.fixture
def countries(connection: Connection, server: FileServer) -> CuratedDataset:
    return earth(connection, "admin0", source_url=f"{server.url}{PATH}")


def earth(connection: Connection, theme: str, **fields: Any) -> CuratedDataset:
    """A dataset as it is seeded."""
    return register(
        connection,
        # Of so few rows, each is much.
        gates={"row_count_change_pct": None, "extent_change_pct": None},
        dataset_id=theme,
        source_type="manual",
        handler=f"natural_earth_{theme}",
        target_table_name=f"curated_{theme}",
        **fields,
    )


def update(dataset: CuratedDataset, **asked: Any) -> Mapping[str, Any]:
    """Run an update to its end; its result."""
    result = JobRun(JOB, next(_RUNS), dataset_id=dataset.dataset_id, **asked).run()
    assert result is not None
    return result


def rows(connection: Connection, dataset: CuratedDataset, key: str) -> dict[str, dict[str, Any]]:
    """What is published, by key, with what PostGIS says of it."""
    found = connection.execute(
        "SELECT *, GeometryType(geom) AS kind, ST_IsValid(geom) AS valid, ST_Area(geom) AS area,"
        " (SELECT max(ST_XMax(part.geom) - ST_XMin(part.geom)) FROM ST_Dump(a.geom) AS part)"
        f" AS width FROM {dataset.target} AS a"
    ).fetchall()
    return {str(row[key]): dict(row) for row in found}


def check(dataset: CuratedDataset) -> RemoteVersion:
    return handlers.get(dataset.handler).check(run(dataset))


def test_countries_are_published_with_their_codes_and_on_their_side_of_the_antimeridian(
    connection: Connection, countries: CuratedDataset, server: FileServer
) -> None:
    server.files[PATH] = File(archive(COUNTRIES, ALL), {"etag": '"a"'})
    result = update(countries)
    assert (result["source_version"], result["rows"]) == ("5.1.1", 5)
    assert result["read"] == result["loaded"] + result["quarantined"] == 5
    published = rows(connection, countries, "adm0_a3")
    codes = {key: (row["iso_a3"], row["iso_a2"], row["iso_n3"]) for key, row in published.items()}
    assert codes == {
        "KEN": ("KEN", "KE", "004"),
        "FRA": ("FRA", "FR", "004"),
        "SOL": ("SOL", None, None),
        "TWN": ("TWN", "TW", "004"),
        "FJI": ("FJI", "FJ", "004"),
    }
    kenya, somaliland = published["KEN"], published["SOL"]
    assert (kenya["population"], kenya["pop_year"], kenya["gdp_md"]) == (1000, 2019, 500.0)
    assert (kenya["name"], kenya["continent"], kenya["label_x"]) == ("Kenya", "Africa", 37.5)
    unknown = ("economy", "gdp_md", "pop_year", "wikidataid")
    assert [somaliland[name] for name in unknown] == [None] * 4
    assert somaliland["label_x"] == -99.0, "which is a longitude"
    assert {row["source_version"] for row in published.values()} == {"5.1.1"}
    assert {row["kind"] for row in published.values()} == {"MULTIPOLYGON"}
    assert all(row["valid"] for row in published.values())
    fiji = published["FJI"]
    assert (fiji["area"], fiji["width"]) == (pytest.approx(11), pytest.approx(3))
    [layer] = reports.report_view(result["report"].rsplit("/", 1)[1])["layers"]
    fills = {column["name"]: column["column"] for column in layer["columns"]}
    names = ("ISO_A3", "ISO_A3_EH", "ADM0_A3", "NAME_AR")
    assert [fills[name] for name in names] == ["iso_a3", "iso_a3", "adm0_a3", None]


def test_a_release_is_read_once_whatever_the_etag_and_again_where_it_is_forced(
    connection: Connection, countries: CuratedDataset, server: FileServer
) -> None:
    server.files[PATH] = File(archive(COUNTRIES, [KENYA]), {"etag": '"a"'})
    update(countries)
    repaired = archive(COUNTRIES, [KENYA, FRANCE])
    server.files[PATH] = File(repaired, {"etag": '"b"'})
    asked = len(server.asked)
    assert update(countries)["action"] == "skipped"
    # What it is, its directory and what VERSION.txt says; the archive is fetched by nobody.
    assert len(server.asked) - asked <= 3
    assert None not in server.ranges()[asked:]
    result = update(countries, force_update=True)
    assert (result["source_version"], result["rows"]) == ("5.1.1", 2)
    server.files[PATH] = File(archive(COUNTRIES, [KENYA, FIJI], version="5.1.2"), {"etag": '"c"'})
    result = update(countries)
    assert result["source_version"] == "5.1.2"
    assert result["changes"] == {"added": 1, "updated": 0, "deleted": 1, "unchanged": 1}


def test_an_update_may_name_a_file_that_an_operator_has_uploaded(
    connection: Connection, countries: CuratedDataset, server: FileServer
) -> None:
    blob_storage.write_bytes(UPLOADS, "in/countries.zip", archive(COUNTRIES, ALL, version="5.0.0"))
    job = JobRun(
        JOB,
        next(_RUNS),
        dataset_id=countries.dataset_id,
        container_name=UPLOADS,
        blob_name="in/countries.zip",
    )
    result = job.run()
    assert result is not None
    assert (result["source_version"], result["rows"]) == ("5.0.0", 5)
    assert server.asked == [], "there is no way to the internet"
    row = curated_updates_repository.of_job(connection, job.job_id)
    assert row is not None
    facts = row["details"]["remote"]["facts"]
    assert (facts["container"], facts["files"]) == (UPLOADS, ["in/countries.zip"])
    assert facts["version_from"] == "file"


def test_a_loose_shapefile_has_its_release_beside_it(connection: Connection) -> None:
    files = shapefile(STATES, [state(box(0, 0, 1, 1), "USA-3514", "Minnesota")])
    files[f"{STATES}.VERSION.txt"] = b"4.1.0\n"
    for name, content in files.items():
        blob_storage.write_bytes(UPLOADS, f"loose/{name}", content)
    config = {"container_name": UPLOADS, "blob_name": f"loose/{STATES}.shp"}
    states = earth(connection, "admin1", source_url=None, source_config=config)
    assert update(states)["source_version"] == "4.1.0"
    [row] = rows(connection, states, "adm1_code").values()
    assert (row["name"], row["name_alt"], row["iso_3166_2"]) == ("Minnesota", "MN|Minn.", "US-MN")
    assert (row["name_local"], row["longitude"], row["kind"]) == (None, -93.364, "MULTIPOLYGON")


def test_coastlines_are_compared_by_their_shapes(
    connection: Connection, server: FileServer
) -> None:
    dataset = earth(connection, "coastlines", source_url=f"{server.url}/{COASTLINE}.zip")
    shores = [shore(LineString([(x, 0), (x, 1)])) for x in range(10)]
    file = File(archive(COASTLINE, shores[:-1]), {"etag": '"a"'})
    server.files[f"/{COASTLINE}.zip"] = file
    assert update(dataset)["changes"]["added"] == 9
    file.content, file.headers = archive(COASTLINE, shores[1:], version="5.1.2"), {"etag": '"b"'}
    changes = {"added": 1, "updated": 0, "deleted": 1, "unchanged": 8}
    assert update(dataset)["changes"] == changes
    published = rows(connection, dataset, "gid").values()
    assert {row["kind"] for row in published} == {"MULTILINESTRING"}


def test_land_that_is_no_land_is_set_aside(connection: Connection, server: FileServer) -> None:
    dataset = earth(connection, "land", source_url=f"{server.url}/{LAND}.zip")
    pieces = [shore(box(x, 0, x + 1, 1), featurecla="Land") for x in range(0, 60, 2)]
    nowhere = shore(Polygon(), featurecla="Land")
    server.files[f"/{LAND}.zip"] = File(archive(LAND, [*pieces, nowhere]), {"etag": '"a"'})
    result = update(dataset)
    assert (result["read"], result["loaded"], result["quarantined"]) == (31, 30, 1)
    published = rows(connection, dataset, "gid").values()
    assert {(row["featurecla"], row["kind"]) for row in published} == {("Land", "MULTIPOLYGON")}


def test_an_older_release_has_fewer_columns_and_is_no_drift(
    connection: Connection, countries: CuratedDataset, server: FileServer
) -> None:
    server.files[PATH] = File(archive(COUNTRIES, ALL), {"etag": '"a"'})
    update(countries)
    later = ("ISO_A2_EH", "ISO_N3_EH", "LABEL_X", "LABEL_Y", "NE_ID", "WIKIDATAID", "NAME_EN")
    old = [
        (geometry, {name: value for name, value in said.items() if name not in later})
        for geometry, said in ALL
    ]
    server.files[PATH] = File(archive(COUNTRIES, old, version="4.0.0"), {"etag": '"b"'})
    result = update(countries)
    assert (result["action"], result["changes"]["updated"]) == ("updated", 5)
    france = rows(connection, countries, "adm0_a3")["FRA"]
    assert (france["iso_a3"], france["iso_a2"], france["ne_id"]) == ("FRA", None, None)


class TestVersions:
    """What is asked of a server, and what it is without ranges, ETags or VERSION.txt."""

    def test_are_read_from_the_archive_in_two_parts(
        self, countries: CuratedDataset, server: FileServer
    ) -> None:
        content = archive(COUNTRIES, ALL, beside={"large": random.Random(1).randbytes(1 << 20)})
        server.files[PATH] = File(content, {"etag": '"a"'})
        remote = check(countries)
        assert (remote.version, remote.size) == ("5.1.1", len(content))
        assert remote.facts["version_from"] == "file"
        assert remote.facts["validator"] == '"a"'
        probed, *parts = [str(each) for each in server.ranges()]
        assert probed == "bytes=0-0"
        ends = [re.fullmatch(r"bytes=(\d+)-(\d+)", part) for part in parts]
        fetched = sum(int(each[2]) + 1 - int(each[1]) for each in ends if each is not None)
        assert len(ends) == 2
        assert fetched <= 256 << 10
        assert {each.headers.get("if-range") for each in server.asked[1:]} == {'"a"'}

    @pytest.mark.parametrize(
        ("header", "value", "version_from"),
        [("etag", '"a"', "etag"), ("last-modified", DATE, "last_modified")],
    )
    def test_are_those_of_any_file_where_the_server_gives_no_ranges(
        self,
        countries: CuratedDataset,
        server: FileServer,
        header: str,
        value: str,
        version_from: str,
    ) -> None:
        server.files[PATH] = File(archive(COUNTRIES, [KENYA]), {header: value}, ranges=False)
        remote = check(countries)
        assert (remote.version, remote.facts["version_from"]) == (value.strip('"'), version_from)

    def test_are_those_of_any_file_where_it_names_none(
        self, countries: CuratedDataset, server: FileServer
    ) -> None:
        for content in (archive(COUNTRIES, [KENYA], version=None), b'{"type": "Feature"}'):
            server.files[PATH] = File(content, {"etag": '"a"'})
            remote = check(countries)
            assert (remote.version, remote.facts["version_from"]) == ("a", "etag")

    def test_do_not_need_an_etag(self, countries: CuratedDataset, server: FileServer) -> None:
        server.files[PATH] = File(archive(COUNTRIES, [KENYA]))
        remote = check(countries)
        assert (remote.version, remote.facts["version_from"]) == ("5.1.1", "file")
        this = run(countries)
        handler = handlers.get(countries.handler)
        ref = handler.fetch(this, remote, store(this, remote.version))
        assert ref.size == len(server.files[PATH].content)

    def test_are_looked_for_again_in_what_was_fetched(
        self, countries: CuratedDataset, server: FileServer
    ) -> None:
        server.files[PATH] = File(archive(COUNTRIES, [KENYA]))
        remote = check(countries)
        server.files[PATH] = File(archive(COUNTRIES, [KENYA], version="5.1.2"))
        this = run(countries)
        with pytest.raises(PermanentTaskError, match=r"another version than 5\.1\.1") as raised:
            handlers.get(countries.handler).fetch(this, remote, store(this, remote.version))
        assert raised.value.error_code == "source_changed"

    def test_may_be_given(self, connection: Connection, server: FileServer) -> None:
        server.files[PATH] = File(archive(COUNTRIES, [KENYA]), {"etag": '"a"'})
        named = earth(
            connection,
            "admin0",
            source_url=f"{server.url}{PATH}",
            source_config={"version": "mine"},
        )
        assert check(named).version == "mine"
        assert server.ranges() == ["bytes=0-0"]
