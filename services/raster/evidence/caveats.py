"""What the user of a raster should know of it, whatever its type is."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pyproj import CRS
from pyproj.exceptions import CRSError

from services.raster.evidence.measures import Measures
from services.raster.evidence.subject import Subject
from services.raster.model import Caveat, Facts

_WIDE = frozenset({"float64", "int64", "uint64", "complex128"})
_TINY = 16
# Names of bodies in CRS, as PROJ and IAU write them.
_EARTH_RADIUS = (6.2e6, 6.5e6)


def find(subject: Subject) -> Iterator[Caveat]:
    yield from _georeference(subject.facts)
    yield from _values(subject)
    facts = subject.facts
    if facts.width < _TINY or facts.height < _TINY:
        yield Caveat(
            code="tiny",
            message=f"It has {facts.width} x {facts.height} pixels only: too few to tell much.",
        )


def _georeference(facts: Facts) -> Iterator[Caveat]:
    if facts.transform is None:
        if facts.gcps:
            yield Caveat(
                code="gcps_only",
                message=f"Its position is given by {facts.gcps} ground control points only: it "
                "has to be warped to lie on a map.",
            )
        elif facts.rpcs:
            yield Caveat(
                code="rpcs_only",
                message="Its position is given by a sensor model (RPC) only: it has to be "
                "orthorectified, with elevations, to lie on a map.",
            )
        else:
            yield Caveat(code="no_georeference", message="It does not say where its pixels are.")
    else:
        yield from _transform(facts.transform)
    if facts.crs is None:
        if facts.gcps_crs is None and not facts.rpcs:
            yield Caveat(code="no_crs", message="It does not say in which CRS it is.")
    else:
        yield from _crs(facts, facts.crs)


def _transform(transform: tuple[float, float, float, float, float, float]) -> Iterator[Caveat]:
    a, b, _, d, e, _ = transform
    if b or d:
        yield Caveat(
            code="rotated",
            message="Its grid is rotated or sheared against the axes of its CRS.",
        )
    elif e > 0:
        yield Caveat(code="south_up", message="Its first row is the southernmost.")
    if a < 0:
        yield Caveat(code="east_left", message="Its first column is the easternmost.")


def _crs(facts: Facts, text: str) -> Iterator[Caveat]:
    try:
        crs = CRS.from_user_input(text)
    except CRSError:
        yield Caveat(code="unreadable_crs", message="PROJ cannot read its CRS.")
        return
    if crs.is_engineering or (crs.is_compound and any(c.is_engineering for c in crs.sub_crs_list)):
        yield Caveat(
            code="local_crs", message=f"Its CRS “{crs.name}” is local: not tied to the Earth."
        )
        return
    ellipsoid = crs.ellipsoid
    if ellipsoid is not None and not (
        _EARTH_RADIUS[0] < ellipsoid.semi_major_metre < _EARTH_RADIUS[1]
    ):
        yield Caveat(
            code="other_planet",
            message=f"Its CRS “{crs.name}” is of a body with a radius of "
            f"{ellipsoid.semi_major_metre / 1000:,.0f} km: not of the Earth.",
        )
        return
    corners = _corners(facts)
    if corners is None:
        return
    largest_x = max(abs(x) for x, _ in corners)
    largest_y = max(abs(y) for _, y in corners)
    if crs.is_geographic and (largest_x > 540.001 or largest_y > 90.001 + _pixel(facts)):
        yield Caveat(
            code="outside_crs",
            message="Its CRS counts in degrees, but its coordinates are larger than degrees "
            f"can be ({largest_x:,.6g}, {largest_y:,.6g}): the CRS is probably wrong.",
        )
    elif crs.is_projected and largest_x <= 360 and largest_y <= 90 and _pixel(facts) < 1:
        yield Caveat(
            code="degrees_in_projected_crs",
            message=f"Its coordinates look like degrees, but its CRS “{crs.name}” counts in "
            f"{crs.axis_info[0].unit_name if crs.axis_info else 'metres'}: the CRS is probably "
            "wrong.",
        )


def _corners(facts: Facts) -> list[tuple[float, float]] | None:
    if facts.transform is None:
        return None
    a, b, c, d, e, f = facts.transform
    corners = [
        (a * column + b * row + c, d * column + e * row + f)
        for column in (0, facts.width)
        for row in (0, facts.height)
    ]
    return corners if all(math.isfinite(x) and math.isfinite(y) for x, y in corners) else None


def _pixel(facts: Facts) -> float:
    """Height of a pixel in the units of the CRS."""
    assert facts.transform is not None
    return math.hypot(facts.transform[1], facts.transform[4])


def _values(subject: Subject) -> Iterator[Caveat]:
    bands = [i for i in range(len(subject.sample.bands)) if i != subject.alpha]
    if not subject.measured:
        yield Caveat(code="all_nodata", message="No valid pixel was met in its sample.")
    for i, measures in zip(bands, subject.measures, strict=False):
        band = subject.facts.bands[i]
        if measures is None:
            if subject.measured:
                yield Caveat(
                    code="all_nodata", message="No valid pixel was met in this band.", band=i + 1
                )
            continue
        if measures.distinct == 1 and measures.count > 1:
            yield Caveat(
                code="constant",
                message=f"All sampled pixels are {measures.minimum:g}.",
                band=i + 1,
            )
        elif band.dtype.startswith("float") and measures.whole and measures.distinct > 1:
            yield Caveat(
                code="integers_in_float",
                message=f"Its values are whole numbers, kept as {band.dtype}: {_smallest(measures)}"
                " would do.",
                band=i + 1,
            )
        missing = subject.undeclared[i]
        if missing is not None:
            yield Caveat(
                code="undeclared_nodata",
                message=f"The value {missing:g} seems to stand for missing data, and is not "
                "declared: give it as `nodata`.",
                band=i + 1,
            )
        yield from _nodata(subject, i, measures)
    wide = sorted({band.dtype for band in subject.facts.bands} & _WIDE)
    if wide:
        yield Caveat(
            code="64_bit",
            message=f"Its values are {', '.join(wide)}: twice the size that most tools need.",
        )


def _nodata(subject: Subject, i: int, measures: Measures) -> Iterator[Caveat]:
    """A declared nodata value that lies amid the data is met among them by chance."""
    nodata = subject.facts.bands[i].nodata
    if nodata is None or math.isnan(nodata):
        return
    inside = measures.low < nodata < measures.high
    if inside and nodata != 0 and measures.distinct > 256:
        yield Caveat(
            code="doubtful_nodata",
            message=f"The declared nodata value {nodata:g} lies amid the values of the data: "
            "valid pixels may be taken for missing ones.",
            band=i + 1,
        )
    elif subject.undeclared[i] is not None:
        yield Caveat(
            code="doubtful_nodata",
            message=f"The declared nodata value is {nodata:g}, but {subject.undeclared[i]:g} "
            "seems to be the one used.",
            band=i + 1,
        )


def _smallest(measures: Measures) -> str:
    """The smallest integer type that holds the values sampled."""
    for name, low, high in (
        ("uint8", 0, 255), ("int16", -32768, 32767), ("uint16", 0, 65535),
    ):  # fmt: skip
        if low <= measures.minimum and measures.maximum <= high:
            return name
    return "int32"
