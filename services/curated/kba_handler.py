"""Key Biodiversity Areas, by way of IBAT: sites with a boundary, and those that are a point.

The letters' case of the attributes varies from release to release, and so does which of them
there are. `SitAreaKM2` is the area in square kilometres; the unit of the older `SitArea` is
stated nowhere in public, so it is kept as it is, in a column of its own.
"""

from __future__ import annotations

import re
from typing import ClassVar

from core.models.curated import CuratedDataset
from core.models.feature_table import ColumnType
from services.curated.handler import SOURCE_VERSION, About, Field, LayerUse
from services.curated.ibat_base import IbatHandler
from services.curated.protected_area_styles import KBA_BY_STATUS
from services.curated.wdpa_handler import layer_dimension
from services.vector.model import SourceLayer

_LICENCE = (
    "Terms of service of the World Database of KBAs: no redistribution, and no commercial use "
    "without the written permission of BirdLife International "
    "(https://www.keybiodiversityareas.org/termsofservice)"
)
_YEAR = re.compile(r"\b(?:19|20)\d{2}\b")

_INTEGER, _REAL = ColumnType.INTEGER, ColumnType.REAL

FIELDS = (
    Field("sit_rec_id", _INTEGER, ("SitRecID",), "Site"),
    Field("region", sources=("Region",), comment="Part of the world", optional=True),
    Field("country", sources=("Country",), comment="Country or territory"),
    Field("iso3", sources=("ISO3",), comment="ISO 3166-1 code of the country or territory"),
    Field("nat_name", sources=("NatName",), comment="Name as the country writes it"),
    Field("int_name", sources=("IntName",), comment="Name in English"),
    Field("area_km2", _REAL, ("SitAreaKM2",), "Area of the boundary, km2", optional=True),
    Field("sit_area", _REAL, ("SitArea",), "Area in the source's own unit", optional=True),
    Field("rep_area_km2", _REAL, ("RepAreaKM2",), "Reported area of a point, km2", optional=True),
    Field("lat", _REAL, ("SitLat",), "Latitude of its centre", optional=True),
    Field("long", _REAL, ("SitLong",), "Longitude of its centre", optional=True),
    Field("kba_status", sources=("KbaStatus",), comment="State of its assessment as a KBA"),
    Field(
        "kba_class", sources=("KbaClass",), comment="Global, Regional or undecided", optional=True
    ),
    Field("iba_status", sources=("IbaStatus",), comment="Important Bird and Biodiversity Area"),
    Field("aze_status", sources=("AzeStatus",), comment="Alliance for Zero Extinction site"),
    Field("legacy_kba", sources=("LegacyKba",), comment="By older criteria", optional=True),
    Field("added_date", sources=("AddedDate",), comment="When it was added", optional=True),
    Field("change_date", sources=("ChangeDate",), comment="When it was changed", optional=True),
    Field("last_update", sources=("LastUpdate",), comment="Year of last update", optional=True),
    Field("source", sources=("Source",), comment="Where its boundary comes from"),
    Field("del_txt", sources=("DelTxt",), comment="How it was digitised", optional=True),
    Field("del_geom", sources=("DelGeom",), comment="How it was digitised", optional=True),
    Field("source_version", constant=SOURCE_VERSION, comment="Release that it came in"),
)


class KbaHandler(IbatHandler):
    """The World Database of Key Biodiversity Areas: one row for each site."""

    name: ClassVar[str] = "kba"
    title: ClassVar[str] = "World Database of Key Biodiversity Areas (IBAT)"
    dataset_name: ClassVar[str] = "kba"

    def describe(self, dataset: CuratedDataset) -> About:  # noqa: ARG002  # it is always the same
        return About(
            fields=FIELDS,
            key_columns=("sit_rec_id",),
            geometry="Geometry",
            ignored=("source_version",),
            indexed=("iso3", "kba_status"),
            styles=(KBA_BY_STATUS,),
            licence=_LICENCE,
        )

    def attribution(self, source_version: str | None) -> str | None:
        return citation(source_version)

    def transform(
        self,
        dataset: CuratedDataset,  # noqa: ARG002  # the layer says all
        layer: SourceLayer,
    ) -> LayerUse | None:
        """Take the layers of sites, of polygons and of points."""
        if "SITRECID" not in {column.name.upper() for column in layer.columns}:
            return None
        dimension = layer_dimension(layer)
        return None if dimension is None else LayerUse(fields=FIELDS, dimensions=(dimension,))


def citation(version: str | None) -> str:
    """Whom to credit, in the words that the terms of the World Database of KBAs ask for.

    `version` is the month and year of the release ("September 2025"); None where not known.
    """
    year = _YEAR.search(version) if version is not None else None
    dated = f" ({year.group()})" if year is not None else ""
    release = f" {version}." if version is not None else ""
    return (
        f"BirdLife International{dated}. Digital boundaries of Key Biodiversity Areas from the "
        "World Database of Key Biodiversity Areas. Developed by the KBA Partnership: BirdLife "
        "International, International Union for the Conservation of Nature, American Bird "
        "Conservancy, Amphibian Survival Alliance, Conservation International, Critical Ecosystem "
        "Partnership Fund, Global Environment Facility, Re:Wild, NatureServe, Rainforest Trust, "
        "Royal Society for the Protection of Birds, Wildlife Conservation Society and World "
        f"Wildlife Fund.{release} Available at http://www.keybiodiversityareas.org/kba-data/request"
    )
