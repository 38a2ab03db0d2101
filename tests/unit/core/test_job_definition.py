"""What a job definition may say, and what its policies mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.job_definition import (
    FAIL_FAST,
    FailurePolicy,
    JobDefinition,
    JobParameters,
    Queue,
    RetryPolicy,
    Stage,
    TaskSpec,
    tolerate,
)
from core.registry import JobRegistry


class Parameters(JobParameters):
    n: int = 1


def a_stage(name: str = "only", **options: object) -> Stage[Parameters]:
    return Stage(name, lambda _: [TaskSpec()], lambda _: None, **options)  # type: ignore[arg-type]


def a_job(name: str = "copy_tiles", *stages: Stage[Parameters]) -> JobDefinition[Parameters]:
    return JobDefinition(name, "Copies.", Parameters, stages or (a_stage(),))


@pytest.mark.parametrize("name", ["", "a", "Copy", "copy-tiles", "1copy", "copy tiles", "c" * 64])
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a name"):
        a_job(name)
    with pytest.raises(ValueError, match="is not a name"):
        a_job("copy_tiles", a_stage(name))


def test_a_job_has_stages_of_different_names() -> None:
    with pytest.raises(ValueError, match="no stages"):
        JobDefinition("copy_tiles", "Copies.", Parameters, ())
    with pytest.raises(ValueError, match="two stages"):
        a_job("copy_tiles", a_stage("one"), a_stage("one"))


def test_the_type_of_a_task_names_job_and_stage() -> None:
    assert a_job("copy_tiles", a_stage("list"), a_stage("copy")).task_type(1) == "copy_tiles.copy"


def test_options_may_follow_from_the_parameters() -> None:
    stage = a_stage(
        queue=lambda p: Queue.HEAVY if p.n > 1 else Queue.LIGHT,
        max_parallel=lambda p: p.n + 1,
        tasks_per_message=5,
    )
    assert stage.queue_for(Parameters(n=2)) is Queue.HEAVY
    assert stage.max_parallel_for(Parameters(n=2)) == 3
    assert stage.tasks_per_message_for(Parameters(n=2)) == 5


def test_parameters_are_frozen_and_know_no_strangers() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Parameters.model_validate({"m": 1})
    with pytest.raises(ValidationError, match="frozen"):
        Parameters().n = 2  # type: ignore[misc]


@given(
    attempt=st.integers(1, 50),
    jitter=st.floats(0, 1, exclude_max=True),
    first=st.floats(0.01, 60),
    most=st.floats(60, 3600),
)
def test_a_delay_doubles_within_its_bounds(
    attempt: int, jitter: float, first: float, most: float
) -> None:
    policy = RetryPolicy(first_delay_seconds=first, max_delay_seconds=most)
    ceiling = min(most, first * 2 ** (attempt - 1))
    assert ceiling / 2 <= policy.delay_seconds(attempt, jitter) <= ceiling
    assert policy.delay_seconds(attempt, 0.0) <= policy.delay_seconds(attempt + 1, 0.0)


def test_jitter_spreads_the_retries() -> None:
    policy = RetryPolicy(first_delay_seconds=10)
    assert policy.delay_seconds(1, 0.0) == 5
    assert policy.delay_seconds(1, 0.5) == 7.5
    assert policy.delay_seconds(3, 0.0) == 20


def test_failing_fast_tolerates_nothing() -> None:
    assert FAIL_FAST.stop_early
    assert FAIL_FAST.tolerates(0, 10)
    assert FAIL_FAST.tolerates(0, 0)
    assert not FAIL_FAST.tolerates(1, 1_000_000)


@given(st.integers(1, 5000), st.data())
def test_a_share_is_tolerated_exactly(total: int, data: st.DataObject) -> None:
    """A share of 29 / 100 lets 29 of 100 tasks fail, however floats are rounded."""
    allowed = data.draw(st.integers(0, total))
    policy = tolerate(allowed / total)
    assert policy.tolerates(allowed, total)
    assert allowed == total or not policy.tolerates(allowed + 1, total)


def test_a_share_of_one_tolerates_all() -> None:
    assert FailurePolicy(max_failed_share=1.0).tolerates(7, 7)


def test_a_registry_holds_one_job_of_a_name() -> None:
    registry = JobRegistry()
    job = a_job()
    registry.register(job)
    registry.register(job)
    assert list(registry) == [job]
    with pytest.raises(ValueError, match="two job types"):
        registry.register(a_job())
