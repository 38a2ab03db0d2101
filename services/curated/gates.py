"""What a new version must keep to be published without a person's word. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from core.job_definition import JsonObject
from core.models.curated import Drift, Gates
from infrastructure.publishing_repository import Bbox
from services.curated.mapping import UNMAPPED

Columns = Mapping[str, str]

# Of fewer records a share says little: what is wrong with one of three may be that one's alone.
_TELLING = 100


@dataclass(frozen=True, slots=True)
class Figures:
    """What the gates are held against.

    `rows` are those that the table would have, `read` the records that came in, `faulty` those of
    them in quarantine but for what was superseded; `columns` those of the source with their types.
    What is said of the published version is None where there is none, or where it is not known.
    """

    read: int
    faulty: int
    rows: int
    bbox: Bbox | None
    columns: Columns
    is_increment: bool = False
    published_rows: int | None = None
    published_bbox: Bbox | None = None
    published_columns: Columns | None = None

    @property
    def row_count_change_pct(self) -> float | None:
        """None where the published table has no rows to be held against."""
        if not self.published_rows:
            return None
        return 100 * abs(self.rows - self.published_rows) / self.published_rows

    @property
    def extent_change_pct(self) -> float | None:
        """None where the published table has no geometry to be held against."""
        if self.published_bbox is None:
            return None
        return uncommon_share(self.published_bbox, self.bbox) * 100

    @property
    def judged_by(self) -> int:
        """The number of records that those at fault are a share of.

        An increment with few is judged as if it had more, unless nothing else came: that looks
        like a source that has changed. Not by the rows of the table, where an increment of nothing
        but faults would never show.
        """
        is_small = self.is_increment and self.faulty < self.read
        return max(self.read, _TELLING) if is_small else self.read

    @property
    def invalid_pct(self) -> float:
        return 100 * self.faulty / self.judged_by if self.judged_by else 0.0

    @property
    def drift(self) -> dict[Drift, dict[str, str]]:
        """Columns by how they differ: {name: type}, for a retyped one both types.

        Of the attributes that no column takes, those that are new are told and nothing else.
        """
        before = self.columns if self.published_columns is None else self.published_columns
        taken = {name: type_ for name, type_ in before.items() if not name.startswith(UNMAPPED)}
        return {
            Drift.MISSING: {n: t for n, t in taken.items() if n not in self.columns},
            Drift.NEW: {n: t for n, t in self.columns.items() if n not in before},
            Drift.RETYPED: {
                name: f"{type_} -> {self.columns[name]}"
                for name, type_ in taken.items()
                if self.columns.get(name, type_) != type_
            },
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a gate lets the version pass: what was found, and the limit (None: there is none)."""

    gate: str
    passed: bool
    limit: Any
    found: Any
    message: str

    def as_json(self) -> JsonObject:
        return asdict(self)


def judge(gates: Gates, figures: Figures) -> list[Verdict]:
    """The verdict of every gate, in their order."""
    return [judgement(gates, figures) for judgement in _JUDGEMENTS]


def uncommon_share(one: Bbox, other: Bbox | None) -> float:
    """The share (0 to 1) of what two boxes cover together that only one of them covers.

    A direction in which neither has any width is left out, so that points on a line are
    compared along it. West may be greater than east, across the antimeridian.
    """
    if other is None:
        return 1.0
    areas = _areas(one, other)
    if areas is None:
        return 0.0 if one == other else 1.0
    together, common = areas
    return (together - common) / together


def _areas(one: Bbox, other: Bbox) -> tuple[float, float] | None:
    """What two boxes cover together, and what both cover; None where that is no area at all."""
    pieces, others = _pieces(one), _pieces(other)
    flat = [all(box[axis] == box[axis + 2] == one[axis] for box in (one, other)) for axis in (0, 1)]

    def size(box: Bbox) -> float:
        sides = [max(0.0, box[axis + 2] - box[axis]) for axis in (0, 1) if not flat[axis]]
        return sides[0] * sides[1] if len(sides) == 2 else sum(sides)

    common = sum(size(_overlap(a, b)) for a in pieces for b in others)
    together = sum(map(size, pieces)) + sum(map(size, others)) - common
    return (together, common) if together > 0 else None


def _pieces(box: Bbox) -> list[Bbox]:
    west, south, east, north = box
    if west <= east:
        return [box]
    return [(west, south, 180.0, north), (-180.0, south, east, north)]


def _overlap(a: Bbox, b: Bbox) -> Bbox:
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])


def _min_rows(gates: Gates, figures: Figures) -> Verdict:
    return Verdict(
        "min_rows",
        figures.rows >= gates.min_rows,
        gates.min_rows,
        figures.rows,
        f"It has {figures.rows:,} rows; at least {gates.min_rows:,} are wanted.",
    )


def _row_count_change(gates: Gates, figures: Figures) -> Verdict:
    message = "There are no published rows to hold it against."
    if figures.row_count_change_pct is not None:
        message = (
            f"The number of rows changes by {_percent(figures.row_count_change_pct)}, from "
            f"{figures.published_rows:,} to {figures.rows:,}."
        )
    return _at_most(
        "row_count_change_pct", gates.row_count_change_pct, figures.row_count_change_pct, message
    )


def _extent_change(gates: Gates, figures: Figures) -> Verdict:
    message = "There is no published extent to hold it against."
    if figures.extent_change_pct is not None:
        message = (
            f"{_percent(figures.extent_change_pct)} of what both extents cover together is in one "
            f"of them only: {_box(figures.published_bbox)} before, {_box(figures.bbox)} now."
        )
    return _at_most(
        "extent_change_pct", gates.extent_change_pct, figures.extent_change_pct, message
    )


def _invalid(gates: Gates, figures: Figures) -> Verdict:
    share = _percent(figures.invalid_pct)
    if figures.faulty and figures.judged_by > figures.read:
        share = f"{share} of the {figures.judged_by} that a small increment is judged by"
    message = (
        f"{figures.faulty:,} of {figures.read:,} records, {share}, are at fault and in quarantine."
    )
    return _at_most("invalid_pct", gates.invalid_pct, figures.invalid_pct, message)


def _schema_drift(gates: Gates, figures: Figures) -> Verdict:
    drift = figures.drift
    refused = [kind for kind in gates.refused_drift if drift[kind]]
    shown = refused or [kind for kind in Drift if drift[kind]]
    message = "; ".join(_columns(kind, drift[kind]) for kind in shown)
    if not shown:
        message = (
            "There are no columns of a published version to hold its against."
            if figures.published_columns is None
            else "The source has the same columns as before."
        )
    return Verdict(
        "schema_drift",
        not refused,
        [kind.value for kind in gates.refused_drift],
        {kind.value: dict(columns) for kind, columns in drift.items()},
        message if message.endswith(".") else f"{message}.",
    )


_JUDGEMENTS: tuple[Callable[[Gates, Figures], Verdict], ...] = (
    _min_rows,
    _row_count_change,
    _extent_change,
    _invalid,
    _schema_drift,
)


def _at_most(gate: str, limit: float | None, found: float | None, message: str) -> Verdict:
    passed = limit is None or found is None or found <= limit
    return Verdict(
        gate,
        passed,
        limit,
        None if found is None else round(found, 3),
        message if limit is None else f"{message} The limit is {limit:g}%.",
    )


def _columns(kind: Drift, columns: Columns) -> str:
    named = ", ".join(
        f"{name} ({type_})" if kind is Drift.RETYPED else name for name, type_ in columns.items()
    )
    return f"{kind.value.capitalize()} in the source: {named}"


def _percent(value: float) -> str:
    return f"{value:.3g}%" if value < 100 else f"{value:,.0f}%"


def _box(bbox: Bbox | None) -> str:
    return "nothing" if bbox is None else "[" + ", ".join(f"{side:.6g}" for side in bbox) + "]"
