"""Natural Earth's countries, states and provinces, coastlines and land.

The columns are those of release 5 that are of use to others than its cartographers; releases
since 2 fill most of them, and what a release does not have is null.
"""

from __future__ import annotations

from typing import ClassVar

from core.models.feature_table import ColumnType
from services.curated.handler import About
from services.curated.natural_earth.base import (
    COMMON,
    IGNORED,
    LICENCE,
    UNKNOWN,
    NaturalEarth,
    known,
)
from services.curated.natural_earth.styles import (
    COASTLINE,
    COUNTRIES_BY_CONTINENT,
    COUNTRY_BOUNDARIES,
    LAND,
    STATE_BOUNDARIES,
)
from services.vector.plan import Dimension

_INTEGER, _REAL = ColumnType.INTEGER, ColumnType.REAL
# Longitudes and latitudes may be -99.
_PLACE: dict[str, str | None] = {}
_YEAR = {**UNKNOWN, "0": None}

_COUNTRIES = (
    known("adm0_a3", "ADM0_A3", comment="Natural Earth's code of the country: one for each"),
    known(
        "iso_a3",
        "ISO_A3",
        otherwise=("ISO_A3_EH", "ADM0_A3"),
        comment="ISO 3166-1 alpha-3; of parts and disputed areas that of who holds them, or "
        "else adm0_a3",
    ),
    known(
        "iso_a2",
        "ISO_A2",
        otherwise=("ISO_A2_EH",),
        # Release 5 has it for Taiwan.
        unknown={**UNKNOWN, "CN-TW": None},
        comment="ISO 3166-1 alpha-2, or that of who holds it",
    ),
    known("iso_n3", "ISO_N3", otherwise=("ISO_N3_EH",), comment="ISO 3166-1 numeric, as text"),
    known("name", "NAME", comment="Name as on a map, abbreviated where that is long"),
    known("name_long", "NAME_LONG", comment="Name in full"),
    known("name_en", "NAME_EN", comment="Name in English, by Wikidata", optional=True),
    known("formal_en", "FORMAL_EN", comment="Formal name in English"),
    known("admin", "ADMIN", comment="Country by its administration"),
    known("sovereignt", "SOVEREIGNT", comment="State that it belongs to"),
    known("sov_a3", "SOV_A3", comment="Natural Earth's code of that state"),
    known("type", "TYPE", comment="Sovereign country, Country, Dependency, Disputed, ..."),
    known("abbrev", "ABBREV", comment="Abbreviated name"),
    known("postal", "POSTAL", comment="Postal code of the country"),
    known("continent", "CONTINENT", comment="Continent"),
    known("region_un", "REGION_UN", comment="Region of the United Nations"),
    known("subregion", "SUBREGION", comment="Subregion of the United Nations"),
    known("region_wb", "REGION_WB", comment="Region of the World Bank"),
    known("population", "POP_EST", kind=_INTEGER, comment="Estimated population"),
    known("pop_year", "POP_YEAR", kind=_INTEGER, comment="Year of that", unknown=_YEAR),
    known(
        "gdp_md",
        "GDP_MD",
        "GDP_MD_EST",
        kind=_REAL,
        comment="Gross domestic product, millions of US dollars",
    ),
    known("gdp_year", "GDP_YEAR", kind=_INTEGER, comment="Year of that", unknown=_YEAR),
    known("economy", "ECONOMY", comment="Stage of the economy"),
    known("income_grp", "INCOME_GRP", comment="Income group of the World Bank"),
    known("wikidataid", "WIKIDATAID", comment="Item of Wikidata", optional=True),
    known("ne_id", "NE_ID", kind=_INTEGER, comment="Natural Earth's number", optional=True),
    known("labelrank", "LABELRANK", kind=_INTEGER, comment="From 1, the first to be labelled, on"),
    known(
        "label_x",
        "LABEL_X",
        kind=_REAL,
        unknown=_PLACE,
        comment="Longitude of its label, degrees",
        optional=True,
    ),
    known(
        "label_y",
        "LABEL_Y",
        kind=_REAL,
        unknown=_PLACE,
        comment="Latitude of its label, degrees",
        optional=True,
    ),
    *COMMON,
)

_STATES = (
    known("adm1_code", "adm1_code", comment="Natural Earth's code: one for each"),
    known("iso_3166_2", "iso_3166_2", comment="ISO 3166-2; ends in ~ where ISO has none"),
    known("adm0_a3", "adm0_a3", comment="Natural Earth's code of the country"),
    known("iso_a2", "iso_a2", unknown={**UNKNOWN, "-1": None}, comment="ISO 3166-1 alpha-2"),
    known("admin", "admin", comment="Country"),
    known("name", "name", comment="Name"),
    known("name_en", "name_en", comment="Name in English, by Wikidata", optional=True),
    known("name_local", "name_local", comment="Name as the country writes it", optional=True),
    known("name_alt", "name_alt", comment="Other names, between |", optional=True),
    known("type", "type", comment="What the country calls it"),
    known("type_en", "type_en", comment="That in English"),
    known("region", "region", comment="Part of the country that it belongs to"),
    known("code_hasc", "code_hasc", comment="Hierarchical administrative subdivision code"),
    known("postal", "postal", comment="Postal abbreviation"),
    known("latitude", "latitude", kind=_REAL, unknown=_PLACE, comment="Of its label, degrees"),
    known("longitude", "longitude", kind=_REAL, unknown=_PLACE, comment="Of its label, degrees"),
    known("labelrank", "labelrank", kind=_INTEGER, comment="From 0, the first to be labelled, on"),
    known("wikidataid", "wikidataid", comment="Item of Wikidata", optional=True),
    known("ne_id", "ne_id", kind=_INTEGER, comment="Natural Earth's number", optional=True),
    *COMMON,
)


class NaturalEarthAdmin0(NaturalEarth):
    """Countries, their dependencies and disputed areas: one row for each."""

    name: ClassVar[str] = "natural_earth_admin0"
    title: ClassVar[str] = "Natural Earth: countries"
    theme: ClassVar[str] = "admin_0_countries"
    attributes: ClassVar[frozenset[str]] = frozenset({"adm0_a3", "sovereignt"})
    about: ClassVar[About] = About(
        fields=_COUNTRIES,
        key_columns=("adm0_a3",),
        geometry="MultiPolygon",
        one_layer=True,
        ignored=IGNORED,
        indexed=("iso_a3", "iso_a2"),
        styles=(COUNTRIES_BY_CONTINENT, COUNTRY_BOUNDARIES),
        licence=LICENCE,
    )


class NaturalEarthAdmin1(NaturalEarth):
    """States, provinces and other first-level divisions: one row for each."""

    name: ClassVar[str] = "natural_earth_admin1"
    title: ClassVar[str] = "Natural Earth: states and provinces"
    theme: ClassVar[str] = "admin_1_states_provinces"
    attributes: ClassVar[frozenset[str]] = frozenset({"adm1_code"})
    about: ClassVar[About] = About(
        fields=_STATES,
        key_columns=("adm1_code",),
        geometry="MultiPolygon",
        one_layer=True,
        ignored=IGNORED,
        indexed=("adm0_a3", "iso_3166_2"),
        styles=(STATE_BOUNDARIES,),
        licence=LICENCE,
    )


class NaturalEarthCoastlines(NaturalEarth):
    """Coastlines, which have nothing to tell one from the other but their shape."""

    name: ClassVar[str] = "natural_earth_coastlines"
    title: ClassVar[str] = "Natural Earth: coastlines"
    theme: ClassVar[str] = "coastline"
    attributes: ClassVar[frozenset[str]] = frozenset({"featurecla"})
    dimension: ClassVar[Dimension] = 1
    about: ClassVar[About] = About(
        fields=COMMON,
        geometry="MultiLineString",
        one_layer=True,
        ignored=IGNORED,
        styles=(COASTLINE,),
        licence=LICENCE,
    )


class NaturalEarthLand(NaturalEarth):
    """Land with the major islands, which has nothing but its shape either."""

    name: ClassVar[str] = "natural_earth_land"
    title: ClassVar[str] = "Natural Earth: land"
    theme: ClassVar[str] = "land"
    attributes: ClassVar[frozenset[str]] = frozenset({"featurecla"})
    about: ClassVar[About] = About(
        fields=COMMON,
        geometry="MultiPolygon",
        one_layer=True,
        ignored=IGNORED,
        styles=(LAND,),
        licence=LICENCE,
    )
