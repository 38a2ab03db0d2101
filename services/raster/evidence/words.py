"""What names say: those of bands and units, tags, and, as weak evidence, that of the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from services.raster.evidence.finding import Finding
from services.raster.evidence.subject import Subject
from services.raster.model import RasterType as T
from services.raster.model import Subtype as S

# A file's name may be of the place, the project, or of what the raster was made from.
_OF_FILE, _OF_TEXT = 1.8, 3.0


@dataclass(frozen=True)
class _Vocabulary:
    type: T
    words: frozenset[str]
    subtype: S | None = None


def _words(kind: T, words: str, subtype: S | None = None) -> _Vocabulary:
    return _Vocabulary(kind, frozenset(word.strip() for word in words.split(",")), subtype)


# The first that is met counts: what is derived of something is named after that as well
# ("dem slope"), so the derived come first.
_ONE_BAND = (
    _words(T.CONTINUOUS, "slope, aspect, slope degrees", S.SLOPE),
    _words(T.CONTINUOUS, "hillshade, hillshd, shaded relief, shade", S.HILLSHADE),
    _words(
        T.CONTINUOUS,
        "hag, chm, ndsm, canopy, canopy height, tree height, building height, curvature, tri, tpi, "
        "twi, roughness, rugosity, height above ground, flow accumulation, flowacc, distance, "
        "proximity, uncertainty, error, stdev, std",
    ),
    _words(T.CATEGORICAL, "mask, watermask, landmask, cloudmask", S.MASK),
    _words(T.CATEGORICAL, "qa, bqa, qa pixel, qa radsat, fmask, quality, qc", S.BIT_FLAGS),
    _words(
        T.CATEGORICAL,
        "landcover, land cover, lulc, landuse, land use, lc, lccs, nlcd, cdl, cdls, corine, clc, "
        "worldcover, scl, class, classes, classification, classified, lc type, igbp, cropland, "
        "crop type, croptype",
        S.LAND_COVER,
    ),
    _words(
        T.CATEGORICAL,
        "category, categories, categorical, labels, label, zones, zone, ecosystem, ecosystems, "
        "ecoregion, ecoregions, biome, biomes, geology, lithology, soil type, soiltype, habitat, "
        "basins, watersheds, clusters, koppen, climate zones",
    ),
    _words(
        T.VEGETATION_INDEX,
        "ndvi, evi, evi2, savi, msavi, osavi, gndvi, ndre, vegetation index, arvi, vari, nbr, ndmi",
    ),
    _words(
        T.CONTINUOUS,
        "temperature, temp, tmin, tmax, tmean, tavg, lst, sst, surface temperature, t2m, thermal, "
        "st b10, st b6",
        S.TEMPERATURE,
    ),
    _words(
        T.CONTINUOUS,
        "precipitation, precip, prec, ppt, rain, rainfall, gpm, imerg, chirps, tp, total "
        "precipitation",
        S.PRECIPITATION,
    ),
    _words(
        T.CONTINUOUS,
        "population, ppp, pop, worldpop, landscan, population density, ghs pop",
        S.POPULATION,
    ),
    _words(
        T.CONTINUOUS,
        "probability, prob, confidence, likelihood, suitability, susceptibility",
        S.PROBABILITY,
    ),
    _words(T.CONTINUOUS, "flood, flood depth, inundation, water depth, depth", S.DEPTH),
    _words(
        T.CONTINUOUS,
        "sar, vv, vh, hh, hv, sigma0, gamma0, backscatter, amplitude, iw, grd, palsar, sentinel1",
        S.SAR,
    ),
    _words(T.CONTINUOUS, "pan, panchromatic, grayscale, greyscale", S.PANCHROMATIC),
    _words(
        T.DEM,
        "dem, dtm, dsm, dhm, dgm, mdt, mnt, elevation, elevations, elev, altitude, alt, srtm, "
        "srtmgl1, srtmgl3, nasadem, aster gdem, gdem, gebco, etopo, etopo1, gtopo30, gmted, "
        "gmted2010, bathymetry, bathy, topography, topo, topobathy, fabdem, aw3d30, alos dem, "
        "cop dem, orography, terrain, heightmap, ned, 3dep, hgt, usgs 13, surface altitude, relief",
    ),
    _words(
        T.CONTINUOUS,
        "reflectance, radiance, nightlights, viirs, humidity, pressure, salinity, "
        "chlorophyll, concentration, density, percent, percentage, fraction, carbon, biomass, "
        "wind, speed, velocity, anomaly, aod, no2, ozone, albedo, evapotranspiration, et, "
        "soil moisture, moisture, ndwi, ndsi, treecover, tree cover, red, green, blue, nir, "
        "swir, coastal, lai, fapar, snow, ice",
    ),
)  # fmt: skip
_MANY_BANDS = (
    _words(T.NIR, "naip, rgbn, rgbi, rgbnir, rgb nir, bgrn"),
    _words(T.RGBA, "rgba"),
    _words(
        T.RGB,
        "rgb, visual, tci, truecolor, true color, true colour, ortho, orthophoto, orthomosaic, "
        "aerial, photo, basemap, odm orthophoto",
    ),
    _words(T.MULTISPECTRAL, "multispectral, ms, msi, hyperspectral, cir, analytic, bands, stack"),
    _words(T.CONTINUOUS, "vv, vh, hh, hv, sigma0, gamma0, sar", S.SAR),
    _words(T.CONTINUOUS, "wind, u10, v10, uv, current, currents, velocity", S.VECTOR_FIELD),
    _words(
        T.CONTINUOUS,
        "temperature, tmin, tmax, tmean, tavg, bioclim, monthly",
        S.TEMPERATURE,
    ),
    _words(T.CONTINUOUS, "precipitation, precip, prec, rainfall", S.PRECIPITATION),
    _words(
        T.CATEGORICAL,
        "landcover, land cover, lulc, landuse, classification, annual landcover",
        S.LAND_COVER,
    ),
)
# A file of one band of a sensor: b04, sr_b4, band4, b8a.
_ONE_CHANNEL = re.compile(r"(?:sr )?b(?:and)? ?(?:0?[1-9]|1[0-2]|8a)")
_UNITS: dict[str, tuple[T, float, S | None]] = {
    **dict.fromkeys(("m", "metre", "meter", "metres", "meters", "ft", "feet", "us survey foot"),
                    (T.DEM, 1.2, None)),
    **dict.fromkeys(("k", "kelvin", "c", "degc", "celsius", "degrees celsius", "deg c"),
                    (T.CONTINUOUS, 3.5, S.TEMPERATURE)),
    **dict.fromkeys(("mm", "mm/day", "mm/hr", "mm/h", "kg m 2 s 1"),
                    (T.CONTINUOUS, 3.0, S.PRECIPITATION)),
    **dict.fromkeys(("db", "decibel"), (T.CONTINUOUS, 3.0, S.SAR)),
    **dict.fromkeys(("m/s", "m s 1", "knots"), (T.CONTINUOUS, 2.5, None)),
    **dict.fromkeys(("%", "percent", "degrees", "degree", "radians"), (T.CONTINUOUS, 2.5, None)),
    **dict.fromkeys(("class", "classes", "category"), (T.CATEGORICAL, 3.0, None)),
}  # fmt: skip
_TELLING_TAGS = frozenset(
    ("tifftag_imagedescription", "long_name", "standard_name", "name", "title", "variable",
     "netcdf_varname", "description", "product", "layer_type", "grib_element", "grib_comment")
)  # fmt: skip
_VISIBLE = {"red": "red", "green": "green", "blue": "blue", "b02": "blue", "b03": "green",
            "b04": "red", "b2": "blue", "b3": "green", "b4": "red"}  # fmt: skip
_INFRARED = frozenset({"nir", "nir08", "b08", "b8", "nearinfrared", "near infrared", "infrared"})
_SPECTRAL = frozenset(
    {"coastal", "rededge", "rededge1", "rededge2", "rededge3", "swir", "swir1", "swir16", "swir2",
     "swir22", "pan", "cirrus", "tir", "thermal", "yellow"}
) | _INFRARED | frozenset(_VISIBLE)  # fmt: skip


def find(subject: Subject) -> Iterator[Finding]:
    if subject.complex:
        return
    yield from _bands(subject)
    yield from _units(subject)
    texts = [band.description or "" for band in subject.facts.bands]
    texts += [text for key, text in _tags(subject) if key in _TELLING_TAGS]
    found = _met(subject, " ".join(_split(text) for text in texts))
    if found is not None:
        yield _finding("texts", "Its texts", found, _OF_TEXT)
    named = _met(subject, _split(subject.name.rpartition(".")[0] or subject.name))
    if named is not None:
        yield _finding("file name", "The file's name", named, _OF_FILE)


def _tags(subject: Subject) -> Iterator[tuple[str, str]]:
    for tags in (subject.facts.tags, *(band.tags for band in subject.facts.bands[:16])):
        for key, text in tags.items():
            yield key.lower(), text[:500]


def _split(text: str) -> str:
    """The words of a name, in small letters, with single spaces between and around them."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return f" {' '.join(re.findall(r'[a-z0-9%]+', parted.lower()))} "


def _met(subject: Subject, text: str) -> tuple[_Vocabulary, str] | None:
    one = subject.data_bands == 1
    for vocabulary in _ONE_BAND if one else _MANY_BANDS:
        words = sorted((w for w in vocabulary.words if f" {w} " in text), key=len)
        if words:
            return vocabulary, words[-1]
    if one:
        channel = re.search(rf" ({_ONE_CHANNEL.pattern}) ", text)
        if channel is not None:
            return _words(T.CONTINUOUS, "channel"), channel[1]
    return None


def _finding(name: str, what: str, found: tuple[_Vocabulary, str], weight: float) -> Finding:
    vocabulary, word = found
    return Finding(
        name,
        f"{what} say “{word}”." if what.endswith("s") else f"{what} has “{word}”.",
        {vocabulary.type: weight},
        word,
        {vocabulary.subtype: weight} if vocabulary.subtype is not None else {},
    )


def _units(subject: Subject) -> Iterator[Finding]:
    if subject.data_bands != 1:
        return
    unit = (subject.facts.bands[0].unit or "").strip().lower()
    if unit in _UNITS:
        kind, weight, subtype = _UNITS[unit]
        yield Finding(
            "unit",
            f"Its unit is {subject.facts.bands[0].unit}.",
            {kind: weight},
            unit,
            {} if subtype is None else {subtype: weight},
        )


def _bands(subject: Subject) -> Iterator[Finding]:
    """What the bands' own names say together."""
    if len(subject.facts.bands) < 2:
        return
    names = [_split(band.description or "").strip() for band in subject.facts.bands]
    spectral = [name for name in names if name in _SPECTRAL or _ONE_CHANNEL.fullmatch(name)]
    visible = {_VISIBLE[name] for name in names if name in _VISIBLE}
    infrared = any(name in _INFRARED for name in names)
    if len(visible) == 3 and infrared and subject.data_bands == 4:
        weights = {T.NIR: 4.0}
    elif len(visible) == 3 and subject.data_bands == 3:
        weights = {T.RGB: 4.0}
    elif len(spectral) >= 2:
        weights = {T.MULTISPECTRAL: 4.0}
    else:
        return
    yield Finding("band names", f"The bands are named {', '.join(names[:6])}.", weights, names[:16])
