"""What can be asked of an update, and what is wrong with a request that cannot be met."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from core.errors import InvalidParameters
from services.curated.asking import UpdateRequest
from services.curated.handler import Days, UploadedFile
from tests.support.settings import app_settings


@pytest.fixture(autouse=True)
def _app() -> Iterator[None]:
    with app_settings():
        yield


def faults(body: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidParameters) as raised:
        UpdateRequest.read(body)
    return {".".join(map(str, each["loc"])): each["msg"] for each in raised.value.errors}


def test_nothing_is_asked_for_by_default() -> None:
    wanted = UpdateRequest.read({})
    assert not wanted.force_update
    assert not wanted.dry_run
    assert (wanted.days, wanted.file, wanted.request_id) == (None, None, None)


def test_days_may_have_one_end_only() -> None:
    both = UpdateRequest.read({"from_date": "2024-02-28", "to_date": "2024-02-29"})
    assert both.days == Days(date(2024, 2, 28), date(2024, 2, 29))
    assert UpdateRequest.read({"from_date": "2024-02-29"}).days == Days(date(2024, 2, 29), None)
    assert UpdateRequest.read({"to_date": "2024-02-29"}).days == Days(None, date(2024, 2, 29))


def test_one_day_is_some_days_too() -> None:
    wanted = UpdateRequest.read({"from_date": "2024-02-29", "to_date": "2024-02-29"})
    assert wanted.days == Days(date(2024, 2, 29), date(2024, 2, 29))


def test_a_file_is_named_by_container_and_path() -> None:
    wanted = UpdateRequest.read({"container_name": "uploads", "blob_name": "a/land.zip"})
    assert wanted.file == UploadedFile("uploads", "a/land.zip")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"from_date": "2024-02-30"}, "from_date"),
        ({"from_date": "2024-02-28T00:00:00Z"}, "from_date"),
        ({"from_date": "0"}, "from_date"),
        ({"from_date": " 2024-02-28"}, "from_date"),
        ({"to_date": "1709078400"}, "to_date"),
        ({"to_date": 20240228}, "to_date"),
        ({"from_date": "2024-02-29", "to_date": "2024-02-28"}, "to_date"),
        ({"container_name": "uploads"}, "blob_name"),
        ({"blob_name": "land.zip"}, "container_name"),
        ({"container_name": "Up", "blob_name": "land.zip"}, "container_name"),
        ({"container_name": "uploads", "blob_name": "../land.zip"}, "blob_name"),
        ({"container_name": "azure-webjobs-hosts", "blob_name": "keys"}, "container_name"),
        ({"dry_run": "yes"}, "dry_run"),
        ({"force": True}, "force"),
        ({"request_id": ""}, "request_id"),
    ],
)
def test_the_field_at_fault_is_named(body: dict[str, Any], field: str) -> None:
    assert list(faults(body)) == [field]


def test_all_faults_are_named_at_once() -> None:
    found = faults({"from_date": "soon", "blob_name": "/land.zip", "dry_run": 1})
    assert list(found) == ["dry_run", "from_date", "blob_name"]


def test_what_is_no_text_of_unicode_is_refused() -> None:
    assert list(faults({"request_id": "\ud800"})) == [""]
