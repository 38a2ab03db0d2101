"""Decide how the COG of a raster is made: from what it is, and from what was asked for.

How each type is stored::

    type                          compression   overviews  warped by
    rgb (8 bits, 3 bands)         JPEG 85       cubic      cubic
    rgba (8 bits, 4 bands)        WEBP 85       cubic      cubic
    dem                           LERC_DEFLATE  average    bilinear
    categorical                   DEFLATE       mode       nearest
    multispectral, nir,
    continuous, vegetation_index  DEFLATE       average    bilinear
    unknown                       DEFLATE       nearest    nearest

Only pictures of 8 bits are compressed with loss, and only in the tier `visualization`, which is
theirs by default. A measured value is never changed unless a parameter says by how much
(`max_z_error`, or a compression that cannot do without): a smaller file is no reason to give
somebody another elevation. LERC_DEFLATE is without loss at an error of 0.

The tier `archive` takes DEFLATE at its strongest, which every reader of TIFF has been able to
read for decades. ZSTD at level 22 takes longer still, and 1.7 GB of memory with two threads; LERC
and ZSTD are unknown to many readers, and an archive outlives its software.
"""

from __future__ import annotations

import math
from typing import Literal

from core.errors import PermanentTaskError
from services.raster.model import CogPlan, Facts, Nodata, RasterType, Survey
from services.raster.parameters import RasterOptions
from services.raster.warp_reach import Reach, reach
from services.vector.inference.crs import same_crs

Tier = Literal["visualization", "analysis", "archive"]
Predictor = Literal["NO", "STANDARD", "FLOATING_POINT"]

_JPEG_QUALITY = 85
_WEBP_QUALITY = 85
_ARCHIVE_LEVEL = 9  # of DEFLATE, its highest in the TIFF library

# What GDAL's COG driver stores with each: https://gdal.org/en/stable/drivers/raster/cog.html
_LERC = frozenset({"LERC", "LERC_DEFLATE", "LERC_ZSTD"})
_LERC_DTYPES = frozenset(
    {"int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"}
)
_PREDICTED = frozenset({"LZW", "DEFLATE", "ZSTD"})
# Differences of 64-bit integers came with libtiff 4.4: older readers refuse the file.
_INTEGERS = frozenset({"int8", "uint8", "int16", "uint16", "int32", "uint32"})
_FLOATS = frozenset({"float32", "float64"})

# Smaller tiles where one would take more than this, decoded: a reader holds several.
_TILE_BYTES = 64 << 20
_SMALLEST_TILE = 128
# rio-cogeo, and readers that draw, want an overview that fits in so many pixels a side.
_SMALLEST_OVERVIEW = 512

_OVERVIEWS = {
    RasterType.RGB: "cubic",
    RasterType.RGBA: "cubic",
    RasterType.CATEGORICAL: "mode",
    RasterType.UNKNOWN: "nearest",
}
_WARPS = {
    RasterType.RGB: "cubic",
    RasterType.RGBA: "cubic",
    RasterType.CATEGORICAL: "nearest",
    RasterType.UNKNOWN: "nearest",
}


def plan(survey: Survey, parameters: RasterOptions) -> CogPlan:
    """How the COG of this raster is made.

    Raises `PermanentTaskError`: `settings_do_not_fit` for a parameter that this raster cannot
    have, with what would fit; `bands_of_different_types` for a raster that no GeoTIFF can hold
    without changing the type of a band; `warp_out_of_range` for one that has no place in
    target_crs.
    """
    facts, kind = survey.facts, survey.inference.type
    dtype = _one_dtype(facts)
    notes: list[str] = []
    alpha_is_data = _bands_not_alpha(facts, kind)
    for number in alpha_is_data:
        notes.append(
            f"Band {number} is declared as alpha, but holds near infrared: "
            "it is stored as a band of values and hides no pixel."
        )
    alpha = _alpha_bands(facts, alpha_is_data)
    tier = parameters.output_tier or _default_tier(facts, kind, dtype)
    compression = _compression(facts, kind, dtype, tier, parameters, alpha, notes)
    quality = _quality(compression, parameters)
    max_z_error = _max_z_error(compression, parameters)
    lossless = not (
        compression == "JPEG" or (compression == "WEBP" and quality != 100) or bool(max_z_error)
    )
    overviews, warps = _resampling(facts, kind, dtype, parameters)
    warp_to = _warp_to(facts, parameters)
    warped = _reach(facts, warp_to, parameters, notes)
    nodata, nodata_value = _nodata(facts, dtype, lossless, compression, warp_to, parameters, notes)
    if facts.transform is not None and facts.transform[4] > 0 and warp_to is None:
        notes.append("The rows run from south to north, as in the source.")
    return CogPlan(
        type=kind,
        subtype=survey.inference.subtype,
        tier=tier,
        compression=compression,
        level=_ARCHIVE_LEVEL if tier == "archive" and "DEFLATE" in compression else None,
        quality=quality,
        predictor=_predictor(compression, kind, dtype),
        max_z_error=max_z_error,
        block_size=_block_size(facts, parameters, notes),
        overview_resampling=overviews,
        resampling=warps,
        source_crs=parameters.source_crs,
        warp_to=warp_to,
        warp_bounds=warped.bounds if warped else None,
        warp_window=warped.window if warped else None,
        nodata=nodata,
        nodata_value=nodata_value,
        alpha_is_data=alpha_is_data,
        lossless=lossless,
        notes=tuple(notes),
    )


def overview_count(width: int, height: int, block_size: int) -> int:
    """How many overviews a COG of this size has, each half of the one before.

    None for a single column: readers tell an overview's factor by its width.
    """
    if width == 1:
        return 0
    largest = min(block_size, _SMALLEST_OVERVIEW)
    count = 0
    while max(width, height) > largest:
        width, height = math.ceil(width / 2), math.ceil(height / 2)
        count += 1
    return count


def misfit(parameter: str, problem: str, fits: str) -> PermanentTaskError:
    """The refusal of a parameter: what is wrong with it, and what to give in its place."""
    return PermanentTaskError(
        f"{parameter}: {problem}. {fits}", code="settings_do_not_fit", parameter=parameter
    )


def _one_dtype(facts: Facts) -> str:
    """The type that all bands have: a GeoTIFF has one for all of them."""
    dtypes = sorted({band.dtype for band in facts.bands})
    if len(dtypes) == 1:
        return dtypes[0]
    raise PermanentTaskError(
        f"The bands are of different types ({', '.join(dtypes)}), and a GeoTIFF holds one. "
        "Convert them to one type, or split the raster by type.",
        code="bands_of_different_types",
    )


def _bands_not_alpha(facts: Facts, kind: RasterType) -> tuple[int, ...]:
    """Bands declared as alpha that hold near infrared, as those of many NAIP files."""
    if kind is not RasterType.NIR or len(facts.bands) != 4:
        return ()
    return tuple(band.number for band in facts.bands if band.colour == "alpha")


def _alpha_bands(facts: Facts, alpha_is_data: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(
        band.number
        for band in facts.bands
        if band.colour == "alpha" and band.number not in alpha_is_data
    )


def _default_tier(facts: Facts, kind: RasterType, dtype: str) -> Tier:
    picture = kind in (RasterType.RGB, RasterType.RGBA) and dtype == "uint8"
    return "visualization" if picture and len(facts.bands) in (3, 4) else "analysis"


def _compression(
    facts: Facts,
    kind: RasterType,
    dtype: str,
    tier: Tier,
    parameters: RasterOptions,
    alpha: tuple[int, ...],
    notes: list[str],
) -> str:
    """The compression asked for, where the raster can have it, else that of type and tier."""
    wish = parameters.compression
    if wish is not None:
        if wish == "JPEG":
            _fits_jpeg(facts, dtype, alpha)
        elif wish == "WEBP":
            _fits_webp(facts, dtype)
        elif wish in _LERC:
            _fits_lerc(facts, dtype, alpha)
        return wish
    if parameters.max_z_error:
        _fits_lerc(facts, dtype, alpha)
        return "LERC_DEFLATE"
    if tier == "visualization" and kind in (RasterType.RGB, RasterType.RGBA):
        picture = _picture_compression(facts, dtype, alpha)
        if picture is not None:
            return picture
        notes.append(
            f"{len(facts.bands)} bands of {dtype} fit neither JPEG nor WEBP: "
            "they are stored without loss."
        )
    if tier != "archive" and kind is RasterType.DEM:
        return "LERC_DEFLATE" if _may_be_lerc(facts, dtype, alpha) else "DEFLATE"
    return "DEFLATE"


def _picture_compression(facts: Facts, dtype: str, alpha: tuple[int, ...]) -> str | None:
    if dtype != "uint8" or _palette(facts):
        return None
    if len(facts.bands) == 3 and not alpha:
        return "JPEG"
    return "WEBP" if len(facts.bands) == 4 and alpha == (4,) else None


def _fits_jpeg(facts: Facts, dtype: str, alpha: tuple[int, ...]) -> None:
    other = "DEFLATE holds every raster, without loss"
    if dtype != "uint8":
        raise misfit("compression", f"JPEG holds uint8, not {dtype}", f"{other}.")
    if _palette(facts):
        raise misfit("compression", "JPEG would blend the numbers of a palette", f"{other}.")
    if alpha:
        raise misfit(
            "compression", "JPEG holds no alpha band", f"WEBP does, with loss as well; {other}."
        )
    if len(facts.bands) not in (1, 3):
        raise misfit("compression", f"JPEG holds 1 or 3 bands, not {len(facts.bands)}", f"{other}.")


def _fits_webp(facts: Facts, dtype: str) -> None:
    other = "DEFLATE holds every raster, without loss."
    if dtype != "uint8":
        raise misfit("compression", f"WEBP holds uint8, not {dtype}", other)
    if len(facts.bands) not in (3, 4):
        raise misfit("compression", f"WEBP holds 3 or 4 bands, not {len(facts.bands)}", other)


def _fits_lerc(facts: Facts, dtype: str, alpha: tuple[int, ...]) -> None:
    other = "DEFLATE and ZSTD hold every raster, without loss."
    if dtype not in _LERC_DTYPES:
        raise misfit("compression", f"LERC holds no {dtype}", other)
    if _palette(facts):
        raise misfit("compression", "LERC is for measured values, not for a palette", other)
    if alpha:
        raise misfit("compression", "LERC forgets the values of transparent pixels", other)


def _may_be_lerc(facts: Facts, dtype: str, alpha: tuple[int, ...]) -> bool:
    return dtype in _LERC_DTYPES and not alpha and not _palette(facts)


def _palette(facts: Facts) -> bool:
    return any(band.palette_entries for band in facts.bands)


def _quality(compression: str, parameters: RasterOptions) -> int | None:
    default = {"JPEG": _JPEG_QUALITY, "WEBP": _WEBP_QUALITY}.get(compression)
    if parameters.quality is None or default is not None:
        return parameters.quality or default
    raise misfit(
        "quality",
        f"this raster is stored by {compression}, which has no quality",
        "Leave quality out, or set compression to JPEG or WEBP for a picture of 8 bits.",
    )


def _max_z_error(compression: str, parameters: RasterOptions) -> float | None:
    if compression in _LERC:
        return parameters.max_z_error or 0.0
    if parameters.max_z_error:
        raise misfit(
            "max_z_error",
            f"{compression} knows no greatest error",
            "Leave it out, or set compression to LERC, LERC_DEFLATE or LERC_ZSTD.",
        )
    return None


def _predictor(compression: str, kind: RasterType, dtype: str) -> Predictor:
    """Neighbouring classes differ by chance: what is gained by differences of values is not
    gained by those of class numbers."""
    if compression not in _PREDICTED or kind is RasterType.CATEGORICAL:
        return "NO"
    if dtype in _FLOATS:
        return "FLOATING_POINT"
    return "STANDARD" if dtype in _INTEGERS else "NO"


def _resampling(
    facts: Facts, kind: RasterType, dtype: str, parameters: RasterOptions
) -> tuple[str, str]:
    """How overviews, and how warped pixels are computed."""
    blends = parameters.resampling not in (None, "nearest", "mode")
    if _palette(facts):
        if blends:
            raise misfit(
                "resampling",
                f"{parameters.resampling} would blend the numbers of a palette",
                "mode and nearest keep them.",
            )
        return parameters.resampling or "mode", parameters.resampling or "nearest"
    if dtype.startswith("complex"):
        if parameters.resampling not in (None, "nearest"):
            raise misfit(
                "resampling",
                f"{parameters.resampling} is not defined for complex values",
                "nearest is.",
            )
        return "nearest", "nearest"
    if parameters.resampling is not None:
        return parameters.resampling, parameters.resampling
    return _OVERVIEWS.get(kind, "average"), _WARPS.get(kind, "bilinear")


def _warp_to(facts: Facts, parameters: RasterOptions) -> str | None:
    """The CRS to warp to. A raster that is in it already keeps its grid, pixel by pixel."""
    if parameters.target_crs is None:
        return None
    source = parameters.source_crs or facts.crs
    if facts.transform is not None and source is not None:
        return None if same_crs(source, parameters.target_crs) else parameters.target_crs
    return parameters.target_crs


def _reach(
    facts: Facts, warp_to: str | None, parameters: RasterOptions, notes: list[str]
) -> Reach | None:
    """The part of the raster that is warped, None for all of it."""
    source = parameters.source_crs or facts.crs
    if warp_to is None or source is None:
        return None
    found = reach(facts, source, warp_to)
    if found is not None:
        west, south, east, north = found.bounds
        notes.append(
            f"The raster reaches beyond the area where {warp_to} is used, and is clipped to it: "
            f"x {west:.10g} to {east:.10g}, y {south:.10g} to {north:.10g}."
        )
    return found


def _nodata(
    facts: Facts,
    dtype: str,
    lossless: bool,
    compression: str,
    warp_to: str | None,
    parameters: RasterOptions,
    notes: list[str],
) -> tuple[Nodata, float | None]:
    declared = {_comparable(band.nodata) for band in facts.bands}
    value = None if parameters.nodata is None else float(parameters.nodata)
    if value is not None:
        _fits_dtype(value, dtype)
    if warp_to is not None and facts.mask == "dataset":
        # As readers of the source have it: a mask counts more than a value beside it.
        unused = (
            ""
            if value is None and declared == {None}
            else (" The value without data is not used beside it.")
        )
        notes.append(
            "The mask of the file is warped with it, and hides as well what warping left empty."
            + unused
        )
        return Nodata.MASK, None
    if value is not None:
        replaced = declared - {None, _comparable(value)}
        if replaced:
            notes.append(
                f"The value without data is {value:g}, as asked for, in place of "
                f"{', '.join(sorted(str(each) for each in replaced))} of the file."
            )
    elif facts.mask == "nodata" and len(declared) > 1:
        notes.append(
            "The bands declare different values without data, and a GeoTIFF holds one: a mask "
            "of the pixels that are empty in every band takes their place."
        )
        return Nodata.MASK, None
    if value is None and declared == {None}:
        if warp_to is not None and facts.mask == "none":
            notes.append("A mask hides the pixels that warping left empty.")
            return Nodata.MASK, None
        return Nodata.KEEP, None
    # LERC keeps NaN apart from the values.
    exact = lossless or (compression in _LERC and _only_nan(facts, value))
    if not exact:
        notes.append(
            f"{compression} would change the value of pixels without data: a mask takes its place."
        )
        return Nodata.MASK, value
    if value is None or declared == {_comparable(value)}:
        return Nodata.KEEP, None
    return Nodata.DECLARE, value


def _only_nan(facts: Facts, value: float | None) -> bool:
    values = [value] if value is not None else [band.nodata for band in facts.bands]
    return all(each is not None and math.isnan(each) for each in values)


def _comparable(nodata: float | None) -> float | str | None:
    """NaN does not equal itself, but its text does."""
    return "nan" if nodata is not None and math.isnan(nodata) else nodata


def _fits_dtype(value: float, dtype: str) -> None:
    if dtype.startswith(("float", "complex")):
        return
    bits = int(dtype.lstrip("uint"))
    low, high = (0, 2**bits - 1) if dtype[0] == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    if not math.isfinite(value) or value != math.floor(value) or not low <= value <= high:
        raise misfit(
            "nodata",
            f"{value:g} is no value of {dtype}, the type of this raster",
            f"It may be a whole number from {low} to {high}.",
        )


def _block_size(facts: Facts, parameters: RasterOptions, notes: list[str]) -> int:
    size: int = parameters.block_size
    pixel = facts.decoded_bytes / max(1, facts.width * facts.height)
    while size > _SMALLEST_TILE and size * size * pixel > _TILE_BYTES:
        size //= 2
    if size != parameters.block_size:
        notes.append(
            f"The tiles are of {size} pixels a side: one of {parameters.block_size} with all "
            f"{len(facts.bands)} bands would be too large to read quickly."
        )
    # Readers take one tile as wide as the raster for strips of rows.
    if size > _SMALLEST_OVERVIEW and size >= facts.width:
        size = _SMALLEST_OVERVIEW
    return size
