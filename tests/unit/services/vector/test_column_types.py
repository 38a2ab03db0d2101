"""Types that the user names: the same texts become the same values, whatever file they are in."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyogrio.raw
import pytest
import shapely

from services.vector import casting
from services.vector.child import inspecting
from services.vector.formats import registry
from services.vector.model import Kind, ReadOptions, SourceLayer
from services.vector.parameters import ProcessVector
from services.vector.planning import plan_layers

Texts = Sequence[str | None]


def _points(count: int) -> Any:
    return shapely.points([[n, 1.0] for n in range(count)])


def _csv(path: Path, texts: Texts) -> None:
    lines = [f'{n},1,"{text or ""}"' for n, text in enumerate(texts)]
    path.write_text("\n".join(["lon,lat,value", *lines]) + "\n")


def _geojson(path: Path, texts: Texts) -> None:
    features = [
        {
            "type": "Feature",
            "properties": {"value": text},
            "geometry": {"type": "Point", "coordinates": [n, 1]},
        }
        for n, text in enumerate(texts)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))


def _kml(path: Path, texts: Texts) -> None:
    placemarks = [
        "<Placemark><ExtendedData>"
        + ("" if text is None else f'<Data name="value"><value>{text}</value></Data>')
        + f"</ExtendedData><Point><coordinates>{n},1</coordinates></Point></Placemark>"
        for n, text in enumerate(texts)
    ]
    path.write_text(
        '<kml xmlns="http://www.opengis.net/kml/2.2"><Document>'
        + "".join(placemarks)
        + "</Document></kml>"
    )


def _geoparquet(path: Path, texts: Texts) -> None:
    wkb = pa.array(shapely.to_wkb(_points(len(texts))).tolist())
    column = {"encoding": "WKB", "geometry_types": ["Point"]}
    about = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
    table = pa.table({"value": pa.array(texts, pa.string()), "geometry": wkb})
    pq.write_table(table.replace_schema_metadata({"geo": json.dumps(about)}), path)


def _ogr(driver: str) -> Callable[[Path, Texts], None]:
    def write(path: Path, texts: Texts) -> None:
        pyogrio.raw.write(
            str(path),
            geometry=shapely.to_wkb(_points(len(texts))),
            field_data=[np.array(texts, dtype=object)],
            fields=["value"],
            layer="records",
            driver=driver,
            geometry_type="Point",
            crs="EPSG:4326",
        )

    return write


_FORMATS: dict[Kind, tuple[str, Callable[[Path, Texts], None]]] = {
    Kind.CSV: ("records.csv", _csv),
    Kind.GEOJSON: ("records.geojson", _geojson),
    Kind.KML: ("records.kml", _kml),
    Kind.GEOPARQUET: ("records.parquet", _geoparquet),
    Kind.GEOPACKAGE: ("records.gpkg", _ogr("GPKG")),
    Kind.FLATGEOBUF: ("records.fgb", _ogr("FlatGeobuf")),
}

_CASES: dict[str, tuple[list[str | None], list[Any]]] = {
    "integer": (["12", " 7 ", "-3", "x", None], [12, 7, -3, None, None]),
    "real": (["1.5", "2", "-3e5", "much", None], [1.5, 2.0, -3e5, None, None]),
    "boolean": (["true", "No", "1", "0", "perhaps"], [True, False, True, False, None]),
    "date": (
        ["2020-02-29", "2021-02-29", "2020-01-01T10:00:00", "soon", None],
        [date(2020, 2, 29), None, date(2020, 1, 1), None, None],
    ),
    "time": (
        ["10:00", "23:59:01", "25:00", "noon", None],
        [time(10), time(23, 59, 1), None, None, None],
    ),
    "timestamp": (
        ["2020-01-01 10:00", "2020-01-01T10:00:00Z", "2020-01-01", "soon", None],
        [datetime(2020, 1, 1, 10), datetime(2020, 1, 1, 10), datetime(2020, 1, 1), None, None],
    ),
    "text": (["007", "NA", "1.0", "x", None], ["007", "NA", "1.0", "x", None]),
}  # fmt: skip


def values(folder: Path, kind: Kind, texts: Texts, type_: str) -> tuple[list[Any], int]:
    """A column's values as a table would have them, and how many of them did not fit."""
    name, write = _FORMATS[kind]
    write(folder / name, texts)
    driver = registry.drivers(kind)[0]
    options = ReadOptions()
    (found,) = inspecting.inspect(
        str(folder), name, kind.value, driver, options.model_dump(), "EPSG:4326"
    )
    (plan,) = plan_layers(
        ProcessVector.model_validate(
            {"source_url": "https://data.test/a", "column_types": {"value": type_}}
        ),
        [SourceLayer.model_validate(found)],
        base_name="records",
        staged_name="staged_{}_{}".format,
        published=lambda _name: None,
    )
    (column,) = [each for each in plan.columns if each.source == "value"]
    reader = registry.reader_for(kind, driver)
    placed: list[tuple[float, Any]] = []
    unfit = 0
    for chunk in plan.layer.chunks:
        for batch in reader.read(folder / name, plan.layer, chunk, options):
            array, more = casting.cast(batch.columns["value"], column.column.type)
            placed += zip(shapely.get_x(batch.geometry), array.to_pylist(), strict=True)
            unfit += more + sum(batch.value_faults.values())
    # FlatGeobuf keeps its records in an order of its own.
    return [value for _, value in sorted(placed, key=lambda pair: pair[0])], unfit


@pytest.mark.parametrize("type_", _CASES)
@pytest.mark.parametrize("kind", _FORMATS)
def test_texts_become_values_of_the_type(tmp_path: Path, kind: Kind, type_: str) -> None:
    texts, wanted = _CASES[type_]

    found, unfit = values(tmp_path, kind, texts, type_)

    assert found == wanted
    lost = sum(
        text is not None and value is None for text, value in zip(texts, wanted, strict=True)
    )
    assert unfit == lost
