from __future__ import annotations

import pytest
import shapely

from services.vector.geometry.faults import describe
from services.vector.model import RepairKind


@pytest.mark.parametrize(
    ("text", "kind", "words", "at"),
    [
        ("POLYGON((0 0,2 2,2 0,0 2,0 0))", "self_intersection", "Self-intersection", (1, 1)),
        (
            "POLYGON((0 0,4 0,4 4,0 4,0 0),(5 5,6 5,6 6,5 5))",
            "hole_outside_shell",
            "Hole lies outside shell",
            (5, 5),
        ),
        (
            "MULTIPOLYGON(((0 0,9 0,9 9,0 9,0 0)),((2 2,3 2,3 3,2 2)))",
            "nested_shells",
            "Nested shells",
            (2, 2),
        ),
        ("LINESTRING(1 1,1 1)", "zero_area_part", "Too few points in geometry component", (1, 1)),
    ],
)
def test_the_first_fault_is_named_and_located(
    text: str, kind: str, words: str, at: tuple[float, float]
) -> None:
    found = describe(shapely.from_wkt(text))
    assert found.kind is RepairKind(kind)
    assert found.text == words
    assert found.at == at


def test_a_valid_geometry_has_no_fault_to_describe() -> None:
    with pytest.raises(ValueError, match="is valid"):
        describe(shapely.Point(0, 0))
