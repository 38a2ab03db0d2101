"""Reports in words."""

from __future__ import annotations

import pytest

from core.models.vector_report import RecordCounts
from services.vector import wording
from services.vector.model import Reason, RepairKind


def test_every_reason_says_what_to_do() -> None:
    assert set(wording.REASONS) == set(Reason)
    assert all(each.title and each.meaning and each.advice for each in wording.REASONS.values())


def test_every_repair_is_explained() -> None:
    assert set(wording.REPAIRS) == set(RepairKind)
    assert all(each.title and each.meaning for each in wording.REPAIRS.values())


def test_a_code_of_another_version_is_shown_by_its_name() -> None:
    assert wording.reason("lost_at_sea").title == "Lost at sea"
    assert wording.repair("ironed_out").title == "Ironed out"


@pytest.mark.parametrize(
    ("share", "word"), [(1.0, "certain"), (0.9, "very likely"), (0.7, "likely"), (0.3, "a guess")]
)
def test_confidence_is_a_word(share: float, word: str) -> None:
    assert wording.confidence(share) == word


def test_values_that_do_not_fit_are_told_in_a_sentence() -> None:
    assert wording.value_fault("nul_removed") == "NUL characters were removed."
    assert wording.value_fault("not_integer") == "Made null: not integer."


SOME = RecordCounts(read=1210, loaded=1203, quarantined={"duplicate": 7}, repaired=41)
ALL = RecordCounts(read=12, loaded=12)
NONE = RecordCounts()


@pytest.mark.parametrize(
    ("counts", "tables", "status", "sentence"),
    [
        (
            SOME,
            ["geo.parks"],
            "completed",
            "1,203 of 1,210 records loaded into geo.parks; 7 set aside, 41 geometries repaired.",
        ),
        (ALL, ["geo.a", "geo.b"], None, "All 12 records loaded into geo.a and geo.b."),
        (ALL, ["a.a", "a.b", "a.c", "a.d"], None, "All 12 records loaded into 4 tables."),
        (
            RecordCounts(read=1, loaded=1, repaired=1),
            ["geo.a"],
            "completed",
            "1 record loaded into geo.a; 1 geometry repaired.",
        ),
        (NONE, ["geo.a"], "completed", "The source holds no records."),
        (NONE, [], "running", "Nothing has been read yet."),
        (NONE, [], "failed", "The job failed before anything was read."),
        (ALL, [], "running", "All 12 records cleaned so far."),
        (
            SOME,
            [],
            "failed",
            "Nothing was published: 1,203 of 1,210 records had been cleaned when the job failed; "
            "7 set aside, 41 geometries repaired.",
        ),
        (ALL, [], None, "All 12 records loaded."),
    ],
)
def test_a_run_in_a_sentence(
    counts: RecordCounts, tables: list[str], status: str | None, sentence: str
) -> None:
    assert wording.sentence(counts, tables, status=status) == sentence
