"""How health checks are run, whatever they check."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from core.errors import Unavailable
from infrastructure.health import Checks, Degraded, Probe, Status


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Set at the end, so that no thread outlives its test."""
    event = threading.Event()
    yield event
    event.set()


def outcome(probe: Probe) -> tuple[Status, str]:
    checks = Checks({"probe": probe})
    try:
        check = checks.one("probe")
        return check.status, check.message
    finally:
        checks.close()


def test_what_a_probe_returns_is_its_message() -> None:
    assert outcome(lambda: "version 1") == (Status.OK, "version 1")


def test_an_error_fails_the_check_and_shows_no_password() -> None:
    def probe() -> str:
        raise RuntimeError("cannot reach postgresql://me:hunter2@db/x")

    status, message = outcome(probe)
    assert status is Status.FAILED
    assert "hunter2" not in message
    assert "RuntimeError: cannot reach" in message


def test_our_own_errors_speak_for_themselves() -> None:
    def probe() -> str:
        raise Unavailable("There is no queue 'light'.")

    assert outcome(probe) == (Status.FAILED, "There is no queue 'light'.")


def test_the_worst_check_counts() -> None:
    def degraded() -> str:
        raise Degraded("an old version")

    def failed() -> str:
        raise Unavailable("gone")

    for probes, expected in (
        ({"a": lambda: "fine"}, Status.OK),
        ({"a": lambda: "fine", "b": degraded}, Status.DEGRADED),
        ({"a": failed, "b": degraded, "c": lambda: "fine"}, Status.FAILED),
    ):
        checks = Checks(probes)
        assert checks.report().status is expected
        checks.close()


def test_probes_run_side_by_side() -> None:
    meeting = threading.Barrier(3)

    def probe() -> str:
        meeting.wait(timeout=60)
        return "met"

    checks = Checks({"a": probe, "b": probe, "c": probe}, bound_seconds=60)
    assert [check.message for check in checks.report().checks] == ["met", "met", "met"]
    checks.close()


def test_a_probe_that_hangs_fails_in_time_and_is_not_started_again(
    release: threading.Event,
) -> None:
    started = []

    def hanging() -> str:
        started.append(1)
        release.wait()
        return "late"

    checks = Checks({"hanging": hanging, "well": lambda: "fine"}, bound_seconds=2)
    for _ in range(2):
        by_name = {check.name: check for check in checks.report().checks}
        assert by_name["hanging"].status is Status.FAILED
        assert by_name["hanging"].message == "no answer within 2 s"
        assert by_name["well"].status is Status.OK
    assert len(started) == 1
    release.set()
    checks.close()
