"""A version that comes in parts: what is known of each when it is fetched, and one plan for all.

All parts are rows of one layer and one staged table. Each is read as its own file says, for the
types, the order of columns and the dialect may differ from part to part; it has a plan of its
own for that, which is all that a task needs to read one of its chunks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from core.errors import PermanentTaskError
from core.job_definition import JobContext
from core.models.curated import CuratedDataset
from services.curated import merging, planning
from services.curated.handler import Handler, LayerUse
from services.curated.planning import LayerMaker, WantedLayer
from services.vector import survey
from services.vector.model import Note, SourceLayer
from services.vector.parameters import ProcessVector
from services.vector.planning import Plan
from services.vector.source_files import SourceRef

# A part is a share of the work already: most are one chunk, and only large ones are cut.
_CHUNK_ROWS = 100_000


class Part(BaseModel):
    """A part that is fetched. `layers` and `notes` are what was found in a file of records."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ref: SourceRef
    kind: Literal["records", "deletions"]
    layers: list[SourceLayer] = []
    notes: list[Note] = []

    @property
    def records(self) -> int | None:
        """How many records there are; None for deletions, whose file nobody has looked into."""
        if self.kind == "deletions":
            return None
        return sum(merging.records(layer) for layer in self.layers)


def keep(context: JobContext[Any], number: int, part: Part) -> None:
    """Keep what is known of a part for the later stages."""
    context.workspace.write_bytes(_file(number), part.model_dump_json().encode())


def kept(context: JobContext[Any], number: int) -> Part:
    """What is known of a part. Raises `NotFound` where it was not fetched."""
    return Part.model_validate_json(context.workspace.read_bytes(_file(number)))


def _file(number: int) -> str:
    return f"parts/{number}.json"


def reading(dataset: CuratedDataset, handler: Handler, ref: SourceRef) -> ProcessVector:
    """As `planning.reading`, with chunks as parts want them."""
    parameters = planning.reading(dataset, handler, ref)
    return parameters.model_copy(update={"chunk_rows": _CHUNK_ROWS})


def plan_parts(
    dataset: CuratedDataset,
    handler: Handler,
    parts: Sequence[Part],
    *,
    source_version: str,
    staged: str,
) -> tuple[Plan, list[Plan]]:
    """The plan of all parts as one layer, which is called as the dataset is, and beside it one
    plan for each part with records. Pure: nothing is read or written.

    Without any record there is a layer of no chunks, with the columns that it always has. All
    rows go to the table `staged`. Raises `PermanentTaskError`: no_layer_wanted, several_layers,
    key_missing, geometry_differs.
    """
    about = handler.describe(dataset)
    if about.fields is None:
        raise ValueError(f"{handler.name}: the columns of what comes in parts are to be named")
    name = dataset.dataset_id
    sources = [part for part in parts if part.kind == "records"]
    wanted, left_out = _wanted(dataset, handler, sources)
    layer = (
        merging.together(name, [each.layer for each in wanted])
        if wanted
        else merging.nothing(name, about.fields)
    )
    use = handler.transform(dataset, layer) or LayerUse(fields=about.fields)
    whole = WantedLayer(layer, use)
    ref = _all_files([part.ref for part in parts])
    parameters = reading(dataset, handler, ref)
    geometry = planning.geometry_column(about, [whole])
    maker = LayerMaker(dataset, about, parameters, geometry, source_version)
    options = survey.read_options(parameters)
    plans: list[Plan] = []
    rows = chunks = 0
    for part, each in zip(sources, wanted, strict=True):
        own = each.layer.model_copy(
            update={"name": name, "chunks": merging.shifted(each.layer.chunks, rows)}
        )
        plan = maker.plan(WantedLayer(own, each.use), 0, staged)
        plans.append(
            Plan(source=part.ref, read=options, layers=[plan], notes=[], first_chunk=chunks)
        )
        rows += merging.records(each.layer)
        chunks += len(own.chunks)
    found = [note for part in sources for note in part.notes]
    notes = [*merging.merged_notes([*found, *left_out]), *maker.notes]
    planned = maker.plan(whole, 0, staged)
    planning.require_one_shape(handler, [planned, *(plan.layers[0] for plan in plans)])
    return Plan(source=ref, read=options, layers=[planned], notes=notes), plans


def _wanted(
    dataset: CuratedDataset, handler: Handler, parts: Sequence[Part]
) -> tuple[list[WantedLayer], list[Note]]:
    """The layer of each part, and notes on what is left out."""
    wanted: list[WantedLayer] = []
    notes: list[Note] = []
    for part in parts:
        found, left_out = planning.wanted_layers(dataset, handler, part.layers)
        if len(found) > 1:
            raise PermanentTaskError(
                f"{part.ref.path} has several layers that {dataset.dataset_id} could be made of, "
                "and a part is to have one.",
                code="several_layers",
            )
        wanted += found
        notes += left_out
    return wanted, notes


def _all_files(refs: Sequence[SourceRef]) -> SourceRef:
    """The files of all parts, as what the report names and counts."""
    return SourceRef(
        container=refs[0].container,
        path=refs[0].path,
        blobs=tuple(blob for ref in refs for blob in ref.blobs),
    )
