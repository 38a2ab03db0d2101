"""Statistics by H3 cells over HTTP: what is answered, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import h3 as h3_library
import numpy as np
import psycopg
import pytest

from infrastructure import database
from services.h3 import cells
from services.h3.model import Cells
from tests.servers import PostgresServer
from tests.support import h3_layers
from tests.support.in_process import InProcessClient, Response
from tests.support.settings import app_settings
from web_interfaces.api import h3

ROOT = "/api/h3"
BOX = (28.0, -3.0, 31.0, -0.5)
FOUND = h3_layers.cells_of(BOX, 6)
FAR = h3_layers.cells_of((178.0, -18.0, -178.0, -15.0), 4)
POLAR = h3_layers.cells_of((-180.0, 85.0, 180.0, 90.0), 3)
RANDOM = np.random.default_rng(7)
MEAN = RANDOM.normal(1500, 300, len(FOUND))
PIXELS = RANDOM.uniform(1, 5, len(FOUND))
NODATA = RANDOM.uniform(0, 1, len(FOUND))
VALUES = {
    "mean": MEAN,
    "min": MEAN - 10,
    "stdev": RANDOM.uniform(0, 50, len(FOUND)),
    "median": MEAN + 1,
    "p95": MEAN + 40,
}
# Of three classes, one of which half of the cells lack.
SHARE = np.where(np.arange(len(FOUND)) % 2, 0.25, np.nan)
CLASSES = {
    "majority": np.ones(len(FOUND)),
    "fraction_1": 1 - np.nan_to_num(SHARE),
    "fraction_2": SHARE,
}


@pytest.fixture(scope="module")
def url(postgres_server: PostgresServer, migrated_template: str) -> Iterator[str]:
    url = postgres_server.create_database(migrated_template)
    yield url
    postgres_server.drop_database(url)


@pytest.fixture(scope="module")
def api(url: str) -> Iterator[InProcessClient]:
    with app_settings(DATABASE_URL=url, GEOFORGE_RESTRICTED_KEYS="known-key"):
        with database.connect(autocommit=True) as connection:
            heights: dict[str, Any] = {"pixel_count": PIXELS, "nodata_count": NODATA}
            h3_layers.put(
                connection, "heights", FOUND, VALUES, title="Heights", unit="m", **heights
            )
            h3_layers.put(connection, "heights", FOUND, {"mean": MEAN * 2}, band=3, unit="m")
            h3_layers.put(connection, "cover", FOUND, CLASSES, theme="land", **heights)
            h3_layers.put(connection, "far", FAR, {"mean": np.arange(len(FAR), dtype=float)})
            h3_layers.put(connection, "polar", POLAR, {"mean": np.ones(len(POLAR))})
            h3_layers.put(connection, "secret", FOUND[:50], {"mean": MEAN[:50]}, is_restricted=True)
        yield InProcessClient(h3.bp)


def stats(api: InProcessClient, dataset: str = "heights", **query: Any) -> dict[str, Any]:
    answer = api.get(f"{ROOT}/stats?{urlencode({'dataset': dataset, **query})}")
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.json()
    listed = found.get("cells", found.get("features"))
    assert found["numberReturned"] == len(listed)
    return found


def refused(api: InProcessClient, status: int, address: str, **headers: str) -> dict[str, Any]:
    answer: Response = api.get(f"{ROOT}/{address}", **headers)
    assert (answer.status, answer.media_type) == (status, "application/problem+json"), answer.text
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    found: dict[str, Any] = answer.json()
    return found


def names(found: Cells) -> list[str]:
    return [h3_library.int_to_str(each) for each in found.tolist()]


def inside(found: Cells, box: tuple[float, float, float, float]) -> list[str]:
    """The cells whose centre is in the box, as H3's own library has centres."""
    west, south, east, north = box
    kept = []
    for name in names(found):
        latitude, longitude = h3_library.cell_to_latlng(name)
        within = (
            west <= longitude <= east if west < east else longitude >= west or longitude <= east
        )
        if south <= latitude <= north and within:
            kept.append(name)
    return kept


def test_the_datasets_are_listed_page_by_page(api: InProcessClient) -> None:
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        more = f"&cursor={cursor}" if cursor else ""
        page = api.get(f"{ROOT}/datasets?limit=2{more}").json()
        assert len(page["datasets"]) <= 2
        seen += [each["dataset"] for each in page["datasets"]]
        cursor = page["next"]
    assert seen == ["cover", "far", "heights", "polar", "secret"]
    of_theme = api.get(f"{ROOT}/datasets?theme=land").json()
    assert [each["dataset"] for each in of_theme["datasets"]] == ["cover"]


def test_a_dataset_says_what_it_has(api: InProcessClient) -> None:
    found = api.get(f"{ROOT}/datasets/heights").json()
    assert (found["title"], found["unit"], found["theme"]) == ("Heights", "m", "heights")
    first, third = found["layers"]
    assert (first["resolution"], first["band"], first["cells"]) == (6, 1, len(FOUND))
    assert third["band"] == 3
    assert first["statistics"]["mean"] == {"min": MEAN.min(), "max": MEAN.max()}
    assert refused(api, 404, "datasets/nothing")["code"] == "dataset_not_found"


def test_pages_hold_every_cell_once(api: InProcessClient) -> None:
    seen: list[dict[str, Any]] = []
    address: str | None = f"{ROOT}/stats?dataset=heights&limit=300"
    while address is not None:
        answer = api.get(address)
        page = answer.json()
        seen += page["cells"]
        link = answer.headers.get("Link")
        assert (link is None) == (page["next"] is None)
        address = None if link is None else link.partition("<")[2].partition(">")[0]
    assert [each["h3"] for each in seen] == names(FOUND)
    assert [each["mean"] for each in seen] == MEAN.tolist()
    assert [each["pixel_count"] for each in seen] == PIXELS.tolist()
    assert [each["nodata_count"] for each in seen] == NODATA.tolist()


def test_a_page_that_is_just_full_is_the_last_one(api: InProcessClient) -> None:
    page = stats(api, limit=len(FOUND))
    assert page["numberReturned"] == len(FOUND)
    assert page["next"] is None


def test_the_answer_says_what_it_is(api: InProcessClient) -> None:
    page = stats(api, limit=1)
    known = ("dataset", "theme", "resolution", "rolled_up_from", "band", "unit", "statistics")
    expected = ["heights", "heights", 6, None, 1, "m", ["mean"]]
    assert [page[name] for name in known] == expected


def test_several_statistics_and_another_band(api: InProcessClient) -> None:
    [cell] = stats(api, stat="p95,min,mean", limit=1)["cells"]
    assert list(cell) == ["h3", "p95", "min", "mean", "pixel_count", "nodata_count"]
    assert cell["p95"] == MEAN[0] + 40
    everything = stats(api, stat="all", limit=1)
    assert sorted(everything["statistics"]) == sorted(VALUES)
    [cell] = stats(api, band=3, limit=1)["cells"]
    assert cell["mean"] == MEAN[0] * 2


@pytest.mark.parametrize("box", [(29, -2, 30, -1), (28.9, -2.8, 29.1, -2.6), (-10, -10, 40, 10)])
def test_a_box_has_the_cells_whose_centre_is_in_it(
    api: InProcessClient, box: tuple[float, float, float, float]
) -> None:
    page = stats(api, bbox=",".join(map(str, box)))
    assert [each["h3"] for each in page["cells"]] == inside(FOUND, box)
    assert page["cells"]


def test_a_box_over_the_antimeridian(api: InProcessClient) -> None:
    box = (179.0, -17.5, -179.2, -15.5)
    page = stats(api, "far", bbox=",".join(map(str, box)))
    wanted = inside(FAR, box)
    assert [each["h3"] for each in page["cells"]] == wanted
    assert len(wanted) > 3


def test_a_box_around_the_pole(api: InProcessClient) -> None:
    page = stats(api, "polar", bbox="-180,88,180,90")
    assert [each["h3"] for each in page["cells"]] == inside(POLAR, (-180, 88, 180, 90))


def test_pages_of_a_box_follow_each_other(api: InProcessClient) -> None:
    box = "29,-2,30,-1"
    seen: list[str] = []
    query: dict[str, Any] = {"bbox": box, "limit": 17}
    while True:
        page = stats(api, **query)
        seen += [each["h3"] for each in page["cells"]]
        if page["next"] is None:
            break
        assert len(page["cells"]) == 17
        query["cursor"] = page["next"]
    assert seen == inside(FOUND, (29, -2, 30, -1))


def test_a_cell_by_its_name(api: InProcessClient) -> None:
    name = names(FOUND)[5]
    [cell] = stats(api, cell=name)["cells"]
    assert (cell["h3"], cell["mean"]) == (name, MEAN[5])


def test_the_cells_below_a_cell(api: InProcessClient) -> None:
    parent = h3_library.cell_to_parent(names(FOUND)[len(FOUND) // 2], 4)
    wanted = [each for each in names(FOUND) if h3_library.cell_to_parent(each, 4) == parent]
    page = stats(api, cell=parent, resolution=6)
    assert [each["h3"] for each in page["cells"]] == wanted
    [rolled_up] = stats(api, cell=parent)["cells"]
    assert rolled_up["h3"] == parent
    assert rolled_up["pixel_count"] == pytest.approx(
        sum(PIXELS[names(FOUND).index(each)] for each in wanted)
    )


def test_a_coarser_resolution_is_rolled_up(api: InProcessClient) -> None:
    page = stats(api, resolution=4, stat="mean,min,stdev")
    assert (page["resolution"], page["rolled_up_from"]) == (4, 6)
    parents = cells.parents(FOUND, 4)
    assert [each["h3"] for each in page["cells"]] == names(np.unique(parents))
    for cell in page["cells"]:
        own = parents == np.uint64(h3_library.str_to_int(cell["h3"]))
        mean = np.average(MEAN[own], weights=PIXELS[own])
        spread = VALUES["stdev"][own] ** 2 + (MEAN[own] - mean) ** 2
        assert cell["mean"] == pytest.approx(mean, rel=1e-12)
        assert cell["min"] == VALUES["min"][own].min()
        assert cell["stdev"] == pytest.approx(np.sqrt(np.average(spread, weights=PIXELS[own])))
        assert cell["pixel_count"] == pytest.approx(PIXELS[own].sum())
        assert cell["nodata_count"] == pytest.approx(NODATA[own].sum())


def test_rolled_up_cells_are_in_a_box_by_their_own_centre(api: InProcessClient) -> None:
    box = (28.7, -2.4, 30.1, -1.2)
    page = stats(api, resolution=4, bbox=",".join(map(str, box)), limit=2)
    seen = page["cells"]
    while page["next"] is not None:
        page = stats(api, resolution=4, bbox=",".join(map(str, box)), limit=2, cursor=page["next"])
        seen += page["cells"]
    parents = np.unique(cells.parents(FOUND, 4))
    assert [each["h3"] for each in seen] == inside(parents, box)
    whole = {each["h3"]: each for each in stats(api, resolution=4)["cells"]}
    assert seen == [whole[each["h3"]] for each in seen]


def test_all_of_what_can_be_rolled_up(api: InProcessClient) -> None:
    assert stats(api, resolution=3, stat="all")["statistics"] == ["mean", "min", "stdev"]


def test_a_class_that_a_cell_lacks_has_a_share_of_nothing(api: InProcessClient) -> None:
    page = stats(api, "cover", stat="fraction_2")
    assert [each["fraction_2"] for each in page["cells"]] == np.nan_to_num(SHARE).tolist()
    [whole, *_] = stats(api, "cover", stat="fraction_1,fraction_2", resolution=2)["cells"]
    assert whole["fraction_1"] + whole["fraction_2"] == pytest.approx(1)
    # Without a mean the majority is what is shown.
    assert stats(api, "cover", limit=1)["statistics"] == ["majority"]


REFUSED = {
    "no dataset": ("bbox=0,0,1,1", 422, "dataset"),
    "a misspelt parameter": ("dataset=heights&boxb=0,0,1,1", 400, "boxb"),
    "three numbers": ("dataset=heights&bbox=0,0,1", 422, "bbox"),
    "six numbers": ("dataset=heights&bbox=0,0,0,1,1,1", 422, "bbox"),
    "a line": ("dataset=heights&bbox=0,0,0,1", 422, "bbox"),
    "two places": ("dataset=heights&bbox=0,0,1,1&iso3=RWA", 422, "iso3"),
    "a country in small letters": ("dataset=heights&iso3=rwa", 422, "iso3"),
    "no cell": ("dataset=heights&cell=8009fffffffffff1", 422, "cell"),
    "no hexadecimal": ("dataset=heights&cell=zebra", 422, "cell"),
    "a finer cell": ("dataset=heights&cell=8a2a1072b59ffff", 422, "resolution"),
    "coarser than the cell": ("dataset=heights&cell=842ba01ffffffff&resolution=2", 422,
                              "resolution"),
    "a finer resolution": ("dataset=heights&resolution=7", 422, "resolution"),
    "no resolution": ("dataset=heights&resolution=16", 422, "resolution"),
    "another band": ("dataset=heights&band=2", 422, "band"),
    "another statistic": ("dataset=heights&stat=mode", 422, "stat"),
    "no name of one": ("dataset=heights&stat=mean,", 422, "stat"),
    "all and one": ("dataset=heights&stat=all,mean", 422, "stat"),
    "a median rolled up": ("dataset=heights&stat=median&resolution=5", 422, "stat"),
    "too many": ("dataset=heights&limit=100001", 422, "limit"),
    "none": ("dataset=heights&limit=0", 422, "limit"),
    "another format": ("dataset=heights&format=csv", 422, "format"),
    "geometry of JSON": ("dataset=heights&geometry=true", 422, "geometry"),
    "no cursor": ("dataset=heights&cursor=abc", 422, "cursor"),
    "a cursor of another resolution": ("dataset=heights&resolution=4&cursor=NjA0", 422, "cursor"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_named(api: InProcessClient, case: str) -> None:
    query, status, name = REFUSED[case]
    found = refused(api, status, f"stats?{query}")
    assert [each["loc"] for each in found["errors"]] == [["query", name]]


def test_a_refusal_says_what_there_is(api: InProcessClient) -> None:
    finer = refused(api, 422, "stats?dataset=heights&resolution=8")["detail"]
    assert "finer than what the dataset has of band 1, which is 6" in finer
    median = refused(api, 422, "stats?dataset=heights&resolution=5&stat=mean,median,p95")["detail"]
    assert "names median, p95, which cannot be rolled up from resolution 6 to 5" in median
    assert "what can: mean, min, stdev" in median
    assert (
        "has mean, median, min, p95, stdev"
        in refused(api, 422, "stats?dataset=heights&stat=sum")["detail"]
    )
    assert "1, 3" in refused(api, 422, "stats?dataset=heights&band=2")["detail"]


def test_a_country(api: InProcessClient, url: str) -> None:
    assert refused(api, 409, "stats?dataset=heights&iso3=RWA")["code"] == "curated_admin0_missing"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE geo.curated_admin0 (gid bigint, iso_a3 text, adm0_a3 text, name text,"
            " name_long text, geom geometry(MultiPolygon, 4326))"
        )
        connection.execute(
            "INSERT INTO geo.curated_admin0 VALUES (1, 'RWA', 'RWA', 'Rwanda', 'Rwanda',"
            " ST_Multi(ST_MakeEnvelope(29, -2.5, 30.5, -1.2, 4326)))"
        )
    try:
        page = stats(api, iso3="RWA")
        assert [each["h3"] for each in page["cells"]] == inside(FOUND, (29, -2.5, 30.5, -1.2))
        unknown = refused(api, 422, "stats?dataset=heights&iso3=RWB")
        assert "RWA is Rwanda" in unknown["detail"]
        assert unknown["errors"][0]["loc"] == ["query", "iso3"]
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP TABLE geo.curated_admin0")


def test_restricted_statistics_are_for_who_may_see_them(api: InProcessClient) -> None:
    assert refused(api, 403, "stats?dataset=secret")["code"] == "restricted"
    assert refused(api, 403, "stats?dataset=secret&code=other")["code"] == "restricted"
    answer = api.get(f"{ROOT}/stats?dataset=secret&limit=9", **{"x-functions-key": "known-key"})
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "private, no-store"
    by_address = api.get(f"{ROOT}/stats?dataset=secret&limit=9&code=known-key")
    assert "code=known-key" in by_address.headers["Link"]


@pytest.mark.parametrize("path", ["datasets", "datasets/secret"])
def test_of_restricted_statistics_only_the_names_are_open(api: InProcessClient, path: str) -> None:
    def known(**headers: str) -> dict[str, Any]:
        answer = api.get(f"{ROOT}/{path}", **headers)
        assert answer.headers["Cache-Control"] == "private, no-store"
        found = answer.json()
        listed = found.get("datasets", [found])
        [secret] = [each for each in listed if each["dataset"] == "secret"]
        assert secret["is_restricted"] is True
        statistics: dict[str, Any] = secret["layers"][0]["statistics"]
        return statistics

    nothing = {"mean": {"min": None, "max": None}}
    assert known() == nothing
    assert known(**{"x-functions-key": "other"}) == nothing
    values = {"min": MEAN[:50].min(), "max": MEAN[:50].max()}
    assert known(**{"x-functions-key": "known-key"}) == {"mean": values}


def test_who_has_the_page_is_told_so(api: InProcessClient, url: str) -> None:
    address = f"{ROOT}/stats?dataset=polar&limit=5"
    first = api.get(address)
    assert first.headers["Cache-Control"] == "public, max-age=60, must-revalidate"
    again = api.get(address, **{"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    other = api.get(f"{address}&format=geojson", **{"If-None-Match": first.headers["ETag"]})
    assert other.status == 200
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "UPDATE h3.dataset_layers SET updated_at = now() WHERE dataset_id = 'polar'"
        )
    anew = api.get(address, **{"If-None-Match": first.headers["ETag"]})
    assert anew.status == 200


def test_every_page_of_the_web_may_ask(api: InProcessClient) -> None:
    for path in ("datasets", "datasets/heights", "stats"):
        assert api.call("OPTIONS", f"{ROOT}/{path}").status == 204
    assert api.get(f"{ROOT}/datasets").headers["Access-Control-Allow-Origin"] == "*"


def test_a_request_that_takes_too_long_is_stopped(api: InProcessClient, url: str) -> None:
    with app_settings(DATABASE_URL=url, GEOFORGE_FEATURES_TIMEOUT_SECONDS="0.000001"):
        found = refused(api, 503, "stats?dataset=heights&resolution=3")
    assert found["code"] == "h3_timeout"
