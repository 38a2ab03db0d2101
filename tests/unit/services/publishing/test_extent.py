"""Two boxes together, on the globe."""

from __future__ import annotations

import pytest

from services.publishing.extent import Bbox, together

FIJI: Bbox = (177.0, -20.0, -178.0, -12.0)
TONGA: Bbox = (-176.0, -24.0, -173.0, -15.0)
FRANCE: Bbox = (-5.0, 42.0, 8.0, 51.0)
JAPAN: Bbox = (129.0, 31.0, 146.0, 46.0)


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (FRANCE, JAPAN, (-5.0, 31.0, 146.0, 51.0)),
        (FRANCE, (0.0, 45.0, 1.0, 46.0), FRANCE),
        # The short way from one to the other is across the antimeridian.
        (JAPAN, TONGA, (129.0, -24.0, -173.0, 46.0)),
        (FIJI, TONGA, (177.0, -24.0, -173.0, -12.0)),
        (FIJI, JAPAN, (129.0, -20.0, -178.0, 46.0)),
        # There is no half of the world that neither of them is in.
        (FIJI, FRANCE, (-180.0, -20.0, 180.0, 51.0)),
        (FRANCE, None, FRANCE),
        (None, FIJI, FIJI),
        (None, None, None),
    ],
)
def test_a_box_around_two(one: Bbox | None, other: Bbox | None, both: Bbox | None) -> None:
    assert together(one, other) == both
    assert together(other, one) == both
