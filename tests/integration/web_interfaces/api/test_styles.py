"""Styles and legends over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.models.feature_table import Column, ColumnType, FeatureTable, GeometryColumn
from infrastructure import database, styles_repository
from services.curated.handler import Style
from services.styles.seeding import seed
from tests.support.feature_tables import create, publish
from tests.support.in_process import BASE, InProcessClient
from tests.support.map_styles import faults
from tests.support.settings import app_settings
from web_interfaces.api.styles import bp

AREAS = FeatureTable(
    columns=(Column(name="status", type=ColumnType.TEXT),),
    geometry=GeometryColumn(type="MultiPolygon", srid=4326),
)
BY_STATUS = Style(
    "status",
    "By status",
    [
        {
            "id": "status-fill",
            "type": "fill",
            "paint": {"fill-color": ["match", ["get", "status"], "open", "#064f36", "#bdbdbd"]},
        }
    ],
    [
        {"label": "Open", "color": "#064f36", "kind": "fill", "filter": ["==", "status", "open"]},
        {"label": "Other", "color": "#bdbdbd", "kind": "fill"},
    ],
    description="Whether one may go in",
)
MINE = {"layers": [{"id": "mine", "type": "fill", "paint": {"fill-color": "navy"}}]}


@pytest.fixture
def connection(ledger_url: str) -> Iterator[database.Connection]:
    with app_settings(DATABASE_URL=ledger_url), database.connect(autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS other CASCADE")
        connection.execute("DROP TABLE IF EXISTS geo.parks, geo.codes")
        connection.execute("TRUNCATE geo.feature_collection_styles, app.published_tables")
        for name in ("parks", "other.parks"):
            create(connection, name, AREAS, [])
            publish(
                connection, name, AREAS, row_count=0, version=7, title="Parks",
                attribution="Parks & <b>Co</b>", bbox=[-10.0, -90.0, 20.0, 60.0],
            )  # fmt: skip
        create(connection, "codes", AREAS.model_copy(update={"geometry": None}), [])
        publish(connection, "codes", AREAS.model_copy(update={"geometry": None}), row_count=0)
        yield connection


@pytest.fixture
def client(connection: database.Connection) -> InProcessClient:
    return InProcessClient(bp)


def style(client: InProcessClient, path: str) -> dict[str, Any]:
    answer = client.get(f"/api/styles/{path}")
    assert answer.status == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-cache"
    found: dict[str, Any] = answer.json()
    return found


class TestReading:
    def test_a_collection_without_styles_has_one_all_the_same(
        self, client: InProcessClient, tmp_path: Path
    ) -> None:
        found = style(client, "parks")

        assert faults(found, tmp_path) == []
        assert found["name"] == "Parks"
        assert found["metadata"]["legend"][0]["label"] == "Parks"
        assert style(client, "parks/default") == found

    def test_names_the_tiles_of_the_present_version(self, client: InProcessClient) -> None:
        [source] = style(client, "parks")["sources"].values()

        [tiles] = source["tiles"]
        assert tiles.startswith(f"{BASE}/api/tiles/parks/{{z}}/{{x}}/{{y}}.pbf?v=7-")
        # Web Mercator ends before the pole.
        assert source["bounds"] == pytest.approx([-10.0, -85.051129, 20.0, 60.0], abs=2e-6)
        assert source["attribution"] == "Parks &amp; &lt;b&gt;Co&lt;/b&gt;"
        assert (source["minzoom"], source["maxzoom"]) == (0, 14)

    def test_fills_in_source_and_layer(
        self, client: InProcessClient, connection: database.Connection, tmp_path: Path
    ) -> None:
        seed(connection, "other.parks", [BY_STATUS])

        found = style(client, "other.parks")

        assert faults(found, tmp_path) == []
        [layer] = found["layers"]
        assert layer["source"] == layer["source-layer"] == "other.parks"
        assert layer["paint"] == BY_STATUS.layers[0]["paint"]
        assert "/api/tiles/other.parks/" in found["sources"]["other.parks"]["tiles"][0]

    def test_a_legend_is_in_order(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        seed(connection, "parks", [BY_STATUS])

        for address in ("parks/legend", "parks/status/legend"):
            legend = style(client, address)
            assert legend["title"] == "By status"
            assert legend["description"] == "Whether one may go in"
            # How features are chosen for an entry is not shown.
            assert legend["entries"] == [
                {"label": "Open", "color": "#064f36", "kind": "fill"},
                {"label": "Other", "color": "#bdbdbd", "kind": "fill"},
            ]

    def test_a_legend_comes_as_a_picture(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        seed(connection, "parks", [BY_STATUS])
        answer = client.get("/api/styles/parks/legend?f=svg")
        assert answer.media_type == "image/svg+xml"
        assert answer.text.index("Open") < answer.text.index("Other")
        assert client.get("/api/styles/parks/legend?f=png").status == 422

    def test_all_are_listed(self, client: InProcessClient, connection: database.Connection) -> None:
        seed(connection, "parks", [BY_STATUS, Style("realm", "Realm", [], [])])

        page = client.get("/api/styles").json()

        assert [each["collection"] for each in page["collections"]] == ["parks", "other.parks"]
        parks, others = page["collections"]
        assert [(each["style_id"], each["is_default"]) for each in parks["styles"]] == [
            ("status", True),
            ("realm", False),
        ]
        assert [each["style_id"] for each in others["styles"]] == ["default"]
        assert page["next"] is None
        for each in (parks, others):
            assert client.get(each["links"]["style"]).status == 200
            assert client.get(each["styles"][-1]["links"]["self"]).status == 200
            assert client.get(each["styles"][-1]["links"]["legend"]).status == 200

    def test_the_list_is_paged(self, client: InProcessClient) -> None:
        found: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = client.get(f"/api/styles?limit=1{cursor and f'&cursor={cursor}'}").json()
            found += [each["collection"] for each in page["collections"]]
            cursor = page["next"]
        assert found == ["parks", "other.parks"]

    @pytest.mark.parametrize(
        ("path", "code", "named"),
        [
            ("parcs", "collection_not_found", "parks"),
            ("Not a name", "collection_not_found", ""),
            ("codes", "no_geometry", "geo.codes"),
            ("parks/blue", "unknown_style", "default"),
            ("parks/blue/legend", "unknown_style", "default"),
            ("nothing/legend", "collection_not_found", "other.parks"),
        ],
    )
    def test_what_is_unknown_is_not_found(
        self, client: InProcessClient, path: str, code: str, named: str
    ) -> None:
        answer = client.get(f"/api/styles/{path}")
        assert (answer.status, answer.json()["code"]) == (404, code)
        assert named in answer.json()["detail"]

    def test_a_misspelt_parameter_is_refused(self, client: InProcessClient) -> None:
        assert client.get("/api/styles/parks?verison=1").status == 422
        assert client.get("/api/styles/parks?code=KEY").status == 200


class TestEditing:
    def test_a_style_is_added_and_replaced(self, client: InProcessClient) -> None:
        added = client.put("/api/styles/parks/mine", {**MINE, "title": "Mine"})
        assert (added.status, added.headers["Location"]) == (
            201,
            f"{BASE}/api/styles/parks/mine",
        )
        assert added.json()["is_default"]

        replaced = client.put("/api/styles/parks/mine", {**MINE, "title": "Mine again"})
        assert (replaced.status, replaced.json()["title"]) == (200, "Mine again")
        assert style(client, "parks")["name"] == "Mine again"
        assert style(client, "parks")["metadata"]["legend"] == [
            {"label": "mine", "color": "navy", "kind": "fill"}
        ]

    def test_a_style_that_was_read_can_be_written(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        seed(connection, "parks", [BY_STATUS])
        read = style(client, "parks")
        assert client.put("/api/styles/parks/copy", read).status == 201
        copy = style(client, "parks/copy")
        for member in ("name", "layers", "sources"):
            assert copy[member] == read[member]
        assert copy["metadata"]["legend"] == read["metadata"]["legend"]
        assert copy["metadata"]["description"] == read["metadata"]["description"]

    def test_one_style_is_the_default(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        seed(connection, "parks", [BY_STATUS])
        assert not client.put("/api/styles/parks/mine", MINE).json()["is_default"]
        assert client.put("/api/styles/parks/mine", {**MINE, "is_default": True}).json()[
            "is_default"
        ]
        assert style(client, "parks")["metadata"]["style_id"] == "mine"
        assert not style(client, "parks/status")["metadata"]["is_default"]
        # Leaving it out does not take it away.
        assert client.put("/api/styles/parks/mine", MINE).json()["is_default"]

    def test_a_default_that_is_removed_has_a_successor(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        seed(connection, "parks", [BY_STATUS])
        client.put("/api/styles/parks/mine", {**MINE, "is_default": True})

        assert client.delete("/api/styles/parks/mine").status == 204
        assert style(client, "parks")["metadata"]["style_id"] == "status"
        assert client.delete("/api/styles/parks/status").status == 204
        assert style(client, "parks")["metadata"]["style_id"] == "default"
        gone = client.delete("/api/styles/parks/default")
        assert (gone.status, gone.json()["code"]) == (404, "unknown_style")

    def test_one_of_many_defaults_at_once_wins(
        self, client: InProcessClient, connection: database.Connection
    ) -> None:
        statuses: list[int] = []

        def put(name: str) -> None:
            body = {**MINE, "is_default": True}
            statuses.append(client.put(f"/api/styles/parks/{name}", body).status)

        threads = [threading.Thread(target=put, args=(f"s{n}",)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert statuses == [201] * 8
        found = styles_repository.of_collection(connection, "parks")
        assert [each.is_default for each in found] == [True] + [False] * 7

    @pytest.mark.parametrize(
        ("path", "body", "loc"),
        [
            ("parks/legend", MINE, ["path", "style_id"]),
            ("parks/Mine", MINE, ["path", "style_id"]),
            ("parks/mine", {}, ["layers"]),
            ("parks/mine", {**MINE, "glyphs": "https://x.test/{range}.pbf"}, ["glyphs"]),
        ],
    )
    def test_what_cannot_be_kept_is_refused(
        self,
        client: InProcessClient,
        connection: database.Connection,
        path: str,
        body: dict[str, Any],
        loc: list[str],
    ) -> None:
        answer = client.put(f"/api/styles/{path}", body)
        assert (answer.status, answer.json()["errors"][0]["loc"]) == (422, loc)
        assert styles_repository.of_collection(connection, "parks") == []

    def test_an_unknown_collection_gets_no_style(self, client: InProcessClient) -> None:
        assert client.put("/api/styles/nothing/mine", MINE).status == 404
        assert client.delete("/api/styles/nothing/mine").status == 404
        assert client.delete("/api/styles/parks/nothing").status == 404

    def test_a_page_of_another_site_cannot_write(self, client: InProcessClient) -> None:
        answer = client.call(
            "PUT", "/api/styles/parks/mine", b"{}", {"Sec-Fetch-Site": "cross-site"}
        )
        assert (answer.status, answer.json()["code"]) == (403, "cross_origin")
