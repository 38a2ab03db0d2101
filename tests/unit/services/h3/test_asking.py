"""What a request for statistics asks for."""

from __future__ import annotations

import pytest

from core.errors import InvalidParameters
from services.h3.asking import wanted
from services.h3.reading import Room

ROOM = Room(usual=10, most=10, values=100)


@pytest.mark.parametrize("bbox", ["180,-10,-180,10", "12,0,12,1", "0,5,1,5"])
def test_a_box_without_extent_is_refused(bbox: str) -> None:
    with pytest.raises(InvalidParameters, match="must have an extent"):
        wanted({"dataset": "hills", "bbox": bbox}, ROOM)


@pytest.mark.parametrize("bbox", ["-180,-10,180,10", "170,-10,-180,10", "180,-10,-170,10"])
def test_a_box_may_begin_or_end_at_the_antimeridian(bbox: str) -> None:
    found = wanted({"dataset": "hills", "bbox": bbox}, ROOM)
    assert found.bbox == tuple(float(each) for each in bbox.split(","))
