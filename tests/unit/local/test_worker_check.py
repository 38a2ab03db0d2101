"""Finding the function that the worker check calls."""

from __future__ import annotations

import pytest

from local.worker_check import CheckFailed, IndexedFunction, find_http_function

FUNCTIONS = [
    IndexedFunction("plan", "1", {"type": "activityTrigger", "name": "x"}),
    IndexedFunction("live", "2", {"type": "httpTrigger", "name": "req", "route": "api/livez"}),
    IndexedFunction("bare", "3", {"type": "httpTrigger", "name": "req"}),
]


@pytest.mark.parametrize(
    ("path", "name"), [("livez", "live"), ("/api/livez", "live"), ("bare", "bare")]
)
def test_function_is_found_by_the_end_of_its_route(path: str, name: str) -> None:
    assert find_http_function(FUNCTIONS, path).name == name


@pytest.mark.parametrize("path", ["vez", "plan", "nope"])
def test_function_that_is_not_there_is_named(path: str) -> None:
    with pytest.raises(CheckFailed, match=path):
        find_http_function(FUNCTIONS, path)


def test_function_is_shown_with_its_trigger() -> None:
    assert str(FUNCTIONS[1]).split() == ["live", "http", "api/livez"]
