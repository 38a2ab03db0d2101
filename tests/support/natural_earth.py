"""Small archives as Natural Earth makes them: a shapefile of a theme with its VERSION.txt."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio.raw
import shapely
from shapely.geometry.base import BaseGeometry

COUNTRIES = "ne_10m_admin_0_countries"
STATES = "ne_10m_admin_1_states_provinces"
COASTLINE = "ne_10m_coastline"
LAND = "ne_10m_land"

Record = tuple[BaseGeometry, Mapping[str, Any]]


def country(geometry: BaseGeometry, code: str, name: str, **changed: Any) -> Record:
    """A country with what release 5 says of each, as far as it becomes a column."""
    return geometry, {
        "featurecla": "Admin-0 country",
        "scalerank": 0,
        "LABELRANK": 3,
        "SOVEREIGNT": name,
        "SOV_A3": code,
        "TYPE": "Sovereign country",
        "ADMIN": name,
        "ADM0_A3": code,
        "NAME": name,
        "NAME_LONG": name,
        "ABBREV": f"{name[:4]}.",
        "POSTAL": code[:2],
        "FORMAL_EN": f"Republic of {name}",
        "POP_EST": 1000.0,
        "POP_YEAR": 2019,
        "GDP_MD": 500,
        "GDP_YEAR": 2019,
        "ECONOMY": "6. Developing region",
        "INCOME_GRP": "5. Low income",
        "ISO_A2": code[:2],
        "ISO_A2_EH": code[:2],
        "ISO_A3": code,
        "ISO_A3_EH": code,
        "ISO_N3": "004",
        "ISO_N3_EH": "004",
        "CONTINENT": "Africa",
        "REGION_UN": "Africa",
        "SUBREGION": "Eastern Africa",
        "REGION_WB": "Sub-Saharan Africa",
        "MIN_ZOOM": 0.0,
        "LABEL_X": 37.5,
        "LABEL_Y": 0.5,
        "NE_ID": 1159320971,
        "WIKIDATAID": "Q114",
        "NAME_AR": "a name that no column takes",
        "NAME_EN": name,
        **changed,
    }


def state(geometry: BaseGeometry, code: str, name: str, **changed: Any) -> Record:
    """A state with what release 5 says of each, as far as it becomes a column."""
    return geometry, {
        "featurecla": "Admin-1 states provinces",
        "scalerank": 3,
        "adm1_code": code,
        "iso_3166_2": "US-MN",
        "iso_a2": "US",
        "name": name,
        "name_alt": "MN|Minn.",
        "name_local": "",
        "type": "State",
        "type_en": "State",
        "code_hasc": "US.MN",
        "region": "Midwest",
        "postal": "MN",
        "labelrank": 0,
        "latitude": 46.0592,
        "longitude": -93.364,
        "adm0_a3": "USA",
        "admin": "United States of America",
        "min_zoom": 2.0,
        "wikidataid": "Q1527",
        "name_en": name,
        "ne_id": 1159315297,
        **changed,
    }


def shore(geometry: BaseGeometry, **changed: Any) -> Record:
    """A line of the coast, or a piece of land."""
    return geometry, {"featurecla": "Coastline", "scalerank": 0, "min_zoom": 0.0, **changed}


def archive(
    layer: str,
    records: Sequence[Record],
    *,
    version: str | None = "5.1.1",
    beside: Mapping[str, bytes] | None = None,
) -> bytes:
    """A zipped shapefile with a VERSION.txt, unless that is None, and what else is `beside`."""
    members = {f"{layer}.README.html": b"<html></html>"}
    if version is not None:
        members[f"{layer}.VERSION.txt"] = f"{version}\r\n".encode()
    members |= {**shapefile(layer, records), **(beside or {})}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return file.getvalue()


def shapefile(layer: str, records: Sequence[Record]) -> dict[str, bytes]:
    """The files of a shapefile, by name."""
    names = list(records[0][1])
    with tempfile.TemporaryDirectory() as folder:
        pyogrio.raw.write(
            Path(folder) / f"{layer}.shp",
            geometry=shapely.to_wkb(np.array([geometry for geometry, _ in records])),
            field_data=[_column([values[name] for _, values in records]) for name in names],
            fields=names,
            geometry_type=records[0][0].geom_type,
            crs="EPSG:4326",
            driver="ESRI Shapefile",
            encoding="UTF-8",
        )
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def _column(values: list[Any]) -> Any:
    return np.array(values, dtype=object if isinstance(values[0], str) else None)
