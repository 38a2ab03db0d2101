"""Due times, against a plain dictionary."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from local.service_bus.due_times import DueTimes

events = st.lists(
    st.tuples(st.just("set"), st.integers(0, 9), st.integers(0, 50))
    | st.tuples(st.just("discard"), st.integers(0, 9), st.just(0))
    | st.tuples(st.just("take"), st.just(0), st.integers(0, 50)),
    max_size=60,
)


@given(events)
def test_any_history_agrees_with_a_dictionary(history: list[tuple[str, int, int]]) -> None:
    times, expected = DueTimes(), dict[int, int]()
    for event, key, time in history:
        match event:
            case "set":
                times.set(key, time)
                expected[key] = time
            case "discard":
                times.discard(key)
                expected.pop(key, None)
            case "take":
                due = {key for key, when in expected.items() if when <= time}
                taken = list(times.take(time))
                assert set(taken) == due
                when_due = [expected.pop(key) for key in taken]
                assert when_due == sorted(when_due)
        assert len(times) == len(expected)
        assert times.earliest() == min(expected.values(), default=None)


def test_keys_that_come_and_go_do_not_pile_up() -> None:
    times = DueTimes()
    for key in range(20_000):
        times.set(key, 10**9 + key)
        times.discard(key - 10)
    assert len(times) == 10
    assert len(times._heap) < 2_000
    assert times.earliest() == 10**9 + 19_990
