"""What becomes of a layer: its tables, their columns, and the way its geometries go.

The child reads this too, so it is plain data that imports little; `services.vector.planning`
decides it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from core.models.feature_table import Column, FeatureTable, TableName
from services.vector.model import CleaningOptions, SourceLayer

Dimension = Literal[0, 1, 2]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnPlan(_Model):
    """A column of the table and the attribute that fills it.

    Where that has no value, the attributes `otherwise` are asked, one after the other. With
    `plain_text` it holds the text of the attribute's HTML. `values` are texts that are put in
    place of others, None for null (see `services.vector.recoding`); `split` is the separator at
    which texts become text[]. A column without a source holds `constant` in every row.
    """

    source: str | None
    column: Column
    otherwise: list[str] = Field(default_factory=list)
    plain_text: bool = False
    values: dict[str, str | None] = Field(default_factory=dict)
    split: str | None = None
    constant: str | None = None


class TablePlan(_Model):
    """One table of a layer: what has this dimension. None: a layer without geometries, or with
    all of them in one table."""

    dimension: Dimension | None
    target: TableName
    staged: str
    shape: FeatureTable


class LayerPlan(_Model):
    """A layer on its way. The first of `tables` is the main one: it has the layer's plain name
    and takes the records without a geometry."""

    index: int
    layer: SourceLayer
    columns: list[ColumnPlan]
    cleaning: CleaningOptions
    key_columns: list[str]
    tables: list[TablePlan]
