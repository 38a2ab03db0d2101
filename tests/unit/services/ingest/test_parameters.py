"""The parameters of ingest_collection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from services.ingest.parameters import IngestCollection
from tests.support.settings import app_settings

GOOD = {"source_container": "bronze", "target_container": "silver"}


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    """The containers that are refused are named in the settings."""
    with app_settings(GEOFORGE_WORK_CONTAINER="unfinished"):
        yield


def test_defaults() -> None:
    assert IngestCollection(**GOOD).model_dump() == {
        **GOOD,
        "collection_json_path": "collection.json",
        "collection_id": None,
        "batch_size": 100,
        "overwrite": False,
        "skip_existing": True,
        "create_target_container": True,
        "strict": False,
        "h3_theme": None,
    }


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"source_container": "Bronze"}, "source_container"),
        ({"target_container": "a"}, "target_container"),
        ({"target_container": "a--b"}, "target_container"),
        ({"source_container": "unfinished"}, "source_container"),
        ({"target_container": "unfinished"}, "target_container"),
        ({"source_container": "azure-webjobs-secrets"}, "source_container"),
        ({"target_container": "azure-webjobs-hosts"}, "target_container"),
        ({"collection_json_path": "../collection.json"}, "collection_json_path"),
        ({"collection_json_path": "/collection.json"}, "collection_json_path"),
        ({"collection_json_path": ""}, "collection_json_path"),
        ({"collection_id": "a/b"}, "collection_id"),
        ({"collection_id": ""}, "collection_id"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 501}, "batch_size"),
        ({"batch_size": "many"}, "batch_size"),
        ({"h3_theme": "Land Cover"}, "h3_theme"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_what_is_refused_names_the_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        IngestCollection(**{**GOOD, **change})
    assert [error["loc"] for error in caught.value.errors()] == [(field,)]


def test_source_and_target_must_differ() -> None:
    with pytest.raises(ValidationError, match="must differ"):
        IngestCollection(source_container="same", target_container="same")


def test_every_field_is_described() -> None:
    for name, field in IngestCollection.model_fields.items():
        assert field.description, name
