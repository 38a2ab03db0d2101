"""One thing that was found out, and what it says of the type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.raster.model import RasterType, Subtype

Weights = Mapping[RasterType, float]


@dataclass(frozen=True)
class Finding:
    """`weights` are what it adds to the log-odds of types, in nats: 0.7 doubles the odds, 2.3 makes
    them ten times better, negative ones worse. `subtypes` are the same for subtypes of a type.

    `says` is a sentence for people; `value` is what was measured.
    """

    name: str
    says: str
    weights: Weights = field(default_factory=dict)
    value: Any = None
    subtypes: Mapping[Subtype, float] = field(default_factory=dict)


def weigh(**log_odds: float) -> Weights:
    """Weights by the names of types: `weigh(dem=1.2, categorical=-0.5)`."""
    return {RasterType(kind): weight for kind, weight in log_odds.items()}
