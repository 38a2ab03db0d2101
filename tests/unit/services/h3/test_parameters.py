"""What an aggregation may be asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from services.fathom.parameters import FathomSelection
from services.h3.parameters import H3RasterAggregation

_NEEDED = {"theme": "t", "dataset_id": "d", "resolution": 4, "collection_id": "dem"}


def asked(**parameters: Any) -> H3RasterAggregation:
    return H3RasterAggregation.model_validate({**_NEEDED, **parameters})


def as_sent(text: str) -> Any:
    """What a request's JSON is read as."""
    return json.loads(text)


@pytest.mark.parametrize("bbox", [[-180, -10, 180, 10], [170, -10, -180, 10], [180, 0, -170, 1]])
def test_a_box_may_begin_or_end_at_the_antimeridian(bbox: list[float]) -> None:
    assert asked(bbox=bbox).bbox == tuple(bbox)


@pytest.mark.parametrize("bbox", [[180, -10, -180, 10], [12, 0, 12, 1], [-180, 0, -180, 1]])
def test_a_box_without_width_is_refused(bbox: list[float]) -> None:
    with pytest.raises(ValidationError, match="one meridian"):
        asked(bbox=bbox)
    with pytest.raises(ValidationError, match="one meridian"):
        FathomSelection.model_validate({"bbox": bbox})


@pytest.mark.parametrize(
    "parameters",
    [
        {"exclude": as_sent("[1e999]")},
        {"exclude": as_sent("[NaN]")},
        {"nodata": as_sent("1e999")},
        {"nodata": as_sent("NaN")},
        {"properties": {"height": as_sent("-1e999")}},
    ],
)
def test_values_are_finite(parameters: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="finite"):
        asked(**parameters)


def test_nodata_may_be_a_value_or_nan() -> None:
    assert asked(nodata=-9999, exclude=[-32767, 0.5]).nodata == -9999
    assert asked(nodata="nan").nodata == "nan"
