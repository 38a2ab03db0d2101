"""Names of elements, whatever namespace or case they are written in."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

# The elements that are looked for, in KML's spelling (2.0 to 2.3, with Google's extensions).
_SPELLINGS: Final = """
AddressDetails Camera CascadingStyle Change Create Data Delete ExtendedData GeometryCollection
GroundOverlay Icon IconStyle LabelStyle LatLonBox LatLonQuad LineString LineStyle LinearRing Link
Location LookAt Metadata Model MultiGeometry MultiLineString MultiPoint MultiPolygon MultiTrack
NetworkLink Pair PhotoOverlay Placemark Point PolyStyle Polygon Region Schema SchemaData
SimpleArrayData SimpleArrayField SimpleData SimpleField Style StyleMap TimePrimitive TimeSpan
TimeStamp Track Url address altitude altitudeMode author balloonVisibility begin color coord
coordinates description displayName drawOrder east end extrude fill heading href innerBoundaryIs
interpolate key latitude link longitude name north open outerBoundaryIs outline phoneNumber
rotation scale snippet south styleUrl tessellate text value visibility west when width
"""
_KNOWN: Final = {name.lower(): name for name in _SPELLINGS.split()}


@lru_cache(maxsize=4096)
def local_name(tag: object) -> str:
    """The name without its namespace, in KML's spelling where it is one of KML's.

    ElementTree has functions for the tags of comments and processing instructions: "".
    """
    if not isinstance(tag, str):
        return ""
    name = tag.rpartition("}")[2].rpartition(":")[2]
    return _KNOWN.get(name.lower(), name)
