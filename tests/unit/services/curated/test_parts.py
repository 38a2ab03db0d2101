"""One plan for a version in parts, and one for each of them. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from core.errors import PermanentTaskError
from core.models.curated import CuratedDataset
from core.models.feature_table import ColumnType
from services.curated import mapping, parts
from services.curated.handler import LayerUse
from services.curated.parts import Part
from services.vector.model import Chunk, Finding, Kind, Note, SourceColumn, SourceLayer
from services.vector.planning import Plan
from services.vector.source_files import SourceBlob, SourceRef
from tests.support import handler_runs
from tests.support.settings import app_settings
from tests.support.sightings import Sightings

NAMES = ("sighting", "seen_on", "species", "number", "changed", "latitude", "longitude")


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    with app_settings():
        yield


def dataset(**fields: Any) -> CuratedDataset:
    return handler_runs.dataset(target_table_name="curated_birds", **fields)


def layer(rows: int = 3, *names: str, **fields: Any) -> SourceLayer:
    columns = [
        SourceColumn(name=name, type=ColumnType.TEXT, rows=rows, nulls=0) for name in names or NAMES
    ]
    return SourceLayer(
        **{
            "name": "events",
            "kind": Kind.CSV,
            "driver": "delimited",
            "member": "events.csv",
            "features": rows,
            "columns": columns,
            "geometry_types": {"Point": rows} if rows else {},
            "crs": Finding(value="EPSG:4326", confidence=1, source="parameter"),
            "chunks": [Chunk(first_row=0, rows=rows)] if rows else [],
            **fields,
        }
    )


def ref(name: str) -> SourceRef:
    blob = SourceBlob(path=f"birds/{name}", etag=f"e-{name}", size=10, local=name)
    return SourceRef(container="curated", path=blob.path, blobs=(blob,))


def part(number: int, *layers: SourceLayer, notes: tuple[Note, ...] = ()) -> Part:
    return Part(ref=ref(f"{number}.csv"), kind="records", layers=list(layers), notes=list(notes))


DELETED = Part(ref=ref("deleted.csv"), kind="deletions")


def plan(
    *given: Part, handler: Sightings | None = None, about: CuratedDataset | None = None
) -> tuple[Plan, list[Plan]]:
    return parts.plan_parts(
        about or dataset(), handler or Sightings(), given, source_version="2", staged="staged_0"
    )


def test_every_part_has_a_plan_of_its_own_file_for_the_one_table() -> None:
    about = dataset()
    whole, plans = plan(part(0, layer(3)), part(1, layer(5)), DELETED, about=about)
    assert [each.source.names for each in plans] == [["birds/0.csv"], ["birds/1.csv"]]
    assert whole.source.names == ["birds/0.csv", "birds/1.csv", "birds/deleted.csv"]
    [shape] = {each.layers[0].tables[0].shape for each in [whole, *plans]}
    assert shape.geometry is not None
    assert {each.layers[0].tables[0].staged for each in [whole, *plans]} == {"staged_0"}
    assert {str(each.layers[0].tables[0].target) for each in plans} == {"geo.curated_birds"}
    assert {each.layers[0].layer.name for each in [whole, *plans]} == {about.dataset_id}


def test_rows_and_chunks_are_numbered_through_all_parts() -> None:
    two = [Chunk(first_row=0, rows=100_000), Chunk(first_row=100_000, rows=7)]
    whole, plans = plan(part(0, layer(100_007, chunks=two)), part(1, layer(0)), part(2, layer(5)))
    assert [each.first_chunk for each in plans] == [0, 2, 2]
    assert [len(each.layers[0].layer.chunks) for each in plans] == [2, 0, 1]
    assert plans[2].layers[0].layer.chunks[0].first_row == 100_007
    assert [chunk.first_row for chunk in whole.layers[0].layer.chunks] == [0, 100_000, 100_007]


def test_parts_may_have_their_columns_in_another_order_and_with_other_letters() -> None:
    swapped = [name.upper() for name in reversed(NAMES)]
    _, plans = plan(part(0, layer(3)), part(1, layer(3, *swapped)))
    sources = [[column.source for column in each.layers[0].columns] for each in plans]
    assert sources == [list(NAMES), [name.upper() for name in NAMES]]


def test_each_part_has_the_crs_and_the_types_of_its_own_file() -> None:
    french = Finding(value="EPSG:2154", confidence=1, source="file")
    _, plans = plan(part(0, layer()), part(1, layer(crs=french)))
    assert [each.layers[0].cleaning.source_crs for each in plans] == ["EPSG:4326", "EPSG:2154"]
    types = {column.name: column.type for each in plans for column in each.layers[0].layer.columns}
    assert types["number"] is ColumnType.INTEGER


@pytest.mark.parametrize("given", [(DELETED,), (part(0, layer(0)), DELETED), (part(0, layer(0)),)])
def test_no_record_at_all_is_a_layer_of_no_chunks(given: tuple[Part, ...]) -> None:
    about, handler = dataset(), Sightings()
    whole, _ = plan(*given, about=about)
    [found] = whole.layers
    assert found.layer.chunks == []
    assert [column.name for column in found.tables[0].shape.columns] == list(NAMES)
    full, _ = plan(part(0, layer(3)), about=about)
    assert found.tables == full.layers[0].tables
    assert found.key_columns == full.layers[0].key_columns
    before = mapping.source_columns(full, about, handler)
    assert mapping.source_columns(whole, about, handler).keys() == before.keys(), "it is no drift"


def test_what_is_noted_of_many_parts_is_said_once() -> None:
    note = Note(code="refused", message="a file is left out")
    short = NAMES[:-3]
    given = [part(n, layer(3, *short, "extra"), notes=(note,)) for n in range(4)]
    about = dataset()
    whole, plans = plan(*given, about=about)
    said = {each.code: each for each in whole.notes}
    assert {code: each.count for code, each in said.items()} == {
        "refused": 4, "columns_missing": 4, "attributes_new": 4,
    }  # fmt: skip
    assert said["columns_missing"].message.startswith(f"{about.dataset_id}: no attribute fills")
    assert all(each.notes == [] for each in plans)


def test_a_part_with_several_layers_is_refused() -> None:
    with pytest.raises(PermanentTaskError) as refused:
        plan(part(0, layer(), layer(name="more")))
    assert refused.value.error_code == "several_layers"
    assert "birds/0.csv" in refused.value.message


def test_a_part_may_hold_layers_that_are_not_wanted() -> None:
    class Choosy(Sightings):
        def transform(self, dataset: CuratedDataset, layer: SourceLayer) -> LayerUse | None:
            return None if layer.name == "metadata" else super().transform(dataset, layer)

    whole, _ = plan(part(0, layer(name="metadata"), layer()), handler=Choosy())
    assert whole.layers[0].layer.features == 3
    assert [note.code for note in whole.notes] == ["layer_left_out"]


def test_a_part_without_the_key_is_refused() -> None:
    with pytest.raises(PermanentTaskError) as refused:
        plan(part(0, layer()), part(1, layer(3, *NAMES[1:])))
    assert refused.value.error_code == "key_missing"


def test_a_handler_of_parts_names_its_columns() -> None:
    with pytest.raises(ValueError, match="are to be named"):
        plan(part(0, layer()), handler=Sightings(fields=None))


def test_only_large_parts_are_cut() -> None:
    reading = parts.reading(dataset(), Sightings(), ref("0.csv"))
    assert reading.chunk_rows == 100_000
    assert (reading.x_column, reading.source_crs) == ("longitude", "EPSG:4326")
