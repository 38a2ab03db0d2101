"""The figures of a quality report: what became of the records of a vector file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, Field


class RecordCounts(BaseModel):
    """Counts of a chunk, a layer or a run; they add up.

    `quarantined` is by reason. `repaired` counts geometries, `repairs` what was done to them,
    by kind: one geometry can need several. `steps` counts the records that each cleaning step
    changed; `value_faults` the values that became null, by column and reason.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    read: int = 0
    loaded: int = 0
    quarantined: dict[str, int] = Field(default_factory=dict)
    repaired: int = 0
    repairs: dict[str, int] = Field(default_factory=dict)
    steps: dict[str, int] = Field(default_factory=dict)
    value_faults: dict[str, dict[str, int]] = Field(default_factory=dict)

    @property
    def set_aside(self) -> int:
        """The records in quarantine, whatever the reason."""
        return sum(self.quarantined.values())

    @property
    def balanced(self) -> bool:
        """Whether every record that was read is loaded or in quarantine."""
        return self.read == self.loaded + self.set_aside

    def __add__(self, other: RecordCounts) -> Self:
        columns = {**self.value_faults, **other.value_faults}
        return type(self)(
            read=self.read + other.read,
            loaded=self.loaded + other.loaded,
            quarantined=_sum(self.quarantined, other.quarantined),
            repaired=self.repaired + other.repaired,
            repairs=_sum(self.repairs, other.repairs),
            steps=_sum(self.steps, other.steps),
            value_faults={
                column: _sum(self.value_faults.get(column, {}), other.value_faults.get(column, {}))
                for column in columns
            },
        )


def _sum(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """The sums by name, the largest first."""
    total: Counter[str] = Counter(one)
    total.update(other)
    return dict(total.most_common())
