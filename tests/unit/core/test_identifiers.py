"""Identifiers of jobs, and runs of task indexes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.identifiers import (
    canonical_json,
    format_runs,
    is_job_id,
    job_id,
    parse_runs,
    submission_key,
)


def test_a_job_id_is_a_function_of_type_parameters_and_run() -> None:
    first = job_id("copy", {"a": 1, "b": [1, 2]}, 0)
    assert is_job_id(first)
    assert job_id("copy", {"b": [1, 2], "a": 1}, 0) == first
    others = {
        job_id("copy", {"a": 1, "b": [2, 1]}, 0),
        job_id("copy", {"a": 1, "b": [1, 2]}, 1),
        job_id("move", {"a": 1, "b": [1, 2]}, 0),
        submission_key("copy", {"a": 1, "b": [1, 2]}),
    }
    assert len(others | {first}) == 5


def test_a_job_id_stays_what_it_is() -> None:
    """It is in URLs and in the ledger: another version of the app must make the same one."""
    expected = "a9c824f7b4c06430c51910c237c4305b4c75318b3c87c6d65f564244932e0112"
    assert job_id("hello_fan_out", {"n": 10, "sleep_ms": 0}, 0) == expected


def test_canonical_json_has_one_spelling() -> None:
    assert canonical_json({"b": 1, "a": "é"}) == '{"a":"é","b":1}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"a": float("nan")})


@pytest.mark.parametrize(
    "text", ["", "abc", "0" * 63, "0" * 65, "G" * 64, "A" * 64, "0" * 64 + "\n"]
)
def test_what_is_no_job_id(text: str) -> None:
    assert not is_job_id(text)


def test_runs_are_short() -> None:
    assert format_runs([0, 1, 2, 7]) == "0-2,7"
    assert format_runs(range(1_000_000)) == "0-999999"


@given(st.sets(st.integers(0, 500)).map(sorted).filter(bool))
def test_runs_are_read_as_they_were_written(indexes: list[int]) -> None:
    assert parse_runs(format_runs(indexes)) == indexes


@pytest.mark.parametrize("text", ["", "a", "1-", "-1", "3-1", "1,,2", "1-2-3", "0-9999999", "1.5"])
def test_what_are_no_runs(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - int() words it as it likes
        parse_runs(text)


def test_runs_of_a_million_indexes_in_all_are_read() -> None:
    assert len(parse_runs("0-499999,500001-1000000")) == 1_000_000
    with pytest.raises(ValueError, match="more than 1,000,000 task indexes"):
        parse_runs("0-499999,500001-1000001")
