"""Which columns could name a record: without nulls, and different in every record."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pyarrow.compute as pc

from core.counting import counted
from core.models.feature_table import ColumnType
from services.vector.batch import Batch
from services.vector.model import Finding, SourceColumn

# Fewer records than these say nothing: any column differs in two of them.
_FEWEST = 3
_KEY_TYPES = (ColumnType.INTEGER, ColumnType.TEXT)
_KEY_NAMES = re.compile(r"(^|_|[a-z])(id|fid|gid|pid|oid|key|code|uuid|guid|cnty)$", re.IGNORECASE)


def key_candidates(columns: Sequence[SourceColumn], sample: Batch | None) -> list[Finding]:
    """Column names as findings, the most likely first.

    Columns that were counted in the whole layer are judged by those counts, the others by a
    sample of its records, with less confidence. A name such as `site_id` speaks for a column.
    """
    found = [
        finding
        for column in columns
        if column.type in _KEY_TYPES
        and (finding := _by_counts(column) or _by_sample(column, sample)) is not None
    ]
    return sorted(found, key=lambda finding: -finding.confidence)


def _by_counts(column: SourceColumn) -> Finding | None:
    rows = column.rows
    if not column.exact or rows is None or rows < _FEWEST:
        return None
    if column.nulls or column.distinct != rows:
        return None
    return _finding(column, 0.8, f"all {counted(rows, 'value')} are there and differ")


def _by_sample(column: SourceColumn, sample: Batch | None) -> Finding | None:
    if column.exact or sample is None or len(sample) < _FEWEST:
        return None
    values = sample.columns.get(column.name)
    if values is None or values.null_count or pc.count_distinct(values).as_py() < len(values):
        return None
    return _finding(column, 0.5, f"the first {counted(len(values), 'value')} are there and differ")


def _finding(column: SourceColumn, confidence: float, why: str) -> Finding:
    evidence = [why]
    if _KEY_NAMES.search(column.name):
        confidence += 0.15
        evidence.append("named like a key")
    return Finding(value=column.name, confidence=confidence, source="content", evidence=evidence)
