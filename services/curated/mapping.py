"""Which attributes of a layer fill which columns of a dataset's table. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from core.models.curated import CuratedDataset
from core.models.feature_table import Column, ColumnType
from services.curated.handler import SOURCE_VERSION, Field, Handler
from services.vector.model import SourceColumn, SourceLayer
from services.vector.plan import ColumnPlan
from services.vector.planning import Plan, as_type

# Before the name (in small letters) of an attribute that fills no column, among `source_columns`:
# no column's name begins with it.
UNMAPPED = "unmapped attribute "

_NUMBERS = (ColumnType.INTEGER, ColumnType.REAL)
_TEXTS = (ColumnType.TEXT, ColumnType.TEXT_ARRAY)


@dataclass(frozen=True, slots=True)
class Mapped:
    """A layer whose attributes are read as the fields want them, and the columns that they fill.

    `missing` are the fields without an attribute, but for those that are optional, `unmapped`
    the attributes that no field knows.
    """

    layer: SourceLayer
    columns: list[ColumnPlan]
    missing: list[Field]
    unmapped: list[str]


def mapped(layer: SourceLayer, fields: Sequence[Field], *, source_version: str) -> Mapped:
    """The layer's attributes as the columns of `fields`, in their order.

    Attributes are found by their names, whatever the case of the letters; one that is written
    just as the field has it comes first. A field without its own attribute is filled from the
    first of the others that it has; what has none at all is missing, and null in every row.
    """
    attributes = {column.name: column for column in layer.columns}
    found = {field.name: _asked(field, attributes) for field in fields}
    wanted: dict[str, ColumnType] = {}
    for field in fields:
        for source in found[field.name]:
            type_ = _read_as(field, attributes[source].type)
            # Read in two ways, it is read as the texts that both are made of.
            wanted[source] = type_ if wanted.get(source, type_) is type_ else ColumnType.TEXT
    known = _known(fields)
    return Mapped(
        layer=layer.model_copy(
            update={
                "columns": [
                    as_type(column, wanted[column.name], f"read as {wanted[column.name]}")
                    if wanted.get(column.name, column.type) is not column.type
                    else column
                    for column in layer.columns
                ]
            }
        ),
        columns=[_column(field, found[field.name], source_version) for field in fields],
        missing=[
            field
            for field in fields
            if field.sources and not found[field.name] and not field.optional
        ],
        unmapped=[name for name in attributes if name.casefold() not in known],
    )


def source_columns(plan: Plan, dataset: CuratedDataset, handler: Handler) -> dict[str, str]:
    """What the source had, to be compared from version to version: {name: type}.

    Of a dataset with fields these are the fields that an attribute fills, each with its column's
    type where the attribute's values can all be of it, else with the attribute's own; then,
    behind `UNMAPPED`, the attributes that no field knows. Optional fields are left out: they come
    and go, and so do attributes of a field that another one fills still. Of any other dataset
    they are the attributes, by their names in the source.
    """
    types: dict[str, dict[str, None]] = {}
    for layer_plan in plan.layers:
        layer = layer_plan.layer
        use = handler.transform(dataset, layer)
        fields = None if use is None else use.fields
        for name, type_ in _attribute_types(layer, fields):
            types.setdefault(name, {})[type_] = None
    return {name: " | ".join(sorted(found)) for name, found in types.items()}


def _attribute_types(
    layer: SourceLayer, fields: Iterable[Field] | None
) -> Iterator[tuple[str, str]]:
    attributes = {column.name: column for column in layer.columns}
    if fields is None:
        for column in layer.columns:
            yield column.name, _inferred(column).value
        return
    fields = list(fields)
    for field in fields:
        if not field.optional:
            for source in _asked(field, attributes):
                yield field.name, _type_for(field, attributes[source]).value
    known = _known(fields)
    for name, column in attributes.items():
        if name.casefold() not in known:
            yield UNMAPPED + name.casefold(), _inferred(column).value


def _known(fields: Iterable[Field]) -> set[str]:
    """The names of all attributes that the fields know, in small letters."""
    return {name.casefold() for field in fields for name in (*field.sources, *field.otherwise)}


def _asked(field: Field, attributes: dict[str, SourceColumn]) -> list[str]:
    """The names of the attributes that fill the field, in the order in which they are asked."""
    wanted = (field.sources, *((name,) for name in field.otherwise))
    found = (_attribute(names, attributes) for names in wanted)
    return list(dict.fromkeys(name for name in found if name is not None))


def _attribute(names: Sequence[str], attributes: dict[str, SourceColumn]) -> str | None:
    """The attribute that has the first of these names that there is."""
    for name in names:
        if name in attributes:
            return name
        for attribute in attributes:
            if attribute.casefold() == name.casefold():
                return attribute
    return None


def _column(field: Field, asked: Sequence[str], source_version: str) -> ColumnPlan:
    constant = field.constant and field.constant.replace(SOURCE_VERSION, source_version)
    return ColumnPlan(
        source=asked[0] if asked else None,
        column=Column(name=field.name, type=field.type, comment=field.comment),
        otherwise=list(asked[1:]),
        values=dict(field.values),
        split=field.split,
        constant=constant,
    )


def _read_as(field: Field, inferred: ColumnType) -> ColumnType:
    """The type that the reader makes of the attribute: what is to be replaced or taken apart is
    best seen as it is written."""
    if field.type in _TEXTS or (field.values and inferred not in _NUMBERS):
        return ColumnType.TEXT
    return field.type


def _type_for(field: Field, column: SourceColumn) -> ColumnType:
    inferred = _inferred(column)
    numbers = field.type in _NUMBERS and inferred in _NUMBERS
    is_empty = column.rows is not None and column.rows == column.nulls
    if field.type in _TEXTS or numbers or is_empty:
        return field.type
    return inferred


def _inferred(column: SourceColumn) -> ColumnType:
    return column.inferred or column.type
