"""How the dashboard says what is uncertain, old, or not known."""

from __future__ import annotations

from typing import Any

import pytest

from infrastructure.looked_up import Finding
from web_interfaces.metrics.wording import age, spread


@pytest.mark.parametrize(
    ("eta", "low", "high", "words"),
    [
        (720.0, 610.0, 890.0, "10 to 15"),  # about 12 min
        (40.0, 22.0, 66.0, "20 to 70"),  # about 40 s
        (4 * 3600.0, 3 * 3600.0, 6.6 * 3600, "3 to 7"),  # about 4 h
        (3 * 86400.0, 86400.0, 4.6 * 86400, "1 to 5"),  # about 3 d
        (720.0, 610.0, None, "10 or more"),
        (720.0, 715.0, 725.0, ""),  # both are about 12 min
        (100.0, 10.0, 300.0, "1 to 5"),  # never nothing
        (3.0, 1.0, 9.0, ""),  # a few seconds are that
    ],
)
def test_the_spread_is_in_the_unit_of_the_estimate(
    eta: float, low: float, high: float | None, words: str
) -> None:
    assert spread(eta, {"low": low, "high": high}) == words


def test_there_is_none_without_an_estimate() -> None:
    assert spread(None, {"low": 1.0, "high": 2.0}) == spread(700.0, None) == ""


@pytest.mark.parametrize(
    ("finding", "words"),
    [
        (Finding(3, 2.0), ""),
        (Finding(3, 45.2), "45 s old"),
        (Finding(3, 2.0, "It does not answer."), "2.0 s old: It does not answer."),
        (Finding(), "Not known yet: it is being looked up."),
        (Finding(problem="It does not answer."), "It does not answer."),
    ],
)
def test_the_age_of_a_figure_is_told_where_it_matters(finding: Finding[Any], words: str) -> None:
    assert age(finding) == words
