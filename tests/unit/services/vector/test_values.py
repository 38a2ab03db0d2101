"""Values that PostgreSQL cannot hold, and the hashes of rows."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from core.models.feature_table import ColumnType
from services.vector.values import storable


def test_nul_characters_are_removed_from_texts_and_counted() -> None:
    texts, found = storable("name", pa.array(["a\0b\0", None, "ok"]), ColumnType.TEXT)
    assert texts.to_pylist() == ["ab", None, "ok"]
    assert found == {("name", "nul_removed"): 1}


def test_broken_utf8_is_replaced_and_counted() -> None:
    # A lone surrogate, as CESU-8 has it, then a text that is fine, then a null.
    offsets = pa.py_buffer(np.array([0, 5, 7, 7], dtype=np.int32))
    valid = pa.py_buffer(np.array([0b011], dtype=np.uint8))
    broken = pa.Array.from_buffers(
        pa.string(), 3, [valid, offsets, pa.py_buffer(b"x\xed\xa0\x80yok")]
    )
    texts, found = storable("name", broken, ColumnType.TEXT)
    assert texts.to_pylist() == ["x\ufffd\ufffd\ufffdy", "ok", None]
    assert found == {("name", "bad_unicode_replaced"): 1}


def test_sound_values_are_the_same_array() -> None:
    for array, kind in (
        (pa.array(["a", None]), ColumnType.TEXT),
        (pa.array([b"\0", None]), ColumnType.BYTES),
        (pa.array([float("nan"), float("inf")]), ColumnType.REAL),
        (pa.array(['{"a": "\\\\u0000"}', None]), ColumnType.JSON),
        (pa.array([date(1, 1, 1), date(9999, 12, 31)]), ColumnType.DATE),
    ):
        kept, found = storable("x", array, kind)
        assert kept is array
        assert found == {}


@pytest.mark.parametrize(
    ("text", "expected", "reason"),
    [
        ('{"a": "x\\u0000y"}', {"a": "xy"}, "nul_removed"),
        ('["\\ud83d"]', ["\ufffd"], "bad_unicode_replaced"),
        ("not json", "not json", "not_json_kept_as_text"),
        ('{"a": NaN}', '{"a": NaN}', "not_json_kept_as_text"),
        ("", "", "not_json_kept_as_text"),
    ],
)
def test_json_that_jsonb_refuses_is_mended(text: str, expected: Any, reason: str) -> None:
    mended, found = storable("x", pa.array([text, "{}"]), ColumnType.JSON)
    assert json.loads(mended[0].as_py()) == expected
    assert mended[1].as_py() == "{}"
    assert found == {("x", reason): 1}


def test_json_with_pairs_of_surrogates_and_huge_numbers_stays() -> None:
    given = ['{"a": "\\ud83d\\ude00"}', '{"a": 1e400}']
    kept, found = storable("x", pa.array(given), ColumnType.JSON)
    assert kept.to_pylist() == given
    assert found == {}


def test_dates_that_clients_cannot_read_become_null() -> None:
    days = pa.array([-1_000_000, 0, 10_000_000, None], pa.int32()).view(pa.date32())
    kept, found = storable("day", days, ColumnType.DATE)
    assert kept.to_pylist() == [None, date(1970, 1, 1), None, None]
    assert found == {("day", "out_of_range"): 2}


@pytest.mark.parametrize(("unit", "ticks"), [("s", 1), ("ms", 10**3), ("us", 10**6)])
def test_times_that_clients_cannot_read_become_null(unit: str, ticks: int) -> None:
    last = int((datetime(9999, 12, 31) - datetime(1970, 1, 1)).total_seconds()) + 86_399
    first = int((datetime(1, 1, 1) - datetime(1970, 1, 1)).total_seconds())
    seconds = [first - 1, first, 0, last, last + 1]
    times = pa.array([s * ticks for s in seconds]).view(pa.timestamp(unit))
    kept, found = storable("at", times, ColumnType.TIMESTAMP)
    assert [value is None for value in kept.to_pylist()] == [True, False, False, False, True]
    assert found == {("at", "out_of_range"): 2}


def test_nanoseconds_are_always_within() -> None:
    times = pa.array([-(2**63) + 1, 2**63 - 1]).view(pa.timestamp("ns"))
    assert storable("at", times, ColumnType.TIMESTAMP) == (times, {})
