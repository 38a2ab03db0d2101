"""What is found in a file and decided about it: plain data that travels as JSON.

Readers, which run in a sandboxed child, describe a file as `SourceLayer`s, each cut into
`Chunk`s that can be read on their own. Every guess is a `Finding`: a value, how sure it is,
and why.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from core.models.feature_table import ColumnType


class Kind(StrEnum):
    """The formats that are read."""

    GEOJSON = "geojson"
    GEOJSON_SEQ = "geojson_seq"
    KML = "kml"
    CSV = "csv"
    GEOPACKAGE = "geopackage"
    SHAPEFILE = "shapefile"
    FLATGEOBUF = "flatgeobuf"
    GEOPARQUET = "geoparquet"
    GML = "gml"
    FILE_GEODATABASE = "file_geodatabase"


class Reason(StrEnum):
    """Why a record is in quarantine."""

    MALFORMED = "malformed"  # the record, or the file from there on, cannot be parsed
    NOT_A_FEATURE = "not_a_feature"  # well-formed, but not what the format allows here
    EMPTY_PLACEMARK = "empty_placemark"  # a KML placemark without any geometry
    BAD_COORDINATE = "bad_coordinate"  # not a number, not finite, or a missing ordinate
    OUT_OF_RANGE = "out_of_range"  # beyond 180 or 90 degrees, or far outside of the CRS
    TOO_FEW_POINTS = "too_few_points"  # nothing is left that could be a line or a ring
    UNREADABLE_GEOMETRY = "unreadable_geometry"  # the driver or GEOS cannot decode it
    UNSUPPORTED_GEOMETRY = "unsupported_geometry"  # a kind that a table cannot hold
    WRONG_DIMENSION = "wrong_dimension"  # points, lines or polygons where others belong
    INVALID_GEOMETRY = "invalid_geometry"  # invalid, and geometry_repair is none
    NOT_REPAIRABLE = "not_repairable"  # the repair left nothing, or is itself invalid
    REPAIR_CHANGES_AREA = "repair_changes_area"  # by more than max_area_change
    PROJECTION_FAILED = "projection_failed"  # no coordinates in the target CRS
    DUPLICATE = "duplicate"  # geometry and all attributes equal an earlier record's
    SUPERSEDED = "superseded"  # a newer state of the record came in too, or it was deleted since
    BAD_VALUE = "bad_value"  # a key that is null or repeated within the file


class RepairKind(StrEnum):
    """What was changed in a geometry."""

    RING_CLOSED = "ring_closed"
    TUPLES_COMPLETED = "tuples_completed"  # ordinates beyond Z or M, or broken tuples, left out
    REPEATED_POINTS = "repeated_points"
    SPIKE = "spike"
    SELF_INTERSECTION = "self_intersection"
    RING_ORDER = "ring_order"
    NESTED_SHELLS = "nested_shells"
    HOLE_OUTSIDE_SHELL = "hole_outside_shell"
    NESTED_HOLES = "nested_holes"
    REPEATED_PART = "repeated_part"  # a ring or part that equals an earlier one left out
    ZERO_AREA_PART = "zero_area_part"  # a line without length, or a ring without area, left out
    EMPTY_PART = "empty_part"  # an empty or too short part of a multi-geometry left out
    AXES_SWAPPED = "axes_swapped"
    ANTIMERIDIAN_CUT = "antimeridian_cut"
    LONGITUDE_WRAPPED = "longitude_wrapped"  # 190 degrees written as -170
    CLAMPED = "clamped"  # rounding beyond 180 or 90 degrees brought back to it
    LINEARISED = "linearised"
    RETYPED = "retyped"  # the declared type did not match the coordinates


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Note(_Model):
    """Something worth knowing that is no fault of a record: 3 NetworkLinks not followed."""

    code: str
    message: str
    count: int = 1


class Finding(_Model):
    """A guess: the value, how sure it is (0 to 1), where it comes from, and why.

    `source` is one of file, sidecar, content, name, parameter, assumption.
    """

    value: Any
    confidence: float = Field(ge=0, le=1)
    source: str
    evidence: list[str] = Field(default_factory=list)


class SourceColumn(_Model):
    """One attribute of a layer, under the name that it has in the source.

    `html` says that texts hold markup; `nulls` and `distinct` are over all rows where
    `exact`, else over the rows that were looked at. `inferred` is the type that the content
    has, where somebody's word stands in `type`.
    """

    name: str
    type: ColumnType
    inferred: ColumnType | None = None
    confidence: float = 1.0
    evidence: list[str] = Field(default_factory=list)
    html: bool = False
    rows: int | None = None
    nulls: int | None = None
    distinct: int | None = None
    exact: bool = False


class Chunk(_Model):
    """A run of a layer's records that can be read alone.

    `first_row` is the number of its first record in the layer, from 0; `rows` an upper bound
    or estimate of how many there are; `part` says where they are in the reader's own terms
    (a range of fids, bytes or row groups).
    """

    first_row: int
    rows: int | None
    part: dict[str, int | str] = Field(default_factory=dict)


class SourceLayer(_Model):
    """One layer of a file.

    `member` is the path below the folder that was unpacked or fetched; `driver` the reader
    that could read it; `geometry_types` the numbers of records by OGC type (`None`: without a
    geometry), of those that were looked at. `crs` holds an authority code ("EPSG:4326") or
    WKT, or None where the file says nothing. `bbox` is in that CRS: xmin, ymin, xmax, ymax.
    `key_candidates` are names of columns.
    """

    name: str
    kind: Kind
    driver: str
    member: str
    features: int | None
    columns: list[SourceColumn]
    geometry_types: dict[str, int]
    has_z: bool = False
    has_m: bool = False
    crs: Finding
    encoding: Finding | None = None
    location: Finding | None = None
    key_candidates: list[Finding] = Field(default_factory=list)
    bbox: tuple[float, float, float, float] | None = None
    chunks: list[Chunk]
    notes: list[Note] = Field(default_factory=list)
    details: dict[str, Any] = Field(default_factory=dict)

    @property
    def spatial(self) -> bool:
        """Whether any record has a geometry, as far as was seen."""
        return any(kind != "None" for kind in self.geometry_types)


class ReadOptions(_Model):
    """What a reader is told: the user's overrides, and how much to look at.

    `chunk_rows` None leaves the size of the chunks to the reader (about `target_chunks` of
    them, between 5,000 and 100,000 records). With `sample` a reader looks at the beginning
    only, for a quick look before a job is submitted: its counts are then not exact.
    """

    layer: str | None = None
    x_column: str | None = None
    y_column: str | None = None
    wkt_column: str | None = None
    encoding: str | None = None
    chunk_rows: int | None = None
    target_chunks: int = 8
    sample: bool = False


class CleaningOptions(_Model):
    """How geometries are cleaned. CRSs are authority codes or WKT.

    `promote_to_multi` is for lines and polygons, `promote_points` for points. With `add_z`
    geometries that have no heights get 0, for a table whose geometries have them. `elsewhere`
    says that the layer as a whole is far from where its CRS is used: no record is then set
    aside for that. `dimensions` are those that belong into the layer's one table (None among
    them: no geometry at all): a record of another one, or of several at once, is set aside.
    """

    source_crs: str | None
    target_crs: str
    repair: Literal["structure", "linework", "none"] = "structure"
    promote_to_multi: bool = True
    promote_points: bool = False
    drop_z: bool = False
    add_z: bool = False
    swap_axes: bool = False
    elsewhere: bool = False
    orient_rings: bool = False
    max_area_change: float = 0.1
    dimensions: tuple[Literal[0, 1, 2] | None, ...] | None = None
