"""What is said of files that are not published."""

from __future__ import annotations

from typing import Any

from core.errors import PermanentTaskError
from services.raster import refusals
from services.raster.refusals import Refused


def refused(number: int, code: str = "unreadable") -> Refused:
    return Refused(path=f"{number}.tif", code=code, message="It is damaged.", index=number)


def test_an_error_of_a_file_becomes_its_record() -> None:
    error = PermanentTaskError("a.tif has no CRS.", code="crs_missing", field="source_crs")
    found = Refused.because(error, "dem/a.tif", 3)
    assert (found.path, found.code, found.message, found.index) == (
        "dem/a.tif",
        "crs_missing",
        "a.tif has no CRS.",
        3,
    )


def test_a_message_names_its_file_once() -> None:
    assert str(refused(1)) == "1.tif: It is damaged."
    assert str(Refused(path="a.tif", code="c", message="a.tif is damaged.")) == "a.tif is damaged."


def test_the_first_few_are_named_and_the_others_counted() -> None:
    text = refusals.first_few([refused(number) for number in range(8)])
    assert text.startswith("0.tif: It is damaged; 1.tif: It is damaged;")
    assert text.endswith("4.tif: It is damaged (and 3 more)")


def test_reasons_are_counted_the_commonest_first() -> None:
    found = refusals.by_code([refused(1, "rare"), refused(2), refused(3)])
    assert list(found.items()) == [("unreadable", 2), ("rare", 1)]


def test_results_of_tasks_tell_which_files_were_refused() -> None:
    results: list[dict[str, Any]] = [
        {"file": 0},
        {"file": 1, "refused": refused(1).model_dump(mode="json")},
    ]
    assert list(refusals.of_results(results)) == [refused(1)]
