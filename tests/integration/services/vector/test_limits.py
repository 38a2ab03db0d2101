"""Files that would need more than a child may take: the job fails and says so."""

from __future__ import annotations

import dataclasses
import json
from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from core.errors import PermanentTaskError
from services.vector import survey
from tests.support.run_job import TaskFailed
from tests.support.vector_job import collection, feature, job, publish, put, rows

pytestmark = pytest.mark.usefixtures("app")

_MEMORY = 96 << 20
# Some kilobytes as they are stored.
_LONG_TEXT = "a" * (2 * _MEMORY)


@pytest.fixture(autouse=True)
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        survey, "_LIMITS", dataclasses.replace(survey._LIMITS, memory_bytes=_MEMORY)
    )


def geoparquet(texts: list[str]) -> bytes:
    """A GeoParquet file of points with these names, small on disk."""
    points = shapely.points([[n / 1000, 1] for n in range(len(texts))])
    table = pa.table({"name": texts, "geometry": pa.array(shapely.to_wkb(points).tolist())})
    about = {"version": "1.1.0", "primary_column": "geometry"}
    about["columns"] = {"geometry": {"encoding": "WKB", "geometry_types": ["Point"]}}  # type: ignore[assignment]
    out = BytesIO()
    pq.write_table(
        table.replace_schema_metadata({"geo": json.dumps(about)}),
        out,
        compression="zstd",
        use_dictionary=False,
        write_statistics=False,
    )
    return out.getvalue()


def failure(blob: str, **parameters: Any) -> tuple[str, PermanentTaskError]:
    """The stage in which a job fails, and what with."""
    with pytest.raises(TaskFailed) as failed:
        job(blob, **parameters).run()
    cause = failed.value.__cause__
    assert isinstance(cause, PermanentTaskError)
    return str(failed.value).split()[0], cause


def test_a_record_that_is_too_large_to_look_at() -> None:
    stage, error = failure(put("bomb.parquet", geoparquet([_LONG_TEXT, "b"])))
    assert (stage, error.error_code) == ("inspect", "unreadable_file")
    assert error.message == "bomb.parquet: The parser needed more than 96 MiB of memory."


def test_a_record_that_is_too_large_to_load() -> None:
    """It lies behind those that are looked at: no record before it is published alone, and none
    is called damaged."""
    blob = put("bomb.parquet", geoparquet([*["b"] * 20_000, _LONG_TEXT]))
    stage, error = failure(blob, table_name="bomb")
    assert (stage, error.error_code) == ("clean", "sandbox_out_of_memory")
    assert "layer 'bomb' cannot be read to its end" in error.message
    assert "The parser needed more than 96 MiB of memory." in error.message
    assert rows("SELECT to_regclass('geo.bomb') AS found") == [{"found": None}]
    assert rows("SELECT count(*) AS n FROM app.vector_quarantine") == [{"n": 0}]


def test_a_geometry_that_is_too_large() -> None:
    line = ",".join(["[1.5,2.5],[2.5,1.5]"] * 500_000)
    text = (
        '{"type": "Feature", "properties": {}, "geometry": {"type": "LineString",'
        f' "coordinates": [{line}]}}}}'
    )
    stage, error = failure(put("long.geojson", text))
    assert stage == "inspect"
    assert "The parser needed more than 96 MiB of memory." in error.message


def test_what_fits_is_loaded_afterwards() -> None:
    failure(put("bomb.parquet", geoparquet([_LONG_TEXT])))
    assert publish(put("fine.geojson", collection(feature("Point", [1, 1]))))["loaded"] == 1
