"""How far an estimate may be off follows from how much the rate has varied."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models.metrics import EtaSpread, Sample, eta_spread

BEGAN = datetime(2026, 5, 1, 12, tzinfo=UTC)


def samples(per_step: Sequence[int], *, stage: int = 0, step: float = 5.0) -> list[Sample]:
    """Samples of a stage, of whose tasks so many end within each step."""
    ended, found = 0, [Sample(stage, BEGAN, 0)]
    for index, tasks in enumerate(per_step, start=1):
        ended += tasks
        found.append(Sample(stage, BEGAN + timedelta(seconds=index * step), ended))
    return found


def ends(spread: EtaSpread | None) -> tuple[float, float | None]:
    """Both ends, to the tenth of a second."""
    assert spread is not None
    return round(spread.low, 1), None if spread.high is None else round(spread.high, 1)


def test_a_steady_rate_leaves_no_doubt() -> None:
    spread = eta_spread(samples([10] * 20), 0, remaining=120, eta=60.0)
    assert ends(spread) == (60.0, 60.0)


def test_the_fastest_and_the_slowest_part_are_its_ends() -> None:
    # Four parts, of 1, 2, 2 and 4 tasks a second.
    spread = eta_spread(samples([5, 10, 10, 20]), 0, remaining=120, eta=60.0)
    assert ends(spread) == (30.0, 120.0)


def test_of_many_parts_one_hiccup_does_not_count() -> None:
    steady = samples([10] * 9 + [0])
    assert ends(eta_spread(steady, 0, remaining=120, eta=60.0)) == (60.0, 60.0)


def test_a_stage_that_stood_still_twice_may_do_so_for_ever() -> None:
    spread = eta_spread(samples([10] * 8 + [0, 0]), 0, remaining=120, eta=75.0)
    assert ends(spread) == (60.0, None)


def test_the_estimate_is_within_its_spread() -> None:
    spread = eta_spread(samples([10] * 10), 0, remaining=120, eta=90.0)
    assert ends(spread) == (60.0, 90.0)


@pytest.mark.parametrize(
    ("found", "remaining", "eta"),
    [
        (samples([10] * 3), 120, 60.0),  # too few
        ([], 120, 60.0),
        (samples([0] * 10), 120, 60.0),  # nothing has ended
        (samples([10] * 10), 0, 0.0),  # nothing is left
        (samples([10] * 10), 120, None),  # nobody knows
        (samples([10] * 10, stage=1), 120, 60.0),  # of another stage
    ],
)
def test_nothing_is_said_that_does_not_follow(
    found: list[Sample], remaining: int, eta: float | None
) -> None:
    assert eta_spread(found, 0, remaining, eta) is None


def test_what_was_before_a_resume_is_not_looked_at() -> None:
    later = [Sample(0, each.at + timedelta(minutes=5), each.ended) for each in samples([10] * 10)]
    both = [*samples([50] * 10), *later]
    assert eta_spread(both, 0, remaining=120, eta=60.0) == eta_spread(later, 0, 120, 60.0)


@given(
    steps=st.lists(st.integers(0, 1000), max_size=60),
    remaining=st.integers(0, 10**6),
    eta=st.one_of(st.none(), st.floats(0, 1e6)),
)
def test_it_is_always_around_the_estimate(
    steps: list[int], remaining: int, eta: float | None
) -> None:
    spread = eta_spread(samples(steps), 0, remaining, eta)
    if spread is not None:
        assert eta is not None
        assert 0 < spread.low <= eta
        assert spread.high is None or spread.high >= eta
