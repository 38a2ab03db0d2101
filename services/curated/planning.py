"""What becomes of a dataset's files: their layers, all as rows of the dataset's one table.

The layers are found as process_vector finds them. The handler says which are wanted and what
fills the columns; each is staged in a table of its own, and all have the same shape, so that
finalize can put them together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import ValidationError

from core.counting import counted
from core.errors import PermanentTaskError
from core.job_definition import JsonObject, TaskContext
from core.models.curated import CuratedDataset
from core.models.feature_table import FeatureTable, GeometryColumn
from services.curated.handler import About, Field, Handler, LayerUse
from services.curated.mapping import Mapped, mapped
from services.publishing import staging
from services.vector import inspecting, source_files, survey
from services.vector.model import Note, SourceLayer
from services.vector.parameters import ProcessVector
from services.vector.plan import ColumnPlan, Dimension, LayerPlan, TablePlan
from services.vector.planning import (
    DIMENSION_NAMES,
    MULTI,
    Plan,
    attribute_columns,
    cleaning_options,
    key_columns,
    point_type,
    records_by_dimension,
)
from services.vector.source_files import SourceRef
from services.vector.survey import Found

Accepted = tuple[Dimension | None, ...]

_SRID = 4326
_EVERYTHING: Accepted = (*get_args(Dimension), None)
_DIMENSION_OF: dict[str, Dimension] = {
    "Point": 0,
    "MultiPoint": 0,
    "MultiLineString": 1,
    "MultiPolygon": 2,
}
_NAMED = 20
# The files of datasets lie where no job of process_vector may read, and so are named afterwards.
_SOME_FILE = {"container_name": "any", "blob_name": "any"}


@dataclass(frozen=True, slots=True)
class WantedLayer:
    """A layer that is loaded, and what its handler says of it."""

    layer: SourceLayer
    use: LayerUse


def plan_source(
    context: TaskContext[Any],
    dataset: CuratedDataset,
    handler: Handler,
    ref: SourceRef,
    *,
    source_version: str,
) -> Plan:
    """Look into the fetched files and plan their layers; begin the report, make the staging
    tables, keep the plan for the later stages.

    Raises `PermanentTaskError`: unreadable_file, partly_unreadable, no_layer_wanted,
    several_layers, key_missing and others that say what does not fit.
    """
    parameters = reading(dataset, handler, ref)
    found = look_into(context, ref, parameters)
    plan = plan_found(
        dataset,
        handler,
        ref,
        found,
        parameters=parameters,
        source_version=source_version,
        staged_name=lambda layer: staging.staged_name(context.job_id, layer),
    )
    inspecting.begin(context, plan, source_facts(dataset, ref, source_version))
    return plan


def look_into(context: TaskContext[Any], ref: SourceRef, parameters: ProcessVector) -> Found:
    """What is in the fetched files. Raises as `survey.look`."""
    with (
        source_files.local_copy(ref, check=context.check, progress=context.progress) as source,
        survey.child_of(context.job_id, source, context.check) as child,
    ):
        return survey.look(child, source, parameters, context.check)


def reading(dataset: CuratedDataset, handler: Handler, ref: SourceRef) -> ProcessVector:
    """How the files are read and cleaned, in the terms of process_vector.

    Raises `PermanentTaskError` (invalid_source_config) naming the entry that is wrong.
    """
    said = handler.reading(dataset)
    try:
        parameters = ProcessVector.model_validate({**_SOME_FILE, "drop_z": True, **said})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        names = set(said) & set(dataset.source_config)
        if names and (not first["loc"] or first["loc"][0] in names):
            field = ".".join(["source_config", *map(str, first["loc"])])
            raise PermanentTaskError(
                f"{field}: {first['msg']}", code="invalid_source_config", field=field
            ) from None
        raise
    return parameters.model_copy(update={"container_name": ref.container, "blob_name": ref.path})


def plan_found(
    dataset: CuratedDataset,
    handler: Handler,
    ref: SourceRef,
    found: Found,
    *,
    parameters: ProcessVector,
    source_version: str,
    staged_name: Callable[[int], str],
) -> Plan:
    """What becomes of what was found. Pure: nothing is read or written.

    `staged_name` names the staged table of a layer.
    """
    require_all_read(dataset, found)
    about = handler.describe(dataset)
    wanted, left_out = wanted_layers(dataset, handler, found.layers)
    if (about.fields is None or about.one_layer) and len(wanted) > 1:
        layers_wanted = _named([each.layer for each in wanted])
        raise PermanentTaskError(
            f"The source of {dataset.dataset_id} has several layers, and its table takes one: "
            f"name it with source_config.layer. There are {layers_wanted}.",
            code="several_layers",
            field="source_config.layer",
        )
    maker = LayerMaker(dataset, about, parameters, geometry_column(about, wanted), source_version)
    layers = [maker.plan(each, index, staged_name(index)) for index, each in enumerate(wanted)]
    require_one_shape(handler, layers)
    return Plan(
        source=ref,
        read=survey.read_options(parameters),
        layers=layers,
        notes=[*found.notes, *left_out, *maker.notes],
    )


class LayerMaker:
    """Plans layers for the one table of a dataset, and collects what is to be noted of them."""

    def __init__(
        self,
        dataset: CuratedDataset,
        about: About,
        parameters: ProcessVector,
        geometry: GeometryColumn | None,
        source_version: str,
    ) -> None:
        self._dataset = dataset
        self._about = about
        self._parameters = parameters
        self._geometry = geometry
        self._source_version = source_version
        self._said: Counter[tuple[str, str]] = Counter()

    @property
    def notes(self) -> list[Note]:
        """What was said of the layers planned so far, each once with how often."""
        return [Note(code=code, message=text, count=n) for (code, text), n in self._said.items()]

    def plan(self, wanted: WantedLayer, index: int, staged: str) -> LayerPlan:
        """The plan of a layer whose rows go to this staged table.

        Raises `PermanentTaskError` (key_missing, unknown_column).
        """
        columns, layer, said = _columns(wanted, self._about, self._source_version)
        self._said.update(said)
        geometry = self._geometry
        shape = FeatureTable(columns=tuple(plan.column for plan in columns), geometry=geometry)
        return LayerPlan(
            index=index,
            layer=layer,
            columns=columns,
            cleaning=cleaning_options(
                self._parameters,
                layer,
                drop_z=True,
                promote_points=geometry is not None and geometry.type != "Point",
                dimensions=_accepted(wanted.use, geometry),
            ),
            key_columns=key_columns(self._about.key_columns, columns, layer),
            tables=[
                TablePlan(dimension=None, target=self._dataset.target, staged=staged, shape=shape)
            ],
        )


def require_one_shape(handler: Handler, layers: Sequence[LayerPlan]) -> None:
    """Raise ValueError where the handler gives the layers other columns."""
    if len({_types(layer) for layer in layers}) > 1:
        raise ValueError(f"{handler.name}: the layers are to have the same columns")


def geometry_column(about: About, wanted: Sequence[WantedLayer]) -> GeometryColumn | None:
    """The geometry of the table: as the handler describes it, else what all layers fit into.

    Without a word of the handler's, what is of one dimension becomes multi-geometries of it
    (points stay points where none is several of them), and what is of several has no one type.
    Raises `PermanentTaskError` (geometry_differs) for multipoints where points are described.
    """
    type_ = about.geometry
    if type_ is None:
        present = {
            dimension
            for each in wanted
            for dimension, count in records_by_dimension(each.layer).items()
            if count and dimension in (each.use.dimensions or _EVERYTHING)
        }
        if not present:
            return None
        type_ = "Geometry"
        if len(present) == 1:
            (dimension,) = present
            type_ = MULTI[dimension] if dimension else point_type(each.layer for each in wanted)
    elif type_ == "Point" and point_type(each.layer for each in wanted) != "Point":
        raise PermanentTaskError(
            "The table takes single points, and the source has multipoints.",
            code="geometry_differs",
        )
    return GeometryColumn(type=type_, srid=_SRID)


def _accepted(use: LayerUse, geometry: GeometryColumn | None) -> Accepted | None:
    """The dimensions that the layer may bring: those that belong in it and that the table takes."""
    if geometry is None:
        return None
    by_handler = _EVERYTHING if use.dimensions is None else use.dimensions
    if geometry.type == "Geometry":
        return by_handler
    by_table = (_DIMENSION_OF[geometry.type], None)
    return tuple(each for each in by_handler if each in by_table)


def require_all_read(dataset: CuratedDataset, found: Found) -> None:
    """A part of a dataset must not be taken for the whole. Where one layer is named, what else
    lies beside it does not matter.

    Raises `PermanentTaskError` (partly_unreadable) telling what cannot be read.
    """
    if found.refusals and "layer" not in dataset.source_config:
        told = ". ".join(reason.rstrip(".") for reason in found.refusals[:_NAMED])
        raise PermanentTaskError(
            f"A part of what was fetched cannot be read: {told}.", code="partly_unreadable"
        )


def wanted_layers(
    dataset: CuratedDataset, handler: Handler, layers: Sequence[SourceLayer]
) -> tuple[list[WantedLayer], list[Note]]:
    """The layers that the handler takes, and notes on those that it does not.

    Raises `PermanentTaskError` (no_layer_wanted) naming what there is.
    """
    wanted: list[WantedLayer] = []
    notes: list[Note] = []
    for layer in layers:
        use = handler.transform(dataset, layer)
        if use is not None:
            wanted.append(WantedLayer(layer, use))
        else:
            message = f"{layer.name} is left out: it is not what the dataset is made of."
            notes.append(Note(code="layer_left_out", message=message))
    if not wanted:
        raise PermanentTaskError(
            f"Nothing of what was fetched is what {dataset.dataset_id} is made of. There are "
            f"{_named(layers)}.",
            code="no_layer_wanted",
        )
    return wanted, notes


def _columns(
    wanted: WantedLayer, about: About, source_version: str
) -> tuple[list[ColumnPlan], SourceLayer, list[tuple[str, str]]]:
    """The layer's columns, the layer as it is to be read for them, and what to note of it: codes
    and sentences, which may be the same for several layers."""
    if wanted.use.fields is None:
        return attribute_columns(wanted.layer), wanted.layer, []
    found = mapped(wanted.layer, wanted.use.fields, source_version=source_version)
    for field in found.missing:
        if field.name in about.key_columns:
            raise PermanentTaskError(
                f"Layer {wanted.layer.name!r} has no attribute {_either(field)}, which is the key "
                f"of its records. It has {_some(column.name for column in wanted.layer.columns)}.",
                code="key_missing",
            )
    return found.columns, found.layer, list(_notes(found))


def _notes(found: Mapped) -> Iterator[tuple[str, str]]:
    name = found.layer.name
    if found.missing:
        missing = _some(field.name for field in found.missing)
        yield "columns_missing", f"{name}: no attribute fills {missing}; rows have null there."
    if found.unmapped:
        yield "attributes_new", f"{name}: no column takes {_some(found.unmapped)}."


def _types(layer: LayerPlan) -> tuple[tuple[str, str], ...]:
    return tuple((plan.column.name, plan.column.type.value) for plan in layer.columns)


def _named(layers: Sequence[SourceLayer]) -> str:
    """The layers with what is in them: 'parks' (300 polygons) and so on."""
    return _some(f"{layer.name!r} ({_content(layer)})" for layer in layers)


def _content(layer: SourceLayer) -> str:
    parts = [
        f"{count:,} {DIMENSION_NAMES[dimension]}"
        for dimension, count in records_by_dimension(layer).items()
        if count
    ]
    if parts:
        return ", ".join(parts)
    return f"{counted(layer.features or 0, 'record')} without a geometry"


def _either(field: Field) -> str:
    return " or ".join(map(repr, field.sources))


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = len(listed) - _NAMED
    return ", ".join(listed[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def source_facts(dataset: CuratedDataset, ref: SourceRef, source_version: str) -> JsonObject:
    """What the quality report says of where the records are from."""
    return {
        "dataset": dataset.dataset_id,
        "version": source_version,
        "container": ref.container,
        "files": ref.names,
        "bytes": ref.size,
    }
