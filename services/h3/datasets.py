"""The datasets of statistics as JSON objects.

Everyone may see what is known of them, but for the values of restricted ones.
"""

from __future__ import annotations

from core.job_definition import JsonObject
from infrastructure import h3_repository, h3_snapshot
from infrastructure.h3_repository import Dataset, Layer
from services.access import Caller, may_see_restricted
from services.features.links import with_query
from services.h3.reading import find
from services.orchestration.paging import cursor_after, name_key

DEFAULT_LIMIT = 100
MAX_LIMIT = 1_000


def listing(
    base: str, caller: Caller, *, theme: str | None, cursor: str | None, limit: int
) -> JsonObject:
    """A page of the datasets, by name. `base` is the app's address."""
    after = None if cursor is None else name_key(cursor)
    with h3_snapshot.snapshot() as moment:
        found = h3_repository.datasets(moment.connection, theme=theme, after=after, limit=limit + 1)
    kept = found[:limit]
    return {
        "datasets": [_document(each, base, caller) for each in kept],
        "next": cursor_after(kept[-1].dataset_id) if len(found) > limit else None,
    }


def document(dataset_id: str, base: str, caller: Caller) -> JsonObject:
    """One dataset. Raises `NotFound` (dataset_not_found)."""
    with h3_snapshot.snapshot() as moment:
        return _document(find(moment.connection, dataset_id), base, caller)


def _document(dataset: Dataset, base: str, caller: Caller) -> JsonObject:
    name = dataset.dataset_id
    with_values = not dataset.is_restricted or may_see_restricted(caller)
    return {
        "dataset": name,
        "theme": dataset.theme,
        "title": dataset.title,
        "unit": dataset.unit,
        "is_restricted": dataset.is_restricted,
        "source": dict(dataset.source),
        "layers": [_layer(each, with_values=with_values) for each in dataset.layers],
        "created_at": dataset.created_at,
        "updated_at": dataset.updated_at,
        "links": {
            "self": f"{base}/api/h3/datasets/{name}",
            "stats": with_query(f"{base}/api/h3/stats", {"dataset": name}),
            "map": with_query(f"{base}/api/interface/map", {"dataset": name}),
        },
    }


def _layer(layer: Layer, *, with_values: bool) -> JsonObject:
    """A layer; without values its statistics have names alone."""
    return {
        "resolution": layer.resolution,
        "band": layer.band,
        "weighting": layer.weighting,
        "cells": layer.cells,
        "bbox": list(layer.bounds),
        "statistics": {
            name: {"min": low, "max": high} if with_values else {"min": None, "max": None}
            for name, (low, high) in layer.statistics.items()
        },
        "job_id": layer.job_id,
        "updated_at": layer.updated_at,
    }
