"""What a text file is: XML by its root, JSON by its members, else whether it is a table."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Final

from services.vector.formats.verdict import Role, Verdict
from services.vector.model import Kind

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_TEXT_CONTROLS: Final = frozenset(b"\t\n\r\f\b\x1a\x1b\x1e")
_CONTROLS: Final = bytes(set(range(32)) - _TEXT_CONTROLS)
_MOST_CONTROLS = 0.02
_JUNK: Final = "\ufeff\0\x1a \t\r\n\f\v"
_RECORD_SEPARATOR: Final = "\x1e"  # RFC 8142

_KML_ROOTS: Final = frozenset(
    {"kml", "document", "folder", "placemark", "networklink", "groundoverlay"}
)
_XML_REFUSED: Final = {
    "html": "an HTML page, perhaps the login or error page of a server, not the data",
    "gpx": "a GPX file, which is not read: convert it to GeoJSON or GeoPackage",
    "osm": "an OpenStreetMap extract (XML)",
    "osmchange": "an OpenStreetMap change file",
    "svg": "a drawing (SVG)",
    "rss": "a news feed (RSS)",
    "feed": "a news feed (Atom)",
    "workbook": "a Microsoft Excel workbook (XML): export the sheet as CSV",
    "topojson": "a TopoJSON document",
    "schema": "an XML schema",
    "trainingcenterdatabase": "a Garmin training file (TCX)",
    "vrtdataset": "a GDAL VRT, which points at other files, and is not read",
    "ogrvrtdatasource": "an OGR VRT, which points at other files, and is not read",
    "qgis": "a QGIS project, which points at other files",
    "wfs_capabilities": "the capabilities of a WFS, not its features",
    "wms_capabilities": "the capabilities of a WMS, not features",
}
_XML_METADATA: Final = frozenset(
    {"metadata", "md_metadata", "mi_metadata", "qgis", "gmd", "schema", "pamdataset",
     "styledlayerdescriptor", "gmlfeatureclasslist", "theme", "qmd"}
)  # fmt: skip
_XML_ERRORS: Final = frozenset(
    {"error", "serviceexceptionreport", "exceptionreport", "exception", "fault"}
)
_PROLOG = re.compile(
    r"\s*(?:<\?.*?\?>|<!--.*?-->|<!DOCTYPE(?:[^<>\[]|\[.*?\]\s*)*>)", re.DOTALL | re.IGNORECASE
)
_ROOT = re.compile(r"\s*<(?:([\w.-]+):)?([\w.-]+)")
_GML_NAMESPACE: Final = "http://www.opengis.net/gml"
_KML_NAMESPACES: Final = ("opengis.net/kml", "earth.google.com/kml")

_GEOJSON_TYPES: Final = (
    "FeatureCollection|Feature|GeometryCollection|Point|MultiPoint|LineString|MultiLineString"
    "|Polygon|MultiPolygon"
)
_GEOJSON = re.compile(rf'"type"\s*:\s*"(?:{_GEOJSON_TYPES})"', re.IGNORECASE)
_GEOJSON_HINT = re.compile(r'"(?:features|geometry|coordinates|properties)"\s*:')
_TOPOJSON = re.compile(r'"type"\s*:\s*"Topology"|"arcs"\s*:\s*\[\s*\[\s*\[')
_ESRI_JSON = re.compile(r'"(?:geometryType"\s*:\s*"esri|(?:rings|paths|points)"\s*:\s*\[\s*\[)')
_FEATURE_LINE = re.compile(rf'\s*\{{[^\n]*"type"\s*:\s*"(?:{_GEOJSON_TYPES})"', re.IGNORECASE)
_GEOJSON_SUFFIXES: Final = (".geojson", ".geojsonl", ".geojsons", ".geojsonseq")
_SEQUENCE_SUFFIXES: Final = (
    ".geojsonl", ".geojsons", ".geojsonseq", ".ndjson", ".ndgeojson", ".jsonl",
)  # fmt: skip

_TABLE_SUFFIXES: Final = (".csv", ".tsv", ".tab", ".psv")
_DOCUMENT_SUFFIXES: Final = (".md", ".rst", ".html", ".htm", ".log", ".nfo", ".lic", ".me")
_METADATA_SUFFIXES: Final = {
    ".prj": "the CRS of another file",
    ".cpg": "the encoding of another file",
    ".qpj": "the CRS of another file",
    ".csvt": "the column types of a CSV",
    ".vrt": "a GDAL VRT, which points at other files, and is not read",
    ".qml": "a QGIS style",
    ".sld": "a style",
    ".gfs": "the schema of a GML",
    ".xsd": "the schema of a GML",
    ".lyr": "an ArcGIS layer definition",
    ".lyrx": "an ArcGIS layer definition",
    ".mxd": "an ArcGIS map",
    ".aprx": "an ArcGIS project",
    ".qgs": "a QGIS project",
    ".qmd": "QGIS metadata",
    ".py": "a program",
    ".js": "a program",
    ".css": "a style sheet",
}
_DELIMITERS: Final = "\t;|,"
_LOOKED_AT_LINES: Final = 30


def sniff(path: Path, head: bytes, tail: bytes) -> Verdict:
    """What a file of text is. Anything else is "binary data"."""
    text = _decode(head)
    if text is None:
        return Verdict(None, "binary data in no format that is known here", Role.OTHER)
    suffix = path.suffix.casefold()
    if suffix in _METADATA_SUFFIXES:
        return Verdict(None, _METADATA_SUFFIXES[suffix], Role.METADATA)
    stripped = text.lstrip(_JUNK)
    if not stripped:
        return Verdict(None, "a file of nothing but blanks")
    if stripped[0] == "<" or "<kml" in stripped[:4096].casefold():
        return _xml(stripped)
    if stripped[0] in "{[" + _RECORD_SEPARATOR or suffix in _GEOJSON_SUFFIXES:
        return _json(stripped, _decode(tail) or "", suffix)
    return _table(stripped, suffix)


def _decode(head: bytes) -> str | None:
    """The text; single bytes as Latin-1 where it is not UTF-8. None: it is no text."""
    for bom, encoding in _BOMS:
        if head.startswith(bom):
            return head.decode(encoding, "replace")
    if b"\0" in head:
        encoding_found = _wide_encoding(head)
        if encoding_found is not None:
            return head.decode(encoding_found, "replace")
    controls = len(head) - len(head.translate(None, _CONTROLS))
    if controls > _MOST_CONTROLS * len(head):
        return None
    try:
        return head.decode()
    except UnicodeDecodeError as error:
        if error.start >= len(head) - 4:  # a character across the end of what was read
            return head[: error.start].decode()
        return head.decode("latin-1")


def _wide_encoding(head: bytes) -> str | None:
    """UTF-16 without a mark: in Latin script every other byte is zero."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if odd > 0.6 * half and even < 0.1 * half:
        return "utf-16-le"
    if even > 0.6 * half and odd < 0.1 * half:
        return "utf-16-be"
    return None


def _xml(text: str) -> Verdict:
    at = 0
    while found := _PROLOG.match(text, at):
        at = found.end()
    root = _ROOT.match(text, at)
    name = root.group(2).casefold() if root else ""
    beginning = text[:8192]
    if name in _KML_ROOTS or any(namespace in beginning for namespace in _KML_NAMESPACES):
        return Verdict(Kind.KML, "a KML document")
    if re.match(r"<!doctype\s+html", text, re.IGNORECASE):
        name = "html"
    if name in _XML_ERRORS:
        said = " ".join(re.sub(r"<[^>]*>", " ", text[at : at + 2000]).split())[:200]
        return Verdict(None, f"the error message of a server, not the data: {said}")
    if name in _XML_METADATA:
        return Verdict(None, _XML_REFUSED.get(name, "metadata (XML)"), Role.METADATA)
    if name in _XML_REFUSED:
        return Verdict(None, _XML_REFUSED[name], Role.DOCUMENT if name == "html" else Role.OTHER)
    if _GML_NAMESPACE in beginning:
        return Verdict(Kind.GML, "a GML document")
    if "<kml" in beginning.casefold():
        return Verdict(Kind.KML, "a KML document behind other text")
    if not name:
        return Verdict(None, "text that begins like XML and has no root element", Role.OTHER)
    return Verdict(
        None, f"an XML document with the root <{name}>, which is neither KML nor GML", Role.OTHER
    )


def _json(text: str, tail: str, suffix: str) -> Verdict:
    if text[0] == _RECORD_SEPARATOR:
        return Verdict(Kind.GEOJSON_SEQ, "a GeoJSON text sequence")
    if _TOPOJSON.search(text):
        return Verdict(None, "a TopoJSON document, which is not read: convert it to GeoJSON")
    if _ESRI_JSON.search(text) and not _GEOJSON.search(text):
        return Verdict(
            None, "Esri JSON, which is not read: ask the server for f=geojson, or convert it"
        )
    if _is_sequence(text, suffix):
        return Verdict(Kind.GEOJSON_SEQ, "a sequence of GeoJSON features")
    if (
        suffix in _GEOJSON_SUFFIXES
        or _GEOJSON.search(text)
        or _GEOJSON_HINT.search(text)
        or _GEOJSON.search(tail)
    ):
        return Verdict(Kind.GEOJSON, "a GeoJSON document")
    return Verdict(None, "a JSON document that is not GeoJSON", Role.METADATA)


def _is_sequence(text: str, suffix: str) -> bool:
    """Whether there is a feature to a line."""
    first, newline, rest = text.partition("\n")
    if not _FEATURE_LINE.match(first) or re.search(r'"FeatureCollection"', first[:200]):
        return False
    if not newline:  # one line fills all that was read
        return suffix in _SEQUENCE_SUFFIXES
    return first.rstrip().endswith("}") and rest.lstrip()[:1] in ("{", _RECORD_SEPARATOR)


def _table(text: str, suffix: str) -> Verdict:
    table = Verdict(Kind.CSV, "a table of delimited text")
    if suffix in _TABLE_SUFFIXES:
        if text.startswith("!table"):
            return Verdict(None, "a MapInfo table, which is not read: export it as GeoPackage")
        return table
    if suffix in _DOCUMENT_SUFFIXES:
        return Verdict(None, "a text document", Role.DOCUMENT)
    if text.startswith(("EXP  0", "EXP 0")):
        return Verdict(None, "an Arc/Info export (E00), which is not read")
    if re.match(r"Version\s+\d+\s+(?:Charset|Delimiter)", text, re.IGNORECASE):
        return Verdict(None, "a MapInfo interchange file (MIF), which is not read")
    if re.match(r"\s*0\s*\n\s*SECTION", text):
        return Verdict(None, "an AutoCAD drawing (DXF), which is not read")
    if _has_columns(text):
        return table
    return Verdict(None, "a text document without columns", Role.DOCUMENT)


def _has_columns(text: str) -> bool:
    """Whether lines have the same number of some delimiter, more often than prose would."""
    lines = [line for line in text.splitlines()[:-1] or text.splitlines() if line.strip()]
    lines = lines[:_LOOKED_AT_LINES]
    if len(lines) < 2:
        return False
    for delimiter in _DELIMITERS:
        counts = [re.sub(r'"[^"]*"', "", line).count(delimiter) for line in lines]
        usual = max(set(counts), key=counts.count)
        if usual >= (2 if delimiter == "," else 1) and counts.count(usual) >= 0.8 * len(lines):
            return True
    return False
