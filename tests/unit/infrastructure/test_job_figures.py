"""Words of tasks are collected, written in their order, and none is lost on the way."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from core.models.metrics import Attempt
from infrastructure import job_figures
from infrastructure.job_figures import Fate, Outbox, Words

PATIENCE = 60.0


class Database:
    """Takes words as the outbox writes them, once `is_open`, unless it refuses some."""

    def __init__(self, refusals: int = 0) -> None:
        self.figures: dict[str, Any] = {}
        self.written: list[Words] = []
        self.refusals = refusals
        self.is_open = threading.Event()
        self.is_open.set()
        self.is_asked = threading.Event()

    def write(self, job_id: str, words: Words) -> Fate:
        self.is_asked.set()
        assert self.is_open.wait(PATIENCE)
        if self.refusals:
            self.refusals -= 1
            return Fate.KEPT
        self.written.append(words)
        self.figures.update(words.figures)
        return Fate.WRITTEN


def outbox(database: Database) -> Outbox:
    return Outbox(database.write, lambda: 60.0, lambda _: None)


@pytest.fixture
def no_timers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written by its age."""
    monkeypatch.setattr(Outbox, "_arrange", lambda *_: None)


@pytest.mark.usefixtures("no_timers")
def test_a_word_never_overtakes_an_earlier_one_that_is_being_written() -> None:
    database = Database()
    box = outbox(database)
    database.is_open.clear()
    with ThreadPoolExecutor(2) as threads:
        box.say("job", Words(figures={"files": 1}))
        first = threads.submit(box.flush, "job")
        assert database.is_asked.wait(PATIENCE)
        database.is_asked.clear()
        box.say("job", Words(figures={"files": 2}))
        second = threads.submit(box.flush, "job")
        # The second does not ask while the first is at it.
        assert not database.is_asked.wait(0.2)
        database.is_open.set()
        assert first.result(PATIENCE)
        assert second.result(PATIENCE)
    assert [words.figures["files"] for words in database.written] == [1, 2]


@pytest.mark.usefixtures("no_timers")
def test_words_that_were_refused_come_back_behind_newer_ones() -> None:
    database = Database(refusals=1)

    def write(job_id: str, words: Words) -> Fate:
        if database.refusals:
            box.say("job", Words(figures={"files": 2}))  # by another thread, meanwhile
        return database.write(job_id, words)

    box = Outbox(write, lambda: 60.0, lambda _: None)
    box.say("job", Words(figures={"files": 1, "bytes": 10}))
    assert not box.flush("job")
    assert box.flush("job")
    assert database.figures == {"files": 2, "bytes": 10}


@pytest.mark.usefixtures("no_timers")
def test_nothing_is_written_twice() -> None:
    database = Database()
    box = outbox(database)
    assert not box.flush("job")
    box.say("job", Words(figures={"files": 1}))
    assert box.flush("job")
    assert not box.flush("job")
    assert len(database.written) == 1


def test_words_are_tried_again_after_an_interval_without_being_asked_for() -> None:
    database = Database(refusals=1)
    written = threading.Event()
    box = Outbox(database.write, lambda: 0.05, lambda _: written.set())
    box.say("job", Words(figures={"files": 1}))
    assert written.wait(PATIENCE)
    assert database.figures == {"files": 1}


@pytest.mark.usefixtures("no_timers")
def test_words_that_are_lost_are_not_written_and_not_tried_again() -> None:
    said: list[Words] = []

    def lose(job_id: str, words: Words) -> Fate:
        said.append(words)
        return Fate.LOST

    box = Outbox(lose, lambda: 60.0, lambda _: None)
    box.say("job", Words(figures={"files": 1}))
    assert not box.flush("job")
    assert not box.flush("job")
    assert len(said) == 1


@pytest.mark.usefixtures("no_timers")
@pytest.mark.parametrize("fate", Fate)
def test_a_snapshot_follows_upon_words_that_fell_due_and_are_written(fate: Fate) -> None:
    told: list[str] = []
    box = Outbox(lambda *_: fate, lambda: 60.0, told.append)
    box.say("job", Words(figures={"files": 1}))
    box._fall_due("job", box._boxes["job"])
    assert told == (["job"] if fate is Fate.WRITTEN else [])


@pytest.mark.usefixtures("no_timers")
def test_jobs_that_have_nothing_to_say_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_figures, "_REMEMBERED", 10)
    database = Database()
    box = outbox(database)
    for number in range(100):
        box.say(f"job {number}", Words(figures={f"{number}": number}))
        if number % 30:
            box.flush(f"job {number}")
    assert len(box._boxes) <= 10 + 4
    for job_id in list(box._boxes):
        box.flush(job_id)
    assert len(database.figures) == 100


class TestWords:
    def test_of_one_attempt_are_brought_up_to_date(self) -> None:
        words = Words()
        words.contribute("h3", "a", Attempt(0, 0, 1), {"cells": 1, "tiles": 1})
        words.add(Words(contributed={("h3", "a", Attempt(0, 0, 1)): {"cells": 2}}))
        assert words.contributed == {("h3", "a", Attempt(0, 0, 1)): {"cells": 2, "tiles": 1}}

    def test_of_two_attempts_stay_apart_and_the_last_is_last(self) -> None:
        words = Words()
        words.contribute("h3", "a", Attempt(0, 0, 1), {"cells": 1})
        words.contribute("h3", "a", Attempt(0, 0, 2), {"cells": 2})
        words.contribute("h3", "a", Attempt(0, 0, 1), {"cells": 3})
        assert [attempt for _, _, attempt in words.contributed] == [
            Attempt(0, 0, 2),
            Attempt(0, 0, 1),
        ]

    def test_are_counted(self) -> None:
        words = Words(figures={"files": 1}, shown={"h3": {"total": 1, "tile": "a"}})
        words.contribute("h3", "a", None, {"cells": 1, "tiles": 2})
        assert len(words) == 4
        assert len(Words()) == 0


def test_a_speaker_is_known_within_its_attempt_only() -> None:
    assert job_figures.speaker() is None
    with job_figures.speaking_for(Attempt(1, 2, 3)):
        assert job_figures.speaker() == Attempt(1, 2, 3)
    assert job_figures.speaker() is None
