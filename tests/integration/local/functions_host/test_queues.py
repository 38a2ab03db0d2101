"""Service Bus queue triggers, against a real endpoint."""

from __future__ import annotations

import json
from typing import Any

from azure.servicebus import ServiceBusClient, ServiceBusMessage


def _send(bus: Any, queue: str, bodies: list[str]) -> None:
    with (
        ServiceBusClient.from_connection_string(bus.connection_string) as client,
        client.get_queue_sender(queue) as sender,
    ):
        sender.send_messages([ServiceBusMessage(body) for body in bodies])


def _left(bus: Any, queue: str) -> int:
    with (
        ServiceBusClient.from_connection_string(bus.connection_string) as client,
        client.get_queue_receiver(queue) as receiver,
    ):
        return len(receiver.peek_messages(max_message_count=10))


def test_message_calls_the_function_and_is_completed(host: Any, bus: Any) -> None:
    _send(bus, "sample", [json.dumps({"id": "m1", "start": True})])
    host.wait_for(lambda: "message m1 delivery=1" in host.trace(), "m1 has not come")
    host.wait_for(lambda: host.instance("m1").status_code == 200, "m1 has started nothing")
    host.wait_for(lambda: _left(bus, "sample") == 0, "m1 is not completed")


def test_failing_message_is_abandoned_and_ends_in_the_dead_letter_queue(
    host: Any, bus: Any
) -> None:
    _send(bus, "sample", [json.dumps({"id": "m2", "fail": True})])
    host.wait_for(
        lambda: [line for line in host.trace() if line.startswith("dead m2")],
        "m2 has not been dead-lettered",
    )
    assert [line for line in host.trace() if line.startswith("message m2")] == [
        "message m2 delivery=1",
        "message m2 delivery=2",
    ]
    assert "dead m2 MaxDeliveryCountExceeded" in host.trace()


def test_batches_come_whole_and_in_order(host: Any, bus: Any) -> None:
    bodies = [f"b{number}" for number in range(120)]
    _send(bus, "batch", bodies)

    def received() -> list[str]:
        batches = [line.split(" ")[2] for line in host.trace() if line.startswith("batch ")]
        return [body for batch in batches for body in batch.split(",") if body.startswith("b")]

    host.wait_for(lambda: len(received()) >= 120, "the batch has not come")
    assert received() == bodies
    sizes = [int(line.split(" ")[1]) for line in host.trace() if line.startswith("batch ")]
    assert max(sizes) <= 50
    assert len(sizes) < 20
    host.wait_for(lambda: _left(bus, "batch") == 0, "the batch is not completed")


def test_endpoint_that_goes_away_is_found_again(host: Any, bus: Any) -> None:
    bus.kill()
    host.wait_for(lambda: "lost queue 'sample'" in host.log(), "the loss is not noticed")
    assert host.http.get("/api/livez").status_code == 200
    bus.start()
    _send(bus, "sample", [json.dumps({"id": "m3"})])
    host.wait_for(lambda: "message m3 delivery=1" in host.trace(), "m3 has not come")
    # One line for each change of each queue, not one for each attempt.
    assert host.log().count("lost queue 'sample'") == 1
