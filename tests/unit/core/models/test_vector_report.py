"""The figures of a quality report add up."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from core.models.vector_report import RecordCounts


def test_counts_add_up_by_reason_kind_and_column() -> None:
    one = RecordCounts(
        read=100,
        loaded=97,
        quarantined={"malformed": 1, "duplicate": 2},
        repaired=4,
        repairs={"spike": 4},
        value_faults={"built": {"year_out_of_range": 1}},
    )
    other = RecordCounts(
        read=10,
        loaded=9,
        quarantined={"malformed": 1},
        repaired=3,
        repairs={"spike": 1, "ring_closed": 2},
        steps={"axes_swapped": 10},
        value_faults={"built": {"year_out_of_range": 2}, "name": {"nul": 1}},
    )

    assert one + other == RecordCounts(
        read=110,
        loaded=106,
        quarantined={"malformed": 2, "duplicate": 2},
        repaired=7,
        repairs={"spike": 5, "ring_closed": 2},
        steps={"axes_swapped": 10},
        value_faults={"built": {"year_out_of_range": 3}, "name": {"nul": 1}},
    )
    assert (one + other).set_aside == 4
    assert (one + other).balanced


def test_a_record_that_is_nowhere_is_seen() -> None:
    assert not RecordCounts(read=10, loaded=8, quarantined={"malformed": 1}).balanced


def test_the_largest_share_comes_first() -> None:
    total = RecordCounts(repairs={"spike": 1}) + RecordCounts(repairs={"ring_closed": 5})

    assert list(total.repairs) == ["ring_closed", "spike"]


def test_figures_of_another_make_are_refused() -> None:
    with pytest.raises(ValidationError):
        RecordCounts.model_validate({"read": 1, "lost": 1})
