"""Natural Earth: boundaries in the public domain, which come as they are asked for by hand.

What its four handlers share. The archive is at the dataset's address, or in a container: for
good, by source_config, or for one update, by a file that the update names. The version is the
release that VERSION.txt names, for which the archive is not fetched: see
`services.curated.natural_earth.release`. The same release is the same version, also where the
server has another ETag for it; an update that is forced reads it again. A file that names no
release has the version that any vector file has.

-99 stands for a value that is not known, in texts and in numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from core.models.curated import CuratedDataset
from core.models.feature_table import ColumnType
from infrastructure.range_file import Ranges
from services.curated import definition_faults
from services.curated.handler import SOURCE_VERSION, About, Field, LayerUse
from services.curated.natural_earth import layer_names, release
from services.curated.vector_file import VectorFile
from services.vector.model import SourceLayer
from services.vector.plan import Dimension
from services.vector.planning import records_by_dimension
from services.vector.source_files import SourceRef

UNKNOWN: Mapping[str, str | None] = {"-99": None, "": None}
LICENCE = "Public domain (https://www.naturalearthdata.com/about/terms-of-use/)"
# Says nothing about whether a record has changed.
IGNORED = ("source_version",)

_ATTRIBUTION = "Made with Natural Earth (https://www.naturalearthdata.com)"
# What the handler knows of the file by itself.
_OWN = ("key_columns", "x_column", "y_column", "wkt_column")


def known(
    name: str,
    *sources: str,
    kind: ColumnType = ColumnType.TEXT,
    comment: str,
    otherwise: tuple[str, ...] = (),
    unknown: Mapping[str, str | None] = UNKNOWN,
    optional: bool = False,
) -> Field:
    """A column with null for what is not known: for the texts of `unknown`."""
    return Field(
        name,
        kind,
        sources,
        otherwise=otherwise,
        comment=comment,
        values=unknown,
        optional=optional,
    )


# In every table, behind the columns of its own.
COMMON = (
    Field("featurecla", sources=("featurecla",), comment="Class of the feature"),
    Field("scalerank", ColumnType.INTEGER, ("scalerank",), "From 0, the most important, on"),
    Field(
        "min_zoom",
        ColumnType.REAL,
        # Spelled so in the coastline of 1:110 million.
        ("min_zoom", "min_zooom"),
        "Zoom level from which on it is worth showing",
        optional=True,
    ),
    Field("source_version", constant=SOURCE_VERSION, comment="Release that it came in"),
)


class NaturalEarth(VectorFile):
    """Base of the handlers of Natural Earth's themes: they say what the data are."""

    theme: ClassVar[str]  # as in the names of its layers
    attributes: ClassVar[frozenset[str]]  # by which its layers are known, in small letters
    dimension: ClassVar[Dimension] = 2
    about: ClassVar[About]

    def check_definition(self, dataset: CuratedDataset) -> None:
        super().check_definition(dataset)
        errors = [
            definition_faults.fault(f"is not for {self.name}", "source_config", name)
            for name in _OWN
            if name in dataset.source_config
        ]
        if errors:
            raise definition_faults.refusal(errors, self.name)

    def release_in(self, content: Ranges) -> str | None:
        return release.in_archive(content, self.theme)

    def release_of(self, ref: SourceRef) -> str | None:
        return super().release_of(ref) or release.beside(ref)

    def describe(self, dataset: CuratedDataset) -> About:  # noqa: ARG002  # it is always the same
        return self.about

    def attribution(self, source_version: str | None) -> str | None:  # noqa: ARG002
        return _ATTRIBUTION

    def transform(
        self,
        dataset: CuratedDataset,  # noqa: ARG002  # the layer says all
        layer: SourceLayer,
    ) -> LayerUse | None:
        """Take the layer of the theme. One that is not called as Natural Earth calls its layers
        is taken by its attributes and its geometries."""
        if layer_names.is_of(layer.name, self.theme) is False:
            return None
        has = {column.name.lower() for column in layer.columns}
        if not self.attributes <= has or not records_by_dimension(layer)[self.dimension]:
            return None
        return LayerUse(fields=self.about.fields, dimensions=(self.dimension,))
