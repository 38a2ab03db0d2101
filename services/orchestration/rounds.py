"""A round of tasks that have nothing to do with each other, such as that of the housekeeper."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def do_all(tasks: Sequence[Callable[[], None]]) -> None:
    """Do one after the other, each of them whatever became of those before.

    Raises an `ExceptionGroup` at the end, of the exceptions of all that failed.
    """
    failures = []
    for task in tasks:
        try:
            task()
        except Exception as error:
            error.add_note(f"in {task.__module__}.{task.__qualname__}")
            failures.append(error)
    if failures:
        raise ExceptionGroup(f"{len(failures)} of {len(tasks)} tasks failed", failures)
