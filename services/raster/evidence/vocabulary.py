"""Words by which rasters are named, and the types that they speak for."""

from __future__ import annotations

from dataclasses import dataclass

from services.raster.model import SUBTYPES, RasterType, Subtype


@dataclass(frozen=True)
class Vocabulary:
    """Words, or several of them with single spaces between, that speak for one type.

    `strength` is below 1 for words that rasters of other types bear as well, and above for words
    that mean nothing else.
    """

    type: RasterType
    words: frozenset[str]
    subtype: Subtype | None = None
    strength: float = 1.0


def _vocabulary(kind: RasterType | Subtype, words: str, strength: float = 1.0) -> Vocabulary:
    listed = frozenset(word.strip() for word in words.split(","))
    if isinstance(kind, Subtype):
        return Vocabulary(SUBTYPES[kind], listed, kind, strength)
    return Vocabulary(kind, listed, strength=strength)


# Of rasters of one band. The first that is met counts: what is derived of something bears the
# name of that as well ("dem slope"), so the derived come first.
ONE_BAND = (
    _vocabulary(Subtype.SLOPE, "slope, aspect, slopes"),
    _vocabulary(Subtype.HILLSHADE, "hillshade, hillshd, shaded relief, shade, relief"),
    _vocabulary(
        RasterType.CONTINUOUS,
        "hag, chm, ndsm, canopy, canopy height, tree height, building height, curvature, tri, "
        "tpi, twi, roughness, rugosity, height above ground, flow accumulation, flowacc, "
        "distance, proximity, diff, difference, dod, residual, residuals, uncertainty, stdev, err, "
        "sza, saa, vza, vaa, zenith, azimuth, angle, angles",
    ),
    _vocabulary(Subtype.MASK, "mask, watermask, landmask, cloudmask, landsea"),
    _vocabulary(Subtype.BIT_FLAGS, "qa, bqa, qa pixel, qa radsat, fmask, quality, qc"),
    _vocabulary(
        Subtype.LAND_COVER,
        "landcover, land cover, lulc, landuse, land use, lc, lccs, nlcd, cdl, cdls, corine, clc, "
        "worldcover, scl, class, classes, classification, classified, lc type, igbp, crop "
        "type, croptype",
    ),
    _vocabulary(
        RasterType.CATEGORICAL,
        "category, categories, categorical, labels, label, zones, zone, ecosystem, ecosystems, "
        "ecoregion, ecoregions, biome, biomes, geology, lithology, soil type, soiltype, habitat, "
        "basins, watersheds, clusters, koppen, climate zones",
    ),
    _vocabulary(
        RasterType.VEGETATION_INDEX,
        "ndvi, evi, evi2, savi, msavi, osavi, gndvi, ndre, vegetation index, arvi, vari",
        strength=2.0,
    ),
    _vocabulary(
        Subtype.TEMPERATURE,
        "temperature, tmin, tmax, tmean, tavg, lst, sst, oisst, t2m, thermal, st b10, st b6",
    ),
    _vocabulary(
        Subtype.PRECIPITATION,
        "precipitation, precip, prec, ppt, rain, rainfall, gpm, imerg, chirps",
    ),
    _vocabulary(
        Subtype.POPULATION, "population, ppp, pop, worldpop, landscan, population density, ghs pop"
    ),
    _vocabulary(
        Subtype.PROBABILITY,
        "probability, probabilities, prob, probs, confidence, conf, likelihood, suitability, "
        "susceptibility",
    ),
    _vocabulary(Subtype.DEPTH, "flood, flood depth, inundation, water depth, depth"),
    _vocabulary(
        Subtype.SAR,
        "sar, vv, vh, hh, hv, sigma0, gamma0, backscatter, amplitude, iw, grd, palsar, sentinel1",
    ),
    _vocabulary(Subtype.PANCHROMATIC, "pan, panchromatic, grayscale, greyscale"),
    _vocabulary(
        RasterType.DEM,
        "dem, dtm, dsm, dhm, dgm, mdt, mnt, elevation, elevations, elev, altitude, alt, srtm, "
        "srtmgl1, srtmgl3, nasadem, gdem, gebco, etopo, etopo1, gtopo30, gmted, gmted2010, "
        "bathymetry, bathy, topography, topo, topobathy, fabdem, aw3d30, orography, terrain, "
        "heightmap, 3dep, hgt, surface altitude, surface height, terrain height",
    ),
    _vocabulary(
        RasterType.CONTINUOUS,
        "reflectance, radiance, nightlights, viirs, humidity, pressure, salinity, chlorophyll, "
        "concentration, density, percent, percentage, fraction, carbon, biomass, wind, speed, "
        "velocity, anomaly, aod, no2, ozone, albedo, evapotranspiration, soil moisture, "
        "moisture, ndwi, ndsi, nbr, treecover, tree cover, red, green, blue, nir, swir, coastal, "
        "lai, fapar, bio, bioclim, worldclim, chelsa",
    ),
    _vocabulary(
        RasterType.CONTINUOUS,
        "snow, ice, cropland, forest, water, fire, soil",
        strength=0.3,
    ),
)
SEVERAL_BANDS = (
    _vocabulary(RasterType.NIR, "naip, rgbn, rgbi, rgbnir, rgb nir, bgrn"),
    _vocabulary(RasterType.RGBA, "rgba"),
    _vocabulary(
        RasterType.RGB,
        "rgb, visual, tci, truecolor, true color, true colour, ortho, orthophoto, orthomosaic, "
        "aerial, photo, basemap",
    ),
    _vocabulary(
        RasterType.MULTISPECTRAL, "multispectral, ms, msi, hyperspectral, cir, analytic, bands"
    ),
    _vocabulary(Subtype.SAR, "vv, vh, hh, hv, sigma0, gamma0, sar"),
    _vocabulary(Subtype.VECTOR_FIELD, "wind, u10, v10, uv, current, currents, velocity"),
    _vocabulary(Subtype.TEMPERATURE, "temperature, tmin, tmax, tmean, tavg, bioclim"),
    _vocabulary(Subtype.PRECIPITATION, "precipitation, precip, prec, rainfall"),
    _vocabulary(Subtype.PROBABILITY, "probability, probabilities, prob, probs"),
    _vocabulary(Subtype.LAND_COVER, "landcover, land cover, lulc, landuse, classification"),
)

# Units in small letters, each with the log-odds for its type.
UNITS: dict[str, tuple[RasterType | Subtype, float]] = {
    **dict.fromkeys(
        ("m", "metre", "meter", "metres", "meters", "ft", "feet", "us survey foot"),
        (RasterType.DEM, 1.2),
    ),
    **dict.fromkeys(
        ("k", "kelvin", "c", "degc", "celsius", "degrees celsius", "deg c", "°c"),
        (Subtype.TEMPERATURE, 3.5),
    ),
    **dict.fromkeys(("mm", "mm/day", "mm/hr", "mm/h", "kg m-2 s-1"), (Subtype.PRECIPITATION, 3.0)),
    **dict.fromkeys(("db", "decibel"), (Subtype.SAR, 3.0)),
    **dict.fromkeys(
        ("m/s", "m s-1", "knots", "%", "percent", "degrees", "degree", "radians"),
        (RasterType.CONTINUOUS, 2.5),
    ),
    **dict.fromkeys(("class", "classes", "category"), (RasterType.CATEGORICAL, 3.0)),
}

# Names of single bands. Numbers are those of Sentinel-2, whose bands are told from others' by the
# leading zero (b04).
VISIBLE = {
    "red": "red", "green": "green", "blue": "blue", "r": "red", "g": "green",
    "b02": "blue", "b03": "green", "b04": "red",
}  # fmt: skip
INFRARED = frozenset({"nir", "nir08", "b08", "nearinfrared", "near infrared", "infrared"})
SPECTRAL = frozenset(
    {"coastal", "rededge", "red edge", "rededge1", "rededge2", "rededge3", "swir", "swir1",
     "swir16", "swir2", "swir22", "pan", "cirrus", "tir", "thermal", "yellow"}
) | INFRARED | frozenset(VISIBLE)  # fmt: skip
