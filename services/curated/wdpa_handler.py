"""WDPA: protected areas and other conserved areas, polygons and points, by way of IBAT.

Releases until late 2025 have other column names than those since, and `NAME` is among both with
two meanings; docs/curated-wdpa-kba.md has the table. The renames are those of UNEP-WCMC's own
checking tool (github.com/Yichuans/wdpa-qa, update of December 2025).
"""

from __future__ import annotations

import re
from typing import ClassVar

from core.models.curated import CuratedDataset
from core.models.feature_table import ColumnType
from services.curated.handler import SOURCE_VERSION, About, Field, LayerUse
from services.curated.ibat_base import IbatHandler
from services.curated.protected_area_styles import WDPA_BY_CATEGORY, WDPA_BY_REALM
from services.vector.model import SourceLayer
from services.vector.plan import Dimension
from services.vector.planning import records_by_dimension

_LICENCE = (
    "Protected Planet terms and conditions: no redistribution, and no commercial use without the "
    "written permission of UNEP-WCMC (https://www.protectedplanet.net/c/terms-and-conditions)"
)
# WDPA and WD-OECM became one database, which is cited as such.
_MERGED_SINCE = 2026
_MERGED = "The World Database on Protected and Conserved Areas (WDPCA)"
_SEPARATE = (
    "The World Database on Protected Areas (WDPA) and World Database on Other Effective Area-based "
    "Conservation Measures (WD-OECM)"
)
_YEAR = re.compile(r"\b(?:19|20)\d{2}\b")

_INTEGER, _REAL, _TEXTS = ColumnType.INTEGER, ColumnType.REAL, ColumnType.TEXT_ARRAY


def _fields(*, name: str, name_eng: str) -> tuple[Field, ...]:
    """The columns of the table, where these two attributes hold the names.

    A site's areas are in square kilometres. Columns that only one of the two schemas has are
    optional.
    """
    return (
        Field("site_id", _INTEGER, ("SITE_ID", "WDPAID"), "Site; its parcels share it"),
        Field("site_pid", sources=("SITE_PID", "WDPA_PID"), comment="Parcel of a site"),
        Field("name", sources=(name,), comment="Name as the country writes it"),
        Field("name_eng", sources=(name_eng,), comment="Name in English or Latin letters"),
        Field("desig", sources=("DESIG",), comment="Designation as the country writes it"),
        Field("desig_eng", sources=("DESIG_ENG",), comment="Designation in English"),
        Field("desig_type", sources=("DESIG_TYPE",), comment="National, Regional, International"),
        Field("iucn_cat", sources=("IUCN_CAT",), comment="IUCN management category"),
        Field("int_crit", sources=("INT_CRIT",), comment="Criteria of World Heritage and Ramsar"),
        Field(
            "realm",
            sources=("REALM", "MARINE"),
            comment="Terrestrial, Coastal or Marine",
            values={"0": "Terrestrial", "1": "Coastal", "2": "Marine"},
        ),
        Field(
            "site_type",
            sources=("SITE_TYPE", "PA_DEF"),
            comment="PA: protected area; OECM: other effective area-based conservation measure",
            values={"1": "PA", "0": "OECM", "pa": "PA", "oecm": "OECM"},
        ),
        Field("rep_m_area", _REAL, ("REP_M_AREA",), "Marine area as reported, km2"),
        Field(
            "gis_m_area", _REAL, ("GIS_M_AREA",), "Marine area of the polygon, km2", optional=True
        ),
        Field("rep_area", _REAL, ("REP_AREA",), "Area as reported, km2"),
        Field("gis_area", _REAL, ("GIS_AREA",), "Area of the polygon, km2", optional=True),
        Field("no_take", sources=("NO_TAKE",), comment="All, Part or None of it is no-take"),
        Field("no_tk_area", _REAL, ("NO_TK_AREA",), "No-take area, km2"),
        Field("status", sources=("STATUS",), comment="Proposed, Designated, Established, ..."),
        Field(
            "status_yr",
            _INTEGER,
            ("STATUS_YR",),
            "Year of the status; null where it is not known",
            values={"0": None},
        ),
        Field("gov_type", sources=("GOV_TYPE",), comment="Who decides"),
        Field("govsubtype", sources=("GOVSUBTYPE",), comment="Who decides, closer", optional=True),
        Field("own_type", sources=("OWN_TYPE",), comment="Who owns it"),
        Field("ownsubtype", sources=("OWNSUBTYPE",), comment="Who owns it, closer", optional=True),
        Field("mang_auth", sources=("MANG_AUTH",), comment="Who manages it"),
        Field("mang_plan", sources=("MANG_PLAN",), comment="Management plan"),
        Field("verif", sources=("VERIF",), comment="Who has verified it"),
        Field("metadataid", _INTEGER, ("METADATAID",), "Record of WDPA's table of sources"),
        Field(
            "prnt_iso3",
            _TEXTS,
            ("PRNT_ISO3", "PARENT_ISO3", "PARENT_ISO"),
            "ISO 3166-1 codes of the states that it belongs to",
            split=";",
        ),
        Field(
            "iso3", _TEXTS, ("ISO3",), "ISO 3166-1 codes of where it lies, one or more", split=";"
        ),
        Field("sub_loc", sources=("SUB_LOC",), comment="ISO 3166-2 codes", optional=True),
        Field("supp_info", sources=("SUPP_INFO",), comment="More on an OECM", optional=True),
        Field("cons_obj", sources=("CONS_OBJ",), comment="Aim of an OECM", optional=True),
        Field("inlnd_wtrs", sources=("INLND_WTRS",), comment="Inland waters", optional=True),
        Field("oecm_asmt", sources=("OECM_ASMT",), comment="How it was assessed", optional=True),
        Field("source_version", constant=SOURCE_VERSION, comment="Release that it came in"),
    )


# Until late 2025 NAME was the name in Latin letters; it is the original one since.
FIELDS_UNTIL_2025 = _fields(name="ORIG_NAME", name_eng="NAME")
FIELDS_SINCE_2025 = _fields(name="NAME", name_eng="NAME_ENG")


class WdpaHandler(IbatHandler):
    """The World Database on Protected Areas, with its OECMs: one row for each parcel."""

    name: ClassVar[str] = "wdpa"
    title: ClassVar[str] = "World Database on Protected Areas (IBAT)"
    dataset_name: ClassVar[str] = "wdpa"

    def describe(self, dataset: CuratedDataset) -> About:  # noqa: ARG002  # it is always the same
        return About(
            fields=FIELDS_SINCE_2025,
            key_columns=("site_pid",),
            geometry="Geometry",
            ignored=("source_version",),
            indexed=("site_id", "iucn_cat", "iso3"),
            styles=(WDPA_BY_CATEGORY, WDPA_BY_REALM),
            licence=_LICENCE,
        )

    def attribution(self, source_version: str | None) -> str | None:
        return citation(source_version)

    def transform(
        self,
        dataset: CuratedDataset,  # noqa: ARG002  # the layer says all
        layer: SourceLayer,
    ) -> LayerUse | None:
        """Take the layers of polygons and of points; leave the table of sources and all else."""
        attributes = {column.name.upper() for column in layer.columns}
        if "SITE_ID" in attributes:
            fields = FIELDS_SINCE_2025
        elif "WDPAID" in attributes:
            fields = FIELDS_UNTIL_2025
        else:
            return None
        dimension = layer_dimension(layer)
        return None if dimension is None else LayerUse(fields=fields, dimensions=(dimension,))


def layer_dimension(layer: SourceLayer) -> Dimension | None:
    """2 for a layer of polygons, 0 for one of points, by what most of its records are; None for
    others, as for a table without geometries."""
    counts = records_by_dimension(layer)
    dimension = max(counts, key=lambda each: counts[each])
    return dimension if dimension != 1 and counts[dimension] else None


def citation(version: str | None) -> str:
    """Whom to credit, in the words that Protected Planet's terms ask for.

    `version` is the month and year of the release ("May 2023"); None where it is not known.
    """
    found = _YEAR.search(version) if version is not None else None
    dated = f" ({found.group()})" if found is not None else ""
    release = f"{version}, " if version is not None else ""
    merged = found is not None and int(found.group()) >= _MERGED_SINCE
    return (
        f"UNEP-WCMC and IUCN{dated}, Protected Planet: {_MERGED if merged else _SEPARATE} "
        f"[Online], {release}Cambridge, UK: UNEP-WCMC and IUCN. Available at: "
        "www.protectedplanet.net"
    )
