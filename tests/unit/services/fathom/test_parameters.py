"""What the jobs of FATHOM's maps take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from services.fathom.parameters import (
    InventoryFathomContainer,
    ProcessFathomMerge,
    ProcessFathomStack,
)
from tests.support.settings import app_settings


@pytest.fixture(autouse=True)
def _settings() -> Iterator[None]:
    with app_settings():
        yield


def test_little_has_to_be_said() -> None:
    assert InventoryFathomContainer(container_name="bronze-fathom").prefix == ""
    assert ProcessFathomStack(container_name="bronze-fathom").collection_id == "fathom-stacks"
    assert ProcessFathomMerge().source_collection_id == "fathom-stacks"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("flood_types", ["tidal"]),
        ("flood_types", []),
        ("ssps", ["SSP2_4.5"]),
        ("iso3", "Rwanda"),
        ("bbox", [28.8, -1.0, 30.9, -2.9]),
        ("bbox", [28.8, -2.9, 28.8, -1.0]),
        ("bbox", [28.8, -91, 30.9, -1.0]),
        ("bbox", [28.8, -2.9, 30.9]),
        ("prefix", "a" * 901),
        ("container_name", "azure-webjobs-secrets"),
        ("report_container", "No Container"),
        ("grid", 5),
    ],
)
def test_the_field_at_fault_is_named(field: str, value: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        InventoryFathomContainer.model_validate({"container_name": "bronze-fathom", field: value})
    assert {error["loc"][0] for error in refused.value.errors()} == {field}
