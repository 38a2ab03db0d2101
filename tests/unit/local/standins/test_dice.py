"""Throws follow from a record's number, and look random."""

from __future__ import annotations

from collections import Counter

import numpy as np

from local.standins.dice import Dice

MANY = np.arange(1, 50_001)


def test_a_record_is_the_same_in_whatever_company() -> None:
    alone = Dice(7, np.array([4_711])).uniform("height")
    assert alone[0] == Dice(7, MANY).uniform("height")[4_710]


def test_seeds_throws_and_numbers_have_nothing_in_common() -> None:
    thrown = Dice(7, MANY).uniform("height")
    others = [Dice(8, MANY).uniform("height"), Dice(7, MANY).uniform("width")]
    for other in (*others, Dice(7, MANY + 1).uniform("height")):
        assert abs(np.corrcoef(thrown, other)[0, 1]) < 0.02


def test_throws_are_spread_as_they_shall_be() -> None:
    dice = Dice(7, MANY)
    assert np.histogram(dice.uniform("even", 2, 4), 10, (2, 4))[0].std() < 150
    normal = dice.normal("height", 5, 2)
    assert abs(normal.mean() - 5) < 0.05
    assert abs(normal.std() - 2) < 0.05
    assert set(dice.below("dice", 6).tolist()) == set(range(6))
    assert abs(dice.happens("rare", 0.01).mean() - 0.01) < 0.003


def test_values_are_picked_by_their_weights() -> None:
    counts = Counter(Dice(7, MANY).pick("kind", ["a", "b", None], [6, 3, 1]).tolist())
    assert abs(counts["a"] / len(MANY) - 0.6) < 0.02
    assert abs(counts[None] / len(MANY) - 0.1) < 0.02


def test_parts_of_a_record_are_thrown_for_by_themselves() -> None:
    dice = Dice(7, np.array([5, 6]))
    owners, parts = np.array([0, 0, 1]), np.array([0, 1, 0])
    heights = dice.of_parts(owners, parts).uniform("height")
    assert len(set(heights.tolist())) == 3
    again = Dice(7, np.array([6])).of_parts(np.array([0]), np.array([0])).uniform("height")
    assert again[0] == heights[2]
