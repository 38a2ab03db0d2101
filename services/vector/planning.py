"""Deciding what becomes of each layer.

Planning is pure: it takes what was found in the file, what the user asked for and what is
published already, and says what will be done. A dry run shows it; a job keeps it in its
workspace, where every later task reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

from core.errors import PermanentTaskError
from core.models.feature_table import (
    Column,
    ColumnType,
    FeatureTable,
    GeometryColumn,
    TableName,
)
from services.vector import names
from services.vector.model import (
    CleaningOptions,
    Kind,
    Note,
    ReadOptions,
    SourceColumn,
    SourceLayer,
)
from services.vector.parameters import ProcessVector
from services.vector.plan import ColumnPlan, Dimension, LayerPlan, TablePlan
from services.vector.source_files import SourceRef

DIMENSION_NAMES: Mapping[int, str] = {0: "points", 1: "lines", 2: "polygons"}

_OVERRIDES = {
    "boolean": ColumnType.BOOLEAN,
    "integer": ColumnType.INTEGER,
    "real": ColumnType.REAL,
    "text": ColumnType.TEXT,
    "date": ColumnType.DATE,
    "time": ColumnType.TIME,
    "timestamp": ColumnType.TIMESTAMP,
    "json": ColumnType.JSON,
}
_NAMED_COLUMNS = 50
# The formats that say in which direction rings go.
_ORIENTED = (Kind.GEOJSON, Kind.GEOJSON_SEQ, Kind.KML)
_SINGLE: Mapping[int, Literal["Point", "LineString", "Polygon"]] = {
    0: "Point",
    1: "LineString",
    2: "Polygon",
}
MULTI: Mapping[int, Literal["MultiPoint", "MultiLineString", "MultiPolygon"]] = {
    0: "MultiPoint",
    1: "MultiLineString",
    2: "MultiPolygon",
}
_DIMENSION_OF: Mapping[str, int] = {
    **{name: dimension for dimension, name in _SINGLE.items()},
    **{name: dimension for dimension, name in MULTI.items()},
    "LinearRing": 1,
    "CircularString": 1,
    "CompoundCurve": 1,
    "MultiCurve": 1,
    "CurvePolygon": 2,
    "MultiSurface": 2,
    "Triangle": 2,
    "TIN": 2,
    "PolyhedralSurface": 2,
}


class Plan(BaseModel):
    """All layers of a source, and what was left out of it.

    One layer may come in parts, each a file of its own. The plan then describes the layer as a
    whole, and beside it every part has a plan with the reading of its file and with its chunks,
    whose numbers in the layer begin at `first_chunk`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: SourceRef
    read: ReadOptions
    layers: list[LayerPlan]
    notes: list[Note]
    first_chunk: int = 0


# The name of a staged table by layer and dimension; the table published under a name.
StagedName = Callable[[int, int | None], str]
Published = Callable[[TableName], FeatureTable | None]


def plan_layers(
    parameters: ProcessVector,
    layers: list[SourceLayer],
    *,
    base_name: str,
    staged_name: StagedName,
    published: Published,
) -> list[LayerPlan]:
    """What becomes of each layer.

    `base_name` is the table's name where the parameters give none. `published` looks up the
    tables that there are: of a layer's dimensions, the one under its plain name keeps it.
    Raises `PermanentTaskError` naming the parameter that does not fit.
    """
    _check_column_types(parameters, layers)
    table_names = _table_names(parameters, layers, base_name)
    return [
        _plan_layer(parameters, index, layer, name, staged_name, published)
        for index, (layer, name) in enumerate(zip(layers, table_names, strict=True))
    ]


def _table_names(parameters: ProcessVector, layers: list[SourceLayer], base_name: str) -> list[str]:
    base = parameters.table_name or names.table_name(base_name)
    if len(layers) == 1:
        return [base]
    taken: set[str] = set()
    result = []
    for layer in layers:
        plain = name = names.table_name(f"{base}_{layer.name}")
        number = 2
        while not taken.isdisjoint(_family(name)):
            name = names.table_name(f"{plain}_{number}")
            number += 1
        taken.update(_family(name))
        result.append(name)
    return result


def _family(name: str) -> list[str]:
    """A layer's table with those beside it for other dimensions."""
    return [name, *(f"{name}_{dimension}" for dimension in DIMENSION_NAMES.values())]


def _plan_layer(
    parameters: ProcessVector,
    index: int,
    layer: SourceLayer,
    name: str,
    staged_name: StagedName,
    published: Published,
) -> LayerPlan:
    layer = _with_types(layer, parameters)
    columns = attribute_columns(layer)
    drop_z = _drops_z(layer, parameters)
    return LayerPlan(
        index=index,
        layer=layer,
        columns=columns,
        cleaning=cleaning_options(
            parameters, layer, drop_z=drop_z, promote_points=point_type([layer]) == "MultiPoint"
        ),
        key_columns=key_columns(parameters.key_columns, columns, layer),
        tables=_tables(parameters, index, layer, name, columns, drop_z, staged_name, published),
    )


def cleaning_options(
    parameters: ProcessVector,
    layer: SourceLayer,
    *,
    drop_z: bool,
    promote_points: bool,
    dimensions: tuple[Dimension | None, ...] | None = None,
) -> CleaningOptions:
    """How the layer's geometries are cleaned; `dimensions` are those of a layer in one table."""
    return CleaningOptions(
        source_crs=layer.crs.value,
        target_crs=parameters.target_crs,
        repair=parameters.geometry_repair,
        promote_to_multi=parameters.promote_to_multi,
        promote_points=promote_points,
        drop_z=drop_z,
        add_z=not drop_z,
        swap_axes=parameters.swap_axes,
        elsewhere=layer.details.get("elsewhere", False),
        orient_rings=layer.kind in _ORIENTED,
        max_area_change=parameters.max_area_change,
        dimensions=dimensions,
    )


def _check_column_types(parameters: ProcessVector, layers: list[SourceLayer]) -> None:
    """Refuse a type for a column that no layer has: its user would believe it was applied."""
    there = list(dict.fromkeys(column.name for layer in layers for column in layer.columns))
    known = set(there)
    for layer in layers:
        known.update(names.column_names([column.name for column in layer.columns]).values())
    missing = [name for name in parameters.column_types if name not in known]
    if missing:
        raise PermanentTaskError(
            f"column_types: there is no column {missing[0]!r}. The source has "
            + (", ".join(map(repr, there[:_NAMED_COLUMNS])) or "none")
            + (", ..." if len(there) > _NAMED_COLUMNS else "")
            + ".",
            code="unknown_column",
            field="column_types",
        )


def _with_types(layer: SourceLayer, parameters: ProcessVector) -> SourceLayer:
    """The layer with the types that the user named in place of the inferred ones."""
    wanted = {**parameters.column_types}
    changed = []
    by_table_name = names.column_names([column.name for column in layer.columns])
    for column in layer.columns:
        override = wanted.get(column.name) or wanted.get(by_table_name[column.name])
        if override is not None:
            type_ = _OVERRIDES[override]
            if type_ is ColumnType.TIMESTAMP and column.type is ColumnType.TIMESTAMPTZ:
                type_ = column.type
            column = as_type(column, type_, f"column_types says {override}")
        changed.append(column)
    return layer.model_copy(update={"columns": changed})


def as_type(column: SourceColumn, type_: ColumnType, why: str) -> SourceColumn:
    """The attribute, to be read as a type that somebody named, whatever was inferred."""
    return column.model_copy(
        update={
            "type": type_,
            "inferred": column.inferred or column.type,
            "confidence": 1.0,
            "evidence": [*column.evidence, why],
        }
    )


def attribute_columns(layer: SourceLayer) -> list[ColumnPlan]:
    """The attributes in the source's order, each followed by its plain text where it is HTML."""
    wanted: list[tuple[str, ColumnType, bool]] = []
    for column in layer.columns:
        wanted.append((column.name, column.type, False))
        if column.html and column.type is ColumnType.TEXT:
            wanted.append((column.name, ColumnType.TEXT, True))
    keys = [f"{source}_text" if plain else source for source, _, plain in wanted]
    # A source may itself have a column of that name: the attribute's own name comes first.
    ordered = sorted(range(len(wanted)), key=lambda i: wanted[i][2])
    unique = names.column_names(_distinct([keys[i] for i in ordered]))
    by_position = dict(zip(ordered, unique.values(), strict=True))
    return [
        ColumnPlan(
            source=source,
            plain_text=plain,
            column=Column(
                name=by_position[i],
                type=type_,
                comment=f"Plain text of {source}" if plain else source,
            ),
        )
        for i, (source, type_, plain) in enumerate(wanted)
    ]


def _distinct(keys: list[str]) -> list[str]:
    seen: set[str] = set()
    result = []
    for key in keys:
        name, number = key, 2
        while name in seen:
            name, number = f"{key}_{number}", number + 1
        seen.add(name)
        result.append(name)
    return result


def key_columns(wanted: Sequence[str], columns: list[ColumnPlan], layer: SourceLayer) -> list[str]:
    """The key columns by their names in the table; the user may name them as in the source.

    Raises `PermanentTaskError` (unknown_column) with the names that there are.
    """
    by_name = {plan.source: plan.column.name for plan in columns if not plan.plain_text}
    by_name |= {plan.column.name: plan.column.name for plan in columns}
    missing = [name for name in wanted if name not in by_name]
    if missing:
        raise PermanentTaskError(
            f"key_columns: layer {layer.name!r} has no column {missing[0]!r}. It has "
            + (", ".join(repr(plan.source) for plan in columns if plan.source) or "none")
            + ".",
            code="unknown_column",
            field="key_columns",
        )
    return [by_name[name] for name in wanted]


def _drops_z(layer: SourceLayer, parameters: ProcessVector) -> bool:
    if not layer.has_z:
        return True
    if parameters.drop_z != "auto":
        return parameters.drop_z
    return not layer.details.get("heights", {}).get("worth_keeping", True)


def _tables(
    parameters: ProcessVector,
    index: int,
    layer: SourceLayer,
    name: str,
    columns: list[ColumnPlan],
    drop_z: bool,
    staged_name: StagedName,
    published: Published,
) -> list[TablePlan]:
    attributes = tuple(plan.column for plan in columns)

    def table(dimension: Dimension | None, table_name: str) -> TablePlan:
        geometry = (
            None
            if dimension is None
            else _geometry_column(parameters, layer, dimension, has_z=not drop_z)
        )
        return TablePlan(
            dimension=dimension,
            target=TableName(schema_name=parameters.schema_name, table_name=table_name),
            staged=staged_name(index, dimension),
            shape=FeatureTable(columns=attributes, geometry=geometry),
        )

    if not layer.spatial:
        return [table(None, name)]
    existing = published(TableName(schema_name=parameters.schema_name, table_name=name))
    main = _main_dimension(layer, existing)
    siblings = [d for d in get_args(Dimension) if d != main]
    return [
        table(main, name),
        *(table(d, f"{name}_{DIMENSION_NAMES[d]}") for d in siblings),
    ]


def _main_dimension(layer: SourceLayer, existing: FeatureTable | None) -> Dimension:
    """Which dimension has the plain name: the published table's, so that a new release with
    other shares does not swap the tables' contents; else the most frequent, then the higher."""
    if existing is not None and existing.geometry is not None:
        kept = _DIMENSION_OF.get(existing.geometry.type)
        if kept is not None:
            return _as_dimension(kept)
    counts = records_by_dimension(layer)
    return max(counts, key=lambda dimension: (counts[dimension], dimension))


def records_by_dimension(layer: SourceLayer) -> dict[Dimension, int]:
    """How many of the records that were looked at are of points, of lines and of polygons."""
    counts: dict[Dimension, int] = {0: 0, 1: 0, 2: 0}
    for geometry_type, count in layer.geometry_types.items():
        dimension = _DIMENSION_OF.get(geometry_type)
        if dimension is not None:
            counts[_as_dimension(dimension)] += count
    return counts


def _as_dimension(value: int) -> Dimension:
    return 0 if value == 0 else 1 if value == 1 else 2


def _geometry_column(
    parameters: ProcessVector, layer: SourceLayer, dimension: Dimension, *, has_z: bool
) -> GeometryColumn:
    srid = int(parameters.target_crs.removeprefix("EPSG:"))
    if dimension == 0:
        return GeometryColumn(type=point_type([layer]), srid=srid, has_z=has_z)
    # A repair can make several parts out of one, so without promotion any type must fit.
    return GeometryColumn(
        type=MULTI[dimension] if parameters.promote_to_multi else "Geometry",
        srid=srid,
        has_z=has_z,
    )


def point_type(layers: Iterable[SourceLayer]) -> Literal["Point", "MultiPoint"]:
    """Points stay points where nothing in the layers can be several of them."""
    single = {"Point", "None", *(name for name, d in _DIMENSION_OF.items() if d > 0)}
    return (
        "Point" if all(layer.geometry_types.keys() <= single for layer in layers) else "MultiPoint"
    )
