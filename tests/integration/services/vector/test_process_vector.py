"""process_vector from a blob to published tables, stage by stage in this process."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from core.errors import PermanentTaskError
from infrastructure import database
from jobs.process_vector import JOB
from services.vector import inspecting
from tests.support.curated_datasets import register
from tests.support.run_job import TaskFailed
from tests.support.vector_job import (
    CONTAINER,
    collection,
    feature,
    job,
    publish,
    put,
    rows,
    square,
)
from tests.support.website import serving

pytestmark = pytest.mark.usefixtures("app")

STAGES = [stage.name for stage in JOB.stages]
BOW_TIE = [[[20, 0], [21, 1], [21, 0], [20, 1], [20, 0]]]


def refusal(blob: str, **parameters: Any) -> PermanentTaskError:
    """What a job fails with."""
    with pytest.raises(TaskFailed) as failed:
        job(blob, **parameters).run()
    cause = failed.value.__cause__
    assert isinstance(cause, PermanentTaskError)
    return cause


class TestPublishedTables:
    def test_attributes_geometry_and_provenance(self) -> None:
        blob = put(
            "in/National Parks.geojson",
            collection(
                feature("Polygon", square(10, 10), Name="Alpha", visitors=12, since="2001-05-04"),
                feature("Polygon", square(12, 10), Name="Beta", visitors=None, since="1999-01-31"),
            ),
        )
        result = publish(blob)
        assert [table["table"] for table in result["tables"]] == ["geo.national_parks"]
        assert (result["read"], result["loaded"], result["quarantined"]) == (2, 2, 0)
        found = rows(
            "SELECT gid, name, visitors, since::text, GeometryType(geom) AS type,"
            " ST_SRID(geom) AS srid, ST_IsValid(geom) AS valid FROM geo.national_parks ORDER BY gid"
        )
        assert [tuple(row.values()) for row in found] == [
            (1, "Alpha", 12, "2001-05-04", "MULTIPOLYGON", 4326, True),
            (2, "Beta", None, "1999-01-31", "MULTIPOLYGON", 4326, True),
        ]
        comment = rows("SELECT obj_description('geo.national_parks'::regclass) AS text")[0]["text"]
        assert f"{CONTAINER}/{blob}" in comment
        indexes = rows("SELECT indexdef FROM pg_indexes WHERE tablename = 'national_parks'")
        assert any("gist" in row["indexdef"] for row in indexes)

    def test_a_layer_of_several_dimensions_becomes_sibling_tables(self) -> None:
        blob = put(
            "mixed.geojson",
            collection(
                feature("Polygon", square(0, 0), n=1),
                feature("Polygon", square(2, 0), n=2),
                feature("Point", [5, 5], n=3),
                {
                    "type": "Feature",
                    "properties": {"n": 4},
                    "geometry": {
                        "type": "GeometryCollection",
                        "geometries": [
                            {"type": "Point", "coordinates": [7, 7]},
                            {"type": "LineString", "coordinates": [[7, 7], [8, 8]]},
                        ],
                    },
                },
            ),
        )
        result = publish(blob)
        assert {t["table"]: t["rows"] for t in result["tables"]} == {
            "geo.mixed": 2,
            "geo.mixed_points": 2,
            "geo.mixed_lines": 1,
        }
        assert result["loaded"] == 4
        assert [row["n"] for row in rows("SELECT n FROM geo.mixed_points ORDER BY n")] == [3, 4]

    def test_the_plain_name_stays_with_its_dimension(self) -> None:
        first = put("a.geojson", collection(feature("Point", [1, 1]), feature("Point", [2, 2])))
        publish(first, table_name="places")
        second = put(
            "b.geojson",
            collection(
                feature("Point", [1, 1]),
                feature("Polygon", square(0, 0)),
                feature("Polygon", square(3, 0)),
            ),
        )
        result = publish(second, table_name="places")
        assert {t["table"]: t["rows"] for t in result["tables"]} == {
            "geo.places": 1,
            "geo.places_polygons": 2,
        }

    def test_a_sibling_of_an_earlier_release_does_not_stay_behind(self) -> None:
        line = feature("LineString", [[0, 0], [1, 1]])
        first = collection(feature("Polygon", square(0, 0)), line)
        publish(put("release.geojson", first), table_name="land")
        assert rows("SELECT count(*) AS n FROM geo.land_lines") == [{"n": 1}]
        second = collection(feature("Polygon", square(5, 5)))
        publish(put("release.geojson", second), table_name="land")
        assert rows("SELECT count(*) AS n FROM geo.land_lines") == [{"n": 0}]
        assert rows("SELECT count(*) AS n FROM geo.land") == [{"n": 1}]

    def test_siblings_alone_are_replaced_too(self) -> None:
        both = {
            "type": "GeometryCollection",
            "geometries": [
                {"type": "Point", "coordinates": [7, 7]},
                {"type": "LineString", "coordinates": [[7, 7], [8, 8]]},
            ],
        }
        blob = put("pair.geojson", {"type": "Feature", "properties": {}, "geometry": both})
        for version in (1, 2):
            tables = publish(blob)["tables"]
            assert [table["table"] for table in tables] == ["geo.pair_lines", "geo.pair_points"]
            assert [table["version"] for table in tables] == [version, version]

    def test_a_sibling_does_not_take_another_data_sets_table(self) -> None:
        publish(put("other.geojson", collection(feature("Point", [1, 1]))), table_name="a_points")
        mixed = collection(
            feature("Polygon", square(0, 0)),
            feature("Polygon", square(2, 0)),
            feature("Point", [9, 9]),
        )
        error = refusal(put("mixed.geojson", mixed), table_name="a")
        assert error.error_code == "table_of_another_source"
        assert rows("SELECT ST_X(geom) AS x FROM geo.a_points") == [{"x": 1}]
        assert rows("SELECT to_regclass('geo.a') AS found") == [{"found": None}]

    def test_every_layer_of_an_archive_becomes_a_table(self) -> None:
        archive = BytesIO()
        with zipfile.ZipFile(archive, "w") as writer:
            for name in ("roads", "rivers"):
                line = feature("LineString", [[0, 0], [1, 1]], kind=name)
                writer.writestr(f"data/{name}.geojson", str(collection(line)).replace("'", '"'))
            writer.writestr("readme.txt", "Two layers.")
        result = publish(put("network.zip", archive.getvalue()))
        tables = {table["table"] for table in result["tables"]}
        assert tables == {"geo.network_roads", "geo.network_rivers"}

    def test_projected_coordinates_are_brought_into_the_target_crs(self) -> None:
        blob = put("grid.csv", "id,x,y\n1,500000,4649776\n2,500100,4649876\n")
        publish(blob, source_crs="EPSG:32631", x_column="x", y_column="y")
        found = rows("SELECT ST_X(geom) AS x, ST_Y(geom) AS y FROM geo.grid ORDER BY gid")
        assert found[0]["x"] == pytest.approx(3.0, abs=1e-6)
        assert found[0]["y"] == pytest.approx(42.0, abs=1e-3)

    def test_markup_has_its_plain_text_beside_it(self) -> None:
        kml = (
            '<kml xmlns="http://www.opengis.net/kml/2.2"><Document><Folder><name>A</name><Folder>'
            "<name>B</name><Placemark><name>Well</name><description><![CDATA[<b>Deep</b> and"
            "<br>cold]]></description><Point><coordinates>30,2</coordinates></Point></Placemark>"
            "</Folder></Folder></Document></kml>"
        )
        publish(put("wells.kml", kml))
        (row,) = rows("SELECT folder_path, description, description_text FROM geo.wells")
        assert row["folder_path"] == "A / B"
        assert row["description"] == "<b>Deep</b> and<br>cold"
        assert row["description_text"] == "Deep and\ncold"

    def test_heights_that_say_nothing_are_left_out(self) -> None:
        flat = put(
            "flat.geojson", collection(feature("Point", [1, 2, 0]), feature("Point", [2, 2]))
        )
        publish(flat)
        high = put(
            "high.geojson",
            collection(feature("Point", [1, 2, 310.5], n=1), feature("Point", [2, 2], n=2)),
        )
        publish(high)
        publish(high, table_name="dropped", drop_z=True)
        assert rows("SELECT ST_NDims(geom) AS n FROM geo.flat LIMIT 1") == [{"n": 2}]
        assert [row["z"] for row in rows("SELECT ST_Z(geom) AS z FROM geo.high ORDER BY n")] == [
            310.5,
            0,
        ]
        assert rows("SELECT ST_NDims(geom) AS n FROM geo.dropped LIMIT 1") == [{"n": 2}]

    def test_types_that_the_user_names_win(self) -> None:
        blob = put("codes.csv", "code,lat,lon\n12,1,1\nx7,2,2\n13,3,3\n")
        publish(blob, column_types={"code": "integer"})
        assert [row["code"] for row in rows("SELECT code FROM geo.codes ORDER BY gid")] == [
            12,
            None,
            13,
        ]


class TestQuarantine:
    def test_repairs_what_can_be_repaired_and_sets_the_rest_aside(self) -> None:
        open_ring = [[[30, 0], [31, 0], [31, 1], [30, 1]]]
        blob = put(
            "broken.geojson",
            collection(
                feature("Polygon", square(0, 0), n=1),
                feature("Polygon", BOW_TIE, n=2),
                feature("Polygon", open_ring, n=3),
                feature("Point", ["abc", 2], n=4),
                feature("Polygon", [[[1, 1], [2, 2]]], n=5),
                feature("Polygon", square(0, 0), n=1),
            ),
        )
        run = job(blob)
        result = run.run()
        assert result is not None
        assert (result["read"], result["loaded"], result["quarantined"]) == (6, 3, 3)
        assert result["quarantined_by_reason"] == {
            "bad_coordinate": 1,
            "too_few_points": 1,
            "duplicate": 1,
        }
        kept = rows(
            "SELECT source_row, reason, raw FROM app.vector_quarantine WHERE job_id = %s"
            " ORDER BY source_row",
            run.job_id,
        )
        assert [(row["source_row"], row["reason"]) for row in kept] == [
            (4, "bad_coordinate"),
            (5, "too_few_points"),
            (6, "duplicate"),
        ]
        assert '"abc"' in kept[0]["raw"]
        repairs = rows(
            "SELECT source_row, kinds, area_before, area_after, ST_AsText(fault_at) AS at,"
            " ST_IsValid(after) AS valid FROM app.vector_repairs WHERE job_id = %s"
            " ORDER BY source_row",
            run.job_id,
        )
        assert [row["source_row"] for row in repairs] == [2, 3]
        assert "self_intersection" in repairs[0]["kinds"]
        assert repairs[0]["at"] == "POINT(20.5 0.5)"
        assert repairs[0]["valid"]
        assert "ring_closed" in repairs[1]["kinds"]

    def test_strict_publishes_nothing_and_still_reports(self) -> None:
        blob = put("few.geojson", collection(feature("Point", [1, 1]), feature("Point", [None, 1])))
        run = job(blob, strict=True)
        with pytest.raises(TaskFailed) as failed:
            run.run()
        assert isinstance(failed.value.__cause__, PermanentTaskError)
        assert failed.value.__cause__.error_code == "records_quarantined"
        assert rows("SELECT to_regclass('geo.few') AS found") == [{"found": None}]
        (report,) = rows(
            "SELECT counts->>'read' AS read FROM app.vector_reports WHERE job_id = %s", run.job_id
        )
        assert report["read"] == "2"

    def test_without_repair_invalid_geometries_are_set_aside(self) -> None:
        blob = put("ties.geojson", collection(feature("Polygon", BOW_TIE)))
        result = publish(blob, geometry_repair="none")
        assert result["quarantined_by_reason"] == {"invalid_geometry": 1}
        assert result["tables"] == []

    def test_duplicates_stay_where_that_is_asked(self) -> None:
        blob = put("twice.geojson", collection(*[feature("Point", [1, 1], n=1)] * 3))
        assert publish(blob, duplicates="keep")["loaded"] == 3

    def test_strict_wants_every_part_of_the_source(self) -> None:
        archive = BytesIO()
        with zipfile.ZipFile(archive, "w") as writer:
            writer.writestr("good.geojson", json.dumps(collection(feature("Point", [1, 1]))))
            writer.writestr("bad.gpkg", b"SQLite format 3\x00" + bytes(200))
        blob = put("parts.zip", archive.getvalue())
        assert refusal(blob, strict=True).error_code == "partly_unreadable"
        assert publish(blob)["loaded"] == 1

    def test_counts_are_held_against_the_rows_that_there_are(self) -> None:
        run = job(put("lost.geojson", collection(*[feature("Point", [n, 1]) for n in range(5)])))
        run.run(until="validate")
        with database.transaction() as connection:
            (table,) = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'geo_staging'"
                " AND tablename LIKE %s ORDER BY 1 LIMIT 1",
                [f"j{run.job_id[:40]}%d0"],
            ).fetchall()
            connection.execute(
                sql.SQL("DELETE FROM geo_staging.{} WHERE gid = 1").format(
                    sql.Identifier(table["tablename"])
                )
            )
        with pytest.raises(TaskFailed, match="4"):
            run.run()

    def test_an_empty_file_is_no_fault(self) -> None:
        result = publish(put("none.geojson", collection()))
        assert (result["read"], result["tables"]) == (0, [])


class TestModes:
    def test_replace_append_and_upsert(self) -> None:
        def events(*ids: int, note: str) -> str:
            lines = [f"{number},{number},1,{note}" for number in ids]
            return put("events.csv", "\n".join(["id,lon,lat,note", *lines]) + "\n")

        def notes() -> list[tuple[int, str]]:
            found = rows("SELECT id, note FROM geo.events ORDER BY id, gid")
            return [(row["id"], row["note"]) for row in found]

        publish(events(1, 2, note="first"), key_columns=["id"])
        publish(events(2, 3, note="second"), mode="upsert", key_columns=["id"])
        assert notes() == [(1, "first"), (2, "second"), (3, "second")]
        result = publish(events(4, note="third"), mode="append")
        assert notes()[-1] == (4, "third")
        assert (result["tables"][0]["loaded"], result["tables"][0]["rows"]) == (1, 4)
        publish(events(9, note="fourth"), key_columns=["id"])
        assert notes() == [(9, "fourth")]

    def test_records_without_a_key_or_with_the_same_are_set_aside(self) -> None:
        blob = put("keys.csv", "id,lon,lat\n1,1,1\n,2,2\n1,3,3\n")
        result = publish(blob, key_columns=["id"])
        assert result["quarantined_by_reason"] == {"bad_value": 2}

    def test_a_table_of_somebody_else_is_not_touched(self) -> None:
        with database.transaction() as connection:
            connection.execute("CREATE TABLE geo.theirs (a int)")
        blob = put("theirs.geojson", collection(feature("Point", [1, 1])))
        assert refusal(blob).error_code == "table_not_ours"
        assert rows("SELECT count(*) AS n FROM geo.theirs") == [{"n": 0}]

    def test_the_table_of_a_curated_dataset_is_left_to_it(self) -> None:
        with database.transaction() as connection:
            register(connection)
        blob = put("lakes.geojson", collection(feature("Point", [1, 1])))
        error = refusal(blob, table_name="curated_lakes")
        assert error.error_code == "table_is_curated"
        assert error.details["dataset_id"] == "lakes"
        assert "POST /api/curated/datasets/lakes/update" in error.message
        staged = rows("SELECT count(*) AS n FROM pg_tables WHERE schemaname = 'geo_staging'")
        assert staged == [{"n": 0}]

    def test_nor_is_one_published_that_became_a_datasets_meanwhile(self) -> None:
        blob = put("lakes.geojson", collection(feature("Point", [1, 1])))
        run = job(blob, table_name="curated_lakes")
        for name in STAGES[:-1]:
            run.run_stage(name)
        with database.transaction() as connection:
            register(connection)
        with pytest.raises(TaskFailed) as failed:
            run.run()
        assert isinstance(failed.value.__cause__, PermanentTaskError)
        assert failed.value.__cause__.error_code == "table_is_curated"
        assert rows("SELECT to_regclass('geo.curated_lakes') AS found") == [{"found": None}]


class TestRefusals:
    def test_says_what_the_file_is(self) -> None:
        assert "PDF" in refusal(put("a.shp", b"%PDF-1.7 hello")).message

    def test_says_which_layers_there_are(self) -> None:
        blob = put("one.geojson", collection(feature("Point", [1, 1])))
        assert "'one'" in refusal(blob, layer="two").message

    def test_says_which_columns_there_are(self) -> None:
        blob = put("cols.geojson", collection(feature("Point", [1, 1], alpha=1)))
        assert "'alpha'" in refusal(blob, mode="upsert", key_columns=["beta"]).message

    def test_asks_for_the_crs_of_projected_coordinates(self) -> None:
        blob = put("utm.csv", "x,y\n500000,4649776\n500100,4649876\n")
        error = refusal(blob, x_column="x", y_column="y")
        assert error.error_code == "crs_unknown"
        assert "source_crs" in error.message


class TestTwice:
    @pytest.mark.parametrize("stage", STAGES)
    def test_a_task_that_ran_to_its_end_twice_counts_once(self, stage: str) -> None:
        """The worker died between its last effect and the ledger: the task goes again."""
        points = [feature("Point", [n / 10, 1], n=n) for n in range(250)]
        run = job(put("many.geojson", collection(*points)), chunk_rows=100, table_name="many")
        for name in STAGES:
            run.run_stage(name)
            if name == stage:
                for index in range(len(run.tasks[name])):
                    run.run_task(name, index, again=True)
        result = run.run()
        assert result is not None
        assert (result["read"], result["loaded"]) == (250, 250)
        assert len(run.tasks["clean"]) == 3
        assert rows("SELECT count(*) AS n FROM geo.many") == [{"n": 250}]
        assert result["tables"][0]["version"] == 1


class TestPreview:
    def test_says_what_a_job_would_find_and_writes_nothing(self) -> None:
        blob = put("look.csv", "name,lat,lon\nA,1.5,2\nB,3,4\n")
        answer = inspecting.preview(job(blob).parameters)
        (layer,) = answer["layers"]
        assert answer["inspected"]
        assert layer["crs"]["value"] == "EPSG:4326"
        assert layer["crs"]["evidence"]
        assert {c["column"]: c["type"] for c in layer["columns"]}["lat"] == "double precision"
        assert layer["tables"][0]["table"] == "geo.look"
        assert rows("SELECT count(*) AS n FROM app.vector_reports") == [{"n": 0}]
        staged = rows("SELECT count(*) AS n FROM pg_tables WHERE schemaname = 'geo_staging'")
        assert staged == [{"n": 0}]

    def test_says_that_a_table_is_a_curated_datasets(self) -> None:
        with database.transaction() as connection:
            register(connection)
        blob = put("look.geojson", collection(feature("Point", [1, 1])))
        with pytest.raises(PermanentTaskError, match="'lakes'") as refused:
            inspecting.preview(job(blob, table_name="curated_lakes").parameters)
        assert refused.value.error_code == "table_is_curated"


@pytest.fixture
def website(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An HTTP server, and the folder that it serves."""
    folder = tmp_path / "site"
    folder.mkdir()
    with serving(folder) as address:
        yield address, folder


class TestAddresses:
    def test_a_file_from_an_address(self, website: tuple[str, Path]) -> None:
        address, folder = website
        put("towns.geojson", "")
        (folder / "towns.geojson").write_text(
            str(collection(feature("Point", [1, 1], name="Here"))).replace("'", '"')
        )
        run = job(
            "unused",
            container_name=None,
            blob_name=None,
            source_url=f"{address}/towns.geojson?sig=secret",
        )
        result = run.run()
        assert result is not None
        assert rows("SELECT name FROM geo.towns") == [{"name": "Here"}]
        (report,) = rows(
            "SELECT source::text AS source FROM app.vector_reports WHERE job_id = %s", run.job_id
        )
        assert "secret" not in report["source"]
