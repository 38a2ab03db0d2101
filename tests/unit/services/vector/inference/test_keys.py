"""Columns that could name a record."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from core.models.feature_table import ColumnType
from services.vector.batch import Batch
from services.vector.inference.keys import key_candidates
from services.vector.model import SourceColumn


def column(name: str, type_: ColumnType = ColumnType.INTEGER, **counts: int) -> SourceColumn:
    return SourceColumn(name=name, type=type_, exact=bool(counts), **counts)


def batch(**values: list[object]) -> Batch:
    count = len(next(iter(values.values())))
    columns = {name: pa.array(column) for name, column in values.items()}
    return Batch(np.arange(count), columns, np.full(count, None, dtype=object))


def test_counts_of_the_whole_layer_decide() -> None:
    columns = [
        column("plain", rows=9, nulls=0, distinct=9),
        column("site_id", rows=9, nulls=0, distinct=9),
        column("repeated", rows=9, nulls=0, distinct=8),
        column("with_nulls", rows=9, nulls=1, distinct=8),
        column("area", ColumnType.REAL, rows=9, nulls=0, distinct=9),
    ]
    found = key_candidates(columns, batch(repeated=[1, 2, 3]))
    assert [finding.value for finding in found] == ["site_id", "plain"]
    assert found[0].confidence > found[1].confidence
    assert "named like a key" in found[0].evidence


def test_a_sample_is_worth_less() -> None:
    columns = [column("a"), column("b"), column("c", ColumnType.TEXT), column("not_there")]
    sample = batch(a=[1, 2, 3], b=[1, 2, 2], c=["x", None, "z"])
    (found,) = key_candidates(columns, sample)
    assert found.value == "a"
    assert found.confidence < 0.8


def test_two_records_say_nothing() -> None:
    assert key_candidates([column("a", rows=2, nulls=0, distinct=2)], None) == []
    assert key_candidates([column("a")], batch(a=[1, 2])) == []
