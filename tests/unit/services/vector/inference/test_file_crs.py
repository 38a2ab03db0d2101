from __future__ import annotations

import pyproj
import pytest

from services.vector.inference.file_crs import projjson_crs, stated_crs

_ESRI = (
    'PROJCS["NAD_1983_UTM_Zone_12N",GEOGCS["GCS_North_American_1983",DATUM["D_North_American_1983",'
    'SPHEROID["GRS_1980",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],'
    'UNIT["Degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],'
    'PARAMETER["False_Easting",500000.0],PARAMETER["False_Northing",0.0],'
    'PARAMETER["Central_Meridian",-111.0],PARAMETER["Scale_Factor",0.9996],'
    'PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]'
)


@pytest.mark.parametrize(
    ("stated", "value"),
    [
        ("EPSG:2263", "EPSG:2263"),
        (_ESRI, "EPSG:26912"),
        (pyproj.CRS("EPSG:31287").to_wkt("WKT1_ESRI"), "EPSG:31287"),
    ],
)
def test_a_code_is_found(stated: str, value: str) -> None:
    finding = stated_crs(stated, source="sidecar", where="The .prj")
    assert finding.value == value
    assert finding.confidence >= 0.9
    assert finding.evidence[0].startswith("The .prj")


def test_what_has_no_code_stays_wkt() -> None:
    custom = _ESRI.replace("-111.0", "-110.5")
    finding = stated_crs(custom)
    assert finding.value == custom
    assert "no code" in finding.evidence[0]


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        (None, "names no CRS"),
        ("  ", "names no CRS"),
        ('GEOGCS["Undefined geographic SRS",DATUM["a",SPHEROID["b",6378137,298]]]', "undefined"),
        ('LOCAL_CS["Site grid",UNIT["metre",1]]', "engineering"),
        ("PROJCS[rubbish", "cannot read"),
    ],
)  # fmt: skip
def test_what_says_nothing_is_no_crs(stated: str | None, says: str) -> None:
    finding = stated_crs(stated)
    assert finding.value is None
    assert says in finding.evidence[0]


def test_projjson() -> None:
    assert projjson_crs(pyproj.CRS("EPSG:3857").to_json_dict()).value == "EPSG:3857"
    assert projjson_crs({"type": "nonsense"}).value is None
