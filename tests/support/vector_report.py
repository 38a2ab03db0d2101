"""A quality report as a run of process_vector leaves it, without the run."""

from __future__ import annotations

from typing import Any

from psycopg.types.json import Jsonb
from shapely import Geometry, from_wkt, set_srid, to_wkb

from core.models.feature_table import Column, ColumnType, FeatureTable, GeometryColumn
from core.models.vector_report import RecordCounts
from infrastructure import vector_report_repository as repository
from infrastructure.database import Connection

PARKS = "geo.parks"
SHAPE = FeatureTable(
    columns=(
        Column(name="name", type=ColumnType.TEXT, comment="Park Name"),
        Column(name="acres", type=ColumnType.REAL, comment="ACRES"),
    ),
    geometry=GeometryColumn(type="MultiPolygon", srid=4326),
)
SOURCE = {
    "container": "bronze-vectors",
    "files": ["nyc/parks.kml"],
    "bytes": 1_843_221,
    "address": None,
}
COUNTS = RecordCounts(
    read=1210,
    loaded=1203,
    quarantined={"malformed": 2, "duplicate": 4, "repair_changes_area": 1},
    repaired=3,
    repairs={"self_intersection": 2, "ring_closed": 1, "spike": 1},
    steps={"geometries": 1209, "promoted": 1180},
    value_faults={"ACRES": {"not_real": 2}},
)
BOWTIE = "POLYGON ((-73.98 40.76, -73.96 40.79, -73.96 40.76, -73.98 40.79, -73.98 40.76))"
UNCROSSED = (
    "MULTIPOLYGON (((-73.98 40.76, -73.97 40.775, -73.98 40.79, -73.98 40.76)),"
    " ((-73.97 40.775, -73.96 40.76, -73.96 40.79, -73.97 40.775)))"
)
SPIKED = "POLYGON ((-73.95 40.7, -73.94 40.7, -73.94 40.71, -73.9 40.75, -73.94 40.71, -73.95 40.71, -73.95 40.7))"  # noqa: E501
UNSPIKED = "MULTIPOLYGON (((-73.95 40.7, -73.94 40.7, -73.94 40.71, -73.95 40.71, -73.95 40.7)))"
HOSTILE = "<script>alert('read')</script>"


def forget_all(connection: Connection) -> None:
    """Empty a database that other tests of the module have used."""
    connection.execute(
        """
        TRUNCATE app.jobs, app.vector_reports, app.vector_chunks, app.vector_repairs,
                 app.vector_quarantine, app.published_tables, app.published_versions CASCADE;
        DO $$
        DECLARE each record;
        BEGIN
            FOR each IN SELECT schemaname, tablename FROM pg_tables
                        WHERE schemaname IN ('geo', 'geo_staging', 'geo_versions')
            LOOP
                EXECUTE format('DROP TABLE %I.%I CASCADE', each.schemaname, each.tablename);
            END LOOP;
        END $$
        """
    )


def ewkb(geometry: str | Geometry | None) -> bytes | None:
    """A geometry as the child sends it."""
    if geometry is None:
        return None
    read = from_wkt(geometry) if isinstance(geometry, str) else geometry
    return bytes(to_wkb(set_srid(read, 4326), include_srid=True))


def layer(**fields: Any) -> dict[str, Any]:
    """What was found in the layer of parks."""
    return {
        "name": "Parks & Gardens",
        "kind": "kml",
        "driver": "kml",
        "member": "parks.kml",
        "features": 1210,
        "geometry_types": {"Polygon": 1180, "MultiPolygon": 29, "None": 1},
        "has_z": True,
        "has_m": False,
        "crs": {
            "value": "EPSG:4326",
            "confidence": 1.0,
            "source": "file",
            "evidence": ["KML is in WGS 84"],
        },
        "encoding": {
            "value": "cp1252",
            "confidence": 0.7,
            "source": "content",
            "evidence": ["the file says UTF-8, and is not", "byte 0x92 is an apostrophe in cp1252"],
        },
        "location": None,
        "bbox": [-74.25, 40.49, -73.7, 40.91],
        "notes": [{"code": "network_links", "message": "NetworkLinks not followed", "count": 2}],
        "details": {"folders": 4},
        "chunks": 2,
        "columns": [
            {
                "name": "Park Name",
                "column": "park_name",
                "type": "text",
                "confidence": 1.0,
                "evidence": [],
                "html": False,
                "rows": 1210,
                "nulls": 0,
                "distinct": 1187,
                "exact": True,
            },
            {
                "name": "ACRES",
                "column": "acres",
                "type": "double precision",
                "confidence": 0.9,
                "evidence": ["2 of 1,210 values are no numbers: 'n/a'"],
                "html": False,
                "rows": 1210,
                "nulls": 12,
                "distinct": 980,
                "exact": True,
            },
        ],
        "cleaning": {"repair": "structure", "target_crs": "EPSG:4326"},
        "key_columns": [],
        "tables": [{"table": PARKS, "dimension": 2, "geometry": "geometry(MultiPolygon,4326)"}],
        **fields,
    }


def add_report(
    connection: Connection, job_id: str, *, counts: RecordCounts | None = COUNTS
) -> None:
    """A report with three repairs and seven quarantined records; without counts, under way."""
    repository.begin_report(connection, job_id, SOURCE, {"layers": [layer()], "notes": []})
    repository.record_chunk(connection, job_id, 0, 0, RecordCounts(read=605, loaded=605))
    repository.record_chunk(
        connection,
        job_id,
        0,
        1,
        RecordCounts.model_validate(
            {**COUNTS.model_dump(), "read": COUNTS.read - 605, "loaded": COUNTS.loaded - 605}
        ),
    )
    add_repair(connection, job_id, 12, ["self_intersection"], BOWTIE, UNCROSSED, (-73.97, 40.775))
    add_repair(connection, job_id, 40, ["ring_closed", "spike"], SPIKED, UNSPIKED, (-73.9, 40.75))
    add_repair(connection, job_id, 77, ["self_intersection"], None, None, (-73.92, 40.81))
    add_quarantined(connection, job_id, 3, "malformed", raw=f"<Placemark>{HOSTILE}</Placem")
    add_quarantined(connection, job_id, 9, "malformed", raw="<coordinates>abc</coordinates>")
    for row in (20, 21, 22, 23):
        add_quarantined(
            connection, job_id, row, "duplicate", detail="equals record 19", geometry=UNSPIKED
        )
    add_quarantined(connection, job_id, 90, "repair_changes_area", geometry=BOWTIE)
    if counts is not None:
        table = {"table": PARKS, "version": 3, "loaded": counts.loaded, "rows": counts.loaded}
        repository.finish_report(connection, job_id, counts, [table])


def add_repair(
    connection: Connection,
    job_id: str,
    source_row: int,
    kinds: list[str],
    before: str | Geometry | None,
    after: str | Geometry | None,
    fault: tuple[float, float] | None,
) -> None:
    connection.execute(
        """
        INSERT INTO app.vector_repairs
            (job_id, layer, source_row, kinds, detail, fault_at, area_before, area_after,
             length_before, length_after, before, after)
        VALUES (%s, 0, %s, %s, NULL, ST_SetSRID(ST_MakePoint(%s, %s), 4326), 1000000, 980000,
                4000, 3900, %s, %s)
        """,
        (job_id, source_row, kinds, *(fault or (None, None)), ewkb(before), ewkb(after)),
    )


def add_quarantined(
    connection: Connection,
    job_id: str,
    source_row: int,
    reason: str,
    *,
    detail: str = "the coordinates are not numbers",
    raw: str | None = None,
    geometry: str | Geometry | None = None,
) -> None:
    connection.execute(
        """
        INSERT INTO app.vector_quarantine
            (job_id, layer, source_row, reason, detail, properties, raw, geom)
        VALUES (%s, 0, %s, %s, %s, %s, %s, %s)
        """,
        (
            job_id,
            source_row,
            reason,
            detail,
            Jsonb({"Park Name": f"Park {source_row}", "ACRES": 1.5}),
            raw,
            ewkb(geometry),
        ),
    )


def add_table(
    connection: Connection, name: str, job_id: str, *, version: int = 3, source: str = "parks.kml"
) -> None:
    """A published table of schema geo with its versions up to this one, of which one is kept."""
    connection.execute(
        f"CREATE TABLE geo.{name} (gid bigint, name text, acres float8,"
        " geom geometry(MultiPolygon, 4326))"
    )
    shape = Jsonb(SHAPE.model_dump(mode="json"))
    connection.execute(
        """
        INSERT INTO app.published_tables
            (schema_name, table_name, version, title, table_shape, row_count, bbox, source, job_id)
        VALUES ('geo', %s, %s, 'Parks of New York', %s, 1203,
                '{-74.25, 40.49, -73.7, 40.91}', %s, %s)
        """,
        (name, version, shape, source, job_id),
    )
    for number in range(1, version + 1):
        current = number == version
        connection.execute(
            """
            INSERT INTO app.published_versions
                (schema_name, table_name, version, change, kept_as, row_count, table_shape, source,
                 job_id, retired_at, published_at)
            VALUES ('geo', %s, %s, 'replace', %s, %s, %s, %s, %s, %s,
                    now() - make_interval(days => %s))
            """,
            (
                name,
                number,
                f"{name}__v{number}" if number == version - 1 else None,
                1000 + number,
                shape,
                source,
                job_id if current else f"{number:064x}",
                None if current else "2026-05-01T00:00:00Z",
                version - number,
            ),
        )
