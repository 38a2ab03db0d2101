"""What the codes of a report mean, and what the owner of the data can do about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.counting import counted
from core.models.vector_report import RecordCounts
from services.vector.model import Reason, RepairKind


@dataclass(frozen=True, slots=True)
class Wording:
    """A code in words: a short title, what it means, what to do (empty: nothing)."""

    title: str
    meaning: str
    advice: str = ""


REASONS: Mapping[str, Wording] = {
    Reason.MALFORMED: Wording(
        "Malformed",
        "The record, or the file from there on, breaks the rules of its format.",
        "Look at the raw text, correct it in the source, and submit the file again.",
    ),
    Reason.NOT_A_FEATURE: Wording(
        "Not a feature",
        "It is well-formed, but not what the format allows in this place.",
        "Wrap bare geometries as features, or leave the object out.",
    ),
    Reason.EMPTY_PLACEMARK: Wording(
        "Empty placemark",
        "A KML placemark that has no geometry at all.",
        "Nothing is lost if it was only a heading; else draw its geometry and export again.",
    ),
    Reason.BAD_COORDINATE: Wording(
        "Bad coordinate",
        "A coordinate is not a number, not finite, or lacks an ordinate.",
        "Look for texts, NaN or decimal commas among the coordinates in the source.",
    ),
    Reason.OUT_OF_RANGE: Wording(
        "Out of range",
        "Coordinates lie beyond 180 or 90 degrees, or far outside of their CRS.",
        "If all records are here, the CRS is wrong: name it with source_crs. If latitude comes "
        "first, set swap_axes.",
    ),
    Reason.TOO_FEW_POINTS: Wording(
        "Too few points",
        "Nothing is left that could be a point, a line or a ring.",
        "The geometry is empty, or collapsed to a point, in the source: digitise it again, or "
        "leave it out.",
    ),
    Reason.UNREADABLE_GEOMETRY: Wording(
        "Unreadable geometry",
        "The geometry's bytes or text could not be decoded.",
        "Export the record again from the program that made it.",
    ),
    Reason.UNSUPPORTED_GEOMETRY: Wording(
        "Unsupported geometry",
        "A kind of geometry that a table cannot hold.",
        "Convert it to points, lines or polygons before the export.",
    ),
    Reason.WRONG_DIMENSION: Wording(
        "Wrong dimension",
        "It consists of points, lines or polygons, or of nothing, where the table takes others.",
        "Correct the geometry in the source, or move the record to the layer where it belongs.",
    ),
    Reason.INVALID_GEOMETRY: Wording(
        "Invalid geometry",
        "It is invalid, and geometry_repair is none.",
        "Submit the file again with geometry_repair structure to have it repaired.",
    ),
    Reason.NOT_REPAIRABLE: Wording(
        "Not repairable",
        "The repair left nothing of the geometry, or what it left is itself invalid.",
        "Try geometry_repair linework, or correct the shape in the source.",
    ),
    Reason.REPAIR_CHANGES_AREA: Wording(
        "Repair changes the area",
        "The repair would change the area by more than max_area_change.",
        "Compare before and after. Raise max_area_change if the repair is right; else correct "
        "the shape.",
    ),
    Reason.PROJECTION_FAILED: Wording(
        "Projection failed",
        "The geometry has no coordinates in the target CRS.",
        "Choose a target_crs that covers the area, or check source_crs.",
    ),
    Reason.DUPLICATE: Wording(
        "Duplicate",
        "Geometry and all attributes equal those of an earlier record, which is loaded.",
        "Nothing is lost. Set duplicates to keep if each of them counts.",
    ),
    Reason.SUPERSEDED: Wording(
        "Superseded",
        "The source gave a newer state of the record as well, or has deleted it since.",
        "Nothing is lost: the newer word counts.",
    ),
    Reason.BAD_VALUE: Wording(
        "Bad key",
        "A key column is null, or repeats the key of another record of the file.",
        "Correct the keys, or choose other key_columns.",
    ),
}

REPAIRS: Mapping[str, Wording] = {
    RepairKind.RING_CLOSED: Wording("Ring closed", "The last point did not repeat the first."),
    RepairKind.TUPLES_COMPLETED: Wording(
        "Tuples completed", "Ordinates beyond Z or M, or broken tuples, were left out."
    ),
    RepairKind.REPEATED_POINTS: Wording(
        "Repeated points", "The same point came twice in a row; it is kept once."
    ),
    RepairKind.SPIKE: Wording("Spike removed", "The line went out and came back on itself."),
    RepairKind.SELF_INTERSECTION: Wording(
        "Self-intersection", "The boundary crossed itself; it was split where it did."
    ),
    RepairKind.RING_ORDER: Wording("Ring order", "Shells and holes were turned the right way."),
    RepairKind.NESTED_SHELLS: Wording("Nested shells", "A part lay inside another; they are one."),
    RepairKind.HOLE_OUTSIDE_SHELL: Wording(
        "Hole outside of its shell", "A hole did not lie in its polygon."
    ),
    RepairKind.NESTED_HOLES: Wording("Nested holes", "A hole lay inside another; they are one."),
    RepairKind.REPEATED_PART: Wording(
        "Repeated part", "A ring or part equalled an earlier one; it is kept once."
    ),
    RepairKind.ZERO_AREA_PART: Wording(
        "Part without extent", "A line without length, or a ring without area, was left out."
    ),
    RepairKind.EMPTY_PART: Wording("Empty part", "An empty or too short part was left out."),
    RepairKind.AXES_SWAPPED: Wording("Axes swapped", "Latitude came first, and swap_axes is set."),
    RepairKind.ANTIMERIDIAN_CUT: Wording(
        "Cut at the antimeridian", "It crossed 180 degrees and was cut there."
    ),
    RepairKind.LONGITUDE_WRAPPED: Wording(
        "Longitude wrapped", "A longitude beyond 180 was brought back: 190 is -170."
    ),
    RepairKind.CLAMPED: Wording(
        "Clamped", "Rounding had put a coordinate just beyond 180 or 90; it is on the limit."
    ),
    RepairKind.LINEARISED: Wording("Linearised", "Curves became lines of short segments."),
    RepairKind.RETYPED: Wording(
        "Retyped", "The declared type did not match the coordinates; they decided."
    ),
}

# Of the steps of the cleaning those that are no repairs, in their order.
STEPS: Mapping[str, Wording] = {
    "axes_swapped": Wording(
        "Axes swapped", "The coordinates were taken as latitude, longitude, since swap_axes is set."
    ),
    "measures_left_out": Wording("Measures left out", "M values, which tables do not keep."),
    "heights_left_out": Wording("Heights left out", "Z values, by the parameter drop_z."),
    "heights_added": Wording(
        "Heights added", "Records without a height got 0, since the table has heights."
    ),
    "collections_split": Wording(
        "Collections split", "Mixed collections: points, lines and polygons have tables each."
    ),
    "reprojected": Wording("Reprojected", "From the source's CRS to that of the table."),
    "promoted": Wording(
        "Made multi-geometries", "Single lines and polygons, by the parameter promote_to_multi."
    ),
}

_VALUE_FAULTS = {
    "nul_removed": "NUL characters were removed.",
    "bad_unicode_replaced": "Bytes that are no text were replaced by U+FFFD.",
    "not_json_kept_as_text": "They are not JSON, and are kept as text.",
    "out_of_range": "Made null: outside of what the column's type can hold.",
    "too_long": "Made null: a value may have less than 1 GB.",
}


def value_fault(code: str) -> str:
    """What was done with values that a column cannot hold, in a sentence."""
    return _VALUE_FAULTS.get(code) or f"Made null: {code.replace('_', ' ')}."


def reason(code: str) -> Wording:
    """A reason of the quarantine in words; one of another version by its name."""
    return REASONS.get(code) or Wording(_title(code), "")


def repair(code: str) -> Wording:
    """A kind of repair in words."""
    return REPAIRS.get(code) or Wording(_title(code), "")


def confidence(share: float) -> str:
    """How sure a guess is, from 0 to 1, in a word."""
    if share >= 0.99:
        return "certain"
    if share >= 0.85:
        return "very likely"
    if share >= 0.6:
        return "likely"
    return "a guess"


def sentence(counts: RecordCounts, tables: list[str], *, status: str | None) -> str:
    """What came of a run: '1,203 of 1,210 records loaded into geo.parks; 7 set aside.'

    `status` is the job's, None where the job is no longer known.
    """
    rest = []
    if counts.set_aside:
        rest.append(f"{counts.set_aside:,} set aside")
    if counts.repaired:
        rest.append(f"{counted(counts.repaired, 'geometry', 'geometries')} repaired")
    text = "; ".join(filter(None, [_outcome(counts, tables, status), ", ".join(rest)]))
    return text[0].upper() + text[1:] + "."


_NOTHING_READ = {
    "queued": "nothing has been read yet",
    "running": "nothing has been read yet",
    "failed": "the job failed before anything was read",
    "cancelled": "the job was cancelled before anything was read",
}


def _outcome(counts: RecordCounts, tables: list[str], status: str | None) -> str:
    if not counts.read:
        return _NOTHING_READ.get(status or "", "the source holds no records")
    share = f"{counts.loaded:,} of {counted(counts.read, 'record')}"
    if counts.loaded == counts.read:
        share = ("all " if counts.read > 1 else "") + counted(counts.read, "record")
    if tables:
        return f"{share} loaded into {_enumerated(tables)}"
    if status in ("queued", "running"):
        return f"{share} cleaned so far"
    if status in ("failed", "cancelled"):
        ended = "the job failed" if status == "failed" else "the job was cancelled"
        return f"nothing was published: {share} had been cleaned when {ended}"
    return f"{share} loaded"


def _enumerated(names: list[str]) -> str:
    if len(names) > 3:
        return f"{len(names)} tables"
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def _title(code: str) -> str:
    text = code.replace("_", " ")
    return text[:1].upper() + text[1:]
