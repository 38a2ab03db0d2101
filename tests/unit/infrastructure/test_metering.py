"""Meters: what is counted, by which of them, and from which threads."""

from __future__ import annotations

import threading
import time

from core.models.cost import Cost
from infrastructure import metering
from infrastructure.metering import Meter, Threads


def burn(seconds: float) -> None:
    """Take that much CPU time of this thread, however busy the machine is."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_what_is_done_within_is_counted() -> None:
    meter = Meter()
    with meter.running():
        metering.read(10)
        metering.read(5)
        metering.wrote(7)
        metering.computed(100.0)
        burn(0.05)
    cost = meter.cost(messages=3)
    assert (cost.bytes_read, cost.bytes_written, cost.messages) == (15, 7, 3)
    assert cost.core_seconds >= 100.05
    assert cost.busy_seconds >= 0.05


def test_waiting_is_busy_and_takes_no_core() -> None:
    meter = Meter()
    with meter.running():
        time.sleep(0.5)
    cost = meter.cost()
    assert cost.busy_seconds >= 0.5
    assert cost.core_seconds < 0.25


def test_what_is_done_elsewhere_is_not() -> None:
    meter = Meter()
    metering.read(1)
    with meter.running():
        beside = threading.Thread(target=metering.read, args=(1,))
        beside.start()
        beside.join()
    metering.wrote(1)
    metering.computed(1.0)
    cost = meter.cost()
    assert (cost.bytes_read, cost.bytes_written) == (0, 0)
    assert cost.core_seconds < 1


def test_the_inner_of_two_meters_counts() -> None:
    outer, inner = Meter(), Meter()
    with outer.running():
        metering.read(1)
        with inner.running():
            metering.read(10)
        metering.read(100)
    assert (outer.cost().bytes_read, inner.cost().bytes_read) == (101, 10)


def test_what_ends_by_an_error_has_cost_as_much() -> None:
    meter = Meter()
    try:
        with meter.running():
            metering.read(3)
            raise LookupError
    except LookupError:
        metering.read(4)
    assert meter.cost().bytes_read == 3


def test_helpers_work_on_the_meter_of_whoever_has_called_them() -> None:
    one, other = Meter(), Meter()

    def help_(count: int) -> int:
        metering.read(count)
        burn(0.02)
        return count

    with Threads(4) as threads:
        with one.running():
            assert list(threads.map(help_, [1, 2, 3, 4])) == [1, 2, 3, 4]
        with other.running():
            assert threads.submit(help_, count=20).result() == 20
        assert threads.submit(help_, 300).result() == 300
    assert (one.cost().bytes_read, other.cost().bytes_read) == (10, 20)
    assert one.cost().core_seconds >= 0.08
    assert other.cost().core_seconds >= 0.02


def test_one_meter_serves_many_threads() -> None:
    meter = Meter()

    def work() -> None:
        with meter.running():
            for _ in range(1000):
                metering.wrote(1)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert meter.cost().bytes_written == 8000


def test_nothing_costs_nothing() -> None:
    assert Meter().cost() == Cost()
