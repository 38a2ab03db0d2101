"""What is known of a raster: the words in which child and parent, stages and reports speak.

All of it is JSON on its way; a NaN or an infinity travels as a text.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class RasterModel(BaseModel):
    """Base of the values here. Nodata may be NaN, which JSON cannot say but as a text."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")


class RasterType(StrEnum):
    """What a raster is to those who use it. It decides how the raster is stored and drawn."""

    RGB = "rgb"
    RGBA = "rgba"
    NIR = "nir"  # red, green and blue with near infrared, in whatever order
    MULTISPECTRAL = "multispectral"
    DEM = "dem"
    CATEGORICAL = "categorical"
    CONTINUOUS = "continuous"
    VEGETATION_INDEX = "vegetation_index"
    UNKNOWN = "unknown"


class Subtype(StrEnum):
    """What it is more closely, where that can be told. `SUBTYPES` says of which type each is."""

    PALETTED = "paletted"
    LAND_COVER = "land_cover"
    MASK = "mask"
    BIT_FLAGS = "bit_flags"
    PANCHROMATIC = "panchromatic"
    HILLSHADE = "hillshade"
    SLOPE = "slope"
    TEMPERATURE = "temperature"
    DEPTH = "depth"
    PRECIPITATION = "precipitation"
    POPULATION = "population"
    PROBABILITY = "probability"
    SAR = "sar"
    VECTOR_FIELD = "vector_field"


SUBTYPES: dict[Subtype, RasterType] = {
    Subtype.PALETTED: RasterType.CATEGORICAL,
    Subtype.LAND_COVER: RasterType.CATEGORICAL,
    Subtype.MASK: RasterType.CATEGORICAL,
    Subtype.BIT_FLAGS: RasterType.CATEGORICAL,
    Subtype.PANCHROMATIC: RasterType.CONTINUOUS,
    Subtype.HILLSHADE: RasterType.CONTINUOUS,
    Subtype.SLOPE: RasterType.CONTINUOUS,
    Subtype.TEMPERATURE: RasterType.CONTINUOUS,
    Subtype.DEPTH: RasterType.CONTINUOUS,
    Subtype.PRECIPITATION: RasterType.CONTINUOUS,
    Subtype.POPULATION: RasterType.CONTINUOUS,
    Subtype.PROBABILITY: RasterType.CONTINUOUS,
    Subtype.SAR: RasterType.CONTINUOUS,
    Subtype.VECTOR_FIELD: RasterType.CONTINUOUS,
}


class Band(RasterModel):
    """One band, as the file declares it. `number` is from 1, `colour` GDAL's interpretation in
    small letters (red, gray, palette, alpha, undefined, ...)."""

    number: int
    dtype: str
    nodata: float | None = None
    colour: str = "undefined"
    description: str | None = None
    unit: str | None = None
    scale: float = 1.0
    offset: float = 0.0
    palette_entries: int = 0
    categories: tuple[str, ...] = ()
    tags: dict[str, str] = Field(default_factory=dict)


class Facts(RasterModel):
    """What a file says of itself, read without its pixels.

    `crs` is "EPSG:32618" where there is a code, else WKT2. `transform` is (a, b, c, d, e, f) as
    in affine: x = a*column + b*row + c, y = d*column + e*row + f; None where the file has none.
    `mask` says where validity comes from; `overviews` are the factors of the first band.
    Block sizes are (rows, columns). `compression` and `interleave` are GDAL's words.
    """

    driver: str
    width: int
    height: int
    bands: tuple[Band, ...]
    crs: str | None = None
    transform: tuple[float, float, float, float, float, float] | None = None
    gcps: int = 0
    gcps_crs: str | None = None
    rpcs: bool = False
    area_or_point: Literal["Area", "Point"] = "Area"
    mask: Literal["none", "nodata", "alpha", "dataset"] = "none"
    overviews: tuple[int, ...] = ()
    block: tuple[int, int] = (0, 0)
    compression: str | None = None
    interleave: str | None = None
    tags: dict[str, str] = Field(default_factory=dict)
    file_bytes: int = 0

    @property
    def decoded_bytes(self) -> int:
        """Bytes of all pixels of all bands."""
        sizes = {"uint8": 1, "int8": 1, "uint16": 2, "int16": 2, "uint32": 4, "int32": 4,
                 "float16": 2, "float32": 4, "complex_int16": 4, "complex64": 8}  # fmt: skip
        return self.width * self.height * sum(sizes.get(band.dtype, 8) for band in self.bands)


class BandStatistics(RasterModel):
    """Of a sample of a band's valid pixels, in stored values; None where none was valid.

    `percentiles` are those of 2 and 98 in a hundred. `distinct` counts the values of the sample.
    """

    minimum: float | None
    maximum: float | None
    mean: float | None
    stdev: float | None
    percentiles: tuple[float, float] | None
    valid_share: float
    distinct: int


class Caveat(RasterModel):
    """Something that its user should know: `code` for programs, `message` for people."""

    code: str
    message: str
    band: int | None = None


class Evidence(RasterModel):
    """One thing that was looked at, what it was, and what it says."""

    name: str
    value: Any = None
    says: str


class Candidate(RasterModel):
    """A type that the raster may be of. Those of one inference have 1 as their sum."""

    type: RasterType
    subtype: Subtype | None = None
    probability: float
    evidence_for: tuple[str, ...] = ()
    evidence_against: tuple[str, ...] = ()


class Inference(RasterModel):
    """What a raster is, how sure that is, and why.

    `candidates` has one entry for each type, the likeliest first; `confidence` is the
    probability of the first. `conflict` is set where a person said something else.
    """

    type: RasterType
    subtype: Subtype | None = None
    confidence: float
    candidates: tuple[Candidate, ...]
    evidence: tuple[Evidence, ...]
    warnings: tuple[Caveat, ...] = ()
    overridden: bool = False
    conflict: str | None = None


class Survey(RasterModel):
    """What the child found out about one raster."""

    facts: Facts
    inference: Inference
    statistics: tuple[BandStatistics, ...]


class Nodata(StrEnum):
    """What becomes of the pixels without data."""

    KEEP = "keep"  # as the source has it: a value, a mask, an alpha band, or nothing
    DECLARE = "declare"  # the parameter names a value that the file does not
    MASK = "mask"  # a lossy compression would change the value: a mask takes its place


class CogPlan(RasterModel):
    """How the COG of one raster is made, decided before its pixels are read.

    Names are those of GDAL's COG driver. `quality` is that of JPEG or WEBP (1 to 100);
    `max_z_error` the greatest error of LERC, in the unit of the values, 0 for none.
    `warp_to` is the CRS to which the raster is warped, None to keep its grid. Of a raster that
    reaches beyond what that CRS can show, `warp_bounds` (xmin, ymin, xmax, ymax, in that CRS) are
    kept, at the resolution of `warp_window` (column, row, columns, rows, of the source).
    `alpha_is_data` are bands declared as alpha that hold values.
    """

    type: RasterType
    subtype: Subtype | None = None
    tier: Literal["visualization", "analysis", "archive"]
    compression: str
    level: int | None = None
    quality: int | None = None
    predictor: Literal["NO", "STANDARD", "FLOATING_POINT"] = "NO"
    max_z_error: float | None = None
    block_size: int = 512
    overview_resampling: str
    resampling: str
    source_crs: str | None = None
    warp_to: str | None = None
    warp_bounds: tuple[float, float, float, float] | None = None
    warp_window: tuple[int, int, int, int] | None = None
    nodata: Nodata = Nodata.KEEP
    nodata_value: float | None = None
    alpha_is_data: tuple[int, ...] = ()
    lossless: bool
    notes: tuple[str, ...] = ()


class Encoded(RasterModel):
    """The COG that was made: its size in pixels, the `bytes` of its file and the `decoded_bytes` of
    its full image, how long it took, and by how much each overview is smaller than the image."""

    width: int
    height: int
    bytes: int
    decoded_bytes: int
    seconds: float
    overviews: tuple[int, ...]


class Verification(RasterModel):
    """What was checked of a COG against its source.

    `compared` is the number of pixels (of each band) compared; `largest_difference` the greatest
    difference of a valid pixel of any band, 0 for lossless; `bound` is what it may be.
    """

    valid_cog: bool
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    compared: int
    exact: bool
    largest_difference: float
    mean_difference: float
    bound: float
    seconds: float
