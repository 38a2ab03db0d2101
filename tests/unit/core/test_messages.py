"""What travels over Service Bus."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.messages import MalformedMessage, TaskMessage

JOB = "0" * 64


@given(st.integers(0, 100), st.sets(st.integers(0, 10_000), min_size=1).map(sorted))
def test_a_message_is_read_as_it_was_written(stage: int, indexes: list[int]) -> None:
    message = TaskMessage(JOB, stage, indexes)
    assert TaskMessage.decode(message.encode()) == message
    assert TaskMessage.decode(message.encode().encode()) == message


def test_a_message_of_many_tasks_is_small() -> None:
    assert len(TaskMessage(JOB, 0, range(100_000)).encode()) < 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        "not json",
        "[]",
        "null",
        "1",
        "[" * 100_000,
        json.dumps({"job_id": JOB, "stage": 0}),
        json.dumps({"job_id": "x", "stage": 0, "tasks": "0"}),
        json.dumps({"job_id": None, "stage": 0, "tasks": "0"}),
        json.dumps({"job_id": JOB, "stage": -1, "tasks": "0"}),
        json.dumps({"job_id": JOB, "stage": "0", "tasks": "0"}),
        json.dumps({"job_id": JOB, "stage": 0, "tasks": [0]}),
        json.dumps({"job_id": JOB, "stage": 0, "tasks": ""}),
    ],
)
def test_what_is_no_message_is_refused(body: bytes | str) -> None:
    with pytest.raises(MalformedMessage):
        TaskMessage.decode(body)


@given(st.binary())
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    with pytest.raises(MalformedMessage):
        TaskMessage.decode(body)
