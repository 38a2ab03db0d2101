"""What an Item's asset says of the bands of a COG.

It says it twice: in `bands` of STAC 1.1, and in the fields of the raster and eo extensions of
1.0, which most clients still read.
"""

from __future__ import annotations

import math
import re
from typing import Any

from services.raster.common_names import common_names
from services.raster.description import BandSummary, DescribedBand, Description
from services.raster.model import Facts, RasterType

JsonObject = dict[str, Any]

BANDS, RASTER_BANDS, EO_BANDS = "bands", "raster:bands", "eo:bands"
CLASSES = "classification:classes"

_MAX_CLASSES = 256
_DATA_TYPES = {
    "complex_int16": "cint16",
    "complex_int32": "cint32",
    "complex64": "cfloat32",
    "complex128": "cfloat64",
}
_NOT_IN_A_CLASS_NAME = re.compile(r"[^0-9A-Za-z_-]+")


def band_fields(description: Description, facts: Facts, kind: RasterType) -> JsonObject:
    """The fields of the asset: `bands` and `raster:bands`; `eo:bands` where any band is known
    by a common name, and `classification:classes` where a single one has classes.

    `facts` are those of the source: a COG holds no names of categories.
    """
    named = list(zip(description.bands, common_names(description.bands, kind), strict=True))
    fields: JsonObject = {
        BANDS: [_band(band, name) for band, name in named],
        RASTER_BANDS: [_raster_band(band, description) for band in description.bands],
    }
    if any(name for _, name in named):
        fields[EO_BANDS] = [_eo_band(band, name) for band, name in named]
    classes = _classes(facts, description)
    if classes:
        fields[CLASSES] = classes
    return fields


def _band(band: DescribedBand, common_name: str | None) -> JsonObject:
    """A band as STAC 1.1 has it."""
    return {**_eo_band(band, None), **_values(band)} | (
        {} if common_name is None else {"eo:common_name": common_name}
    )


def _eo_band(band: DescribedBand, common_name: str | None) -> JsonObject:
    fields = {"name": f"b{band.number}"}
    if band.description is not None:
        fields["description"] = band.description
    if common_name is not None:
        fields["common_name"] = common_name
    return fields


def _raster_band(band: DescribedBand, description: Description) -> JsonObject:
    fields = _values(band) | {"sampling": description.area_or_point.lower()}
    if description.gsd is not None:
        fields["spatial_resolution"] = description.gsd
    if (band.scale, band.offset) != (1.0, 0.0):
        fields |= {"scale": band.scale, "offset": band.offset}
    return fields


def _values(band: DescribedBand) -> JsonObject:
    """What both ways of describing a band say of its values."""
    fields: JsonObject = {"data_type": _DATA_TYPES.get(band.dtype, band.dtype)}
    if band.nodata is not None:
        fields["nodata"] = _number(band.nodata)
    if band.unit is not None:
        fields["unit"] = band.unit
    if band.statistics is not None:
        fields["statistics"] = _statistics(band.statistics)
        if band.statistics.approximate:
            fields["geoforge:statistics"] = "approximate"
    return fields


def _statistics(summary: BandSummary) -> JsonObject:
    values = {
        "minimum": summary.minimum,
        "maximum": summary.maximum,
        "mean": summary.mean,
        "stddev": summary.stddev,
        "valid_percent": summary.valid_percent,
    }
    return {
        name: value for name, value in values.items() if value is not None and math.isfinite(value)
    }


def _number(value: float) -> float | str:
    """A number as both STAC 1.1 and the raster extension write it, where JSON has none."""
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value


def _classes(facts: Facts, description: Description) -> list[JsonObject]:
    """The classes of a single band, by its palette or by the names of its categories."""
    if len(description.bands) != 1:
        return []
    palette = {entry.value: entry.colour for entry in description.bands[0].palette}
    categories = {
        value: name.strip() for value, name in enumerate(facts.bands[0].categories) if name.strip()
    }
    return [
        _class(value, categories.get(value), palette.get(value))
        for value in sorted(palette or categories)[:_MAX_CLASSES]
    ]


def _class(value: int, name: str | None, colour: str | None) -> JsonObject:
    short = _NOT_IN_A_CLASS_NAME.sub("_", name or "").strip("_").lower()
    fields: JsonObject = {"value": value, "name": short or f"class_{value}"}
    if name is not None:
        fields["title"] = name
    if colour is not None:
        fields["color_hint"] = colour
    return fields
