"""What the SDK is told when something is not right."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    ServiceBusAuthenticationError,
    ServiceBusError,
)

from local.stack.ports import free_ports
from tests.integration.local.service_bus.conftest import (
    ROOT,
    EndpointProcess,
    Links,
)


def test_an_unknown_queue_is_named_in_the_log(
    endpoint: EndpointProcess, client: ServiceBusClient
) -> None:
    # The service as well refuses the token for what is not there; the SDK drops the reason.
    sender = client.get_queue_sender("nowhere")
    with pytest.raises(ServiceBusAuthenticationError):
        sender.send_messages(ServiceBusMessage("x"))
    sender.close()
    assert "The messaging entity 'nowhere' could not be found" in endpoint.log.read_text()


@pytest.mark.parametrize(
    ("part", "wrong"),
    [
        ("SharedAccessKey=SAS_KEY_VALUE", "SharedAccessKey=guess"),
        ("SharedAccessKeyName=RootManage", "SharedAccessKeyName=Other"),
    ],
)
def test_a_wrong_key_is_refused(
    endpoint: EndpointProcess, queue: str, part: str, wrong: str
) -> None:
    forged = endpoint.connection_string.replace(part, wrong)
    assert forged != endpoint.connection_string
    told = endpoint.log.read_text().count("invalid signature")
    with ServiceBusClient.from_connection_string(forged, retry_total=0) as client:
        sender = client.get_queue_sender(queue)
        with pytest.raises(ServiceBusAuthenticationError):
            sender.send_messages(ServiceBusMessage("x"))
    assert endpoint.log.read_text().count("invalid signature") > told


def test_a_message_over_the_limit_is_refused(links: Links) -> None:
    sender = links.sender("small")
    with pytest.raises(MessageSizeExceededError, match="exceeds the limit"):
        sender.send_messages(ServiceBusMessage("x" * 4 * 1024))
    sender.send_messages(ServiceBusMessage("x" * 3 * 1024))
    receiver = links.receiver("small", receive_mode="receiveanddelete")
    (message,) = receiver.receive_messages(10, max_wait_time=30)
    assert len(str(message)) == 3 * 1024


def test_scheduling_over_the_limit_is_refused(links: Links) -> None:
    when = datetime.now(UTC) + timedelta(hours=1)
    sender = links.sender("small")
    with pytest.raises(MessageSizeExceededError, match="4096 bytes"):
        sender.schedule_messages([ServiceBusMessage("x" * 1000)] * 5, when)
    (number,) = sender.schedule_messages([ServiceBusMessage("x" * 1000)], when)
    sender.cancel_scheduled_messages(number)


def test_nothing_can_be_sent_to_dead_letters(client: ServiceBusClient, queue: str) -> None:
    sender = client.get_queue_sender(f"{queue}/$deadletterqueue")
    with pytest.raises(ServiceBusError, match="dead-letter"):
        sender.send_messages(ServiceBusMessage("x"))
    sender.close()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The endpoint, which is expected to end at once."""
    return subprocess.run(
        [sys.executable, "-m", "local.service_bus", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=False,
    )


def test_a_taken_port_is_named(endpoint: EndpointProcess, tmp_path: Path) -> None:
    ended = run("--port", str(endpoint.port), "--data-dir", str(tmp_path), "--queue", "q")
    assert ended.returncode == 2
    assert ended.stderr == (
        f"local.service_bus: cannot listen on 127.0.0.1:{endpoint.port}: "
        "the port is taken by another process\n"
    )


def test_a_directory_in_use_is_named(endpoint: EndpointProcess) -> None:
    data = endpoint.directory / "data"
    ended = run("--port", str(free_ports(1)[0]), "--data-dir", str(data), "--queue", "q")
    assert ended.returncode == 2
    assert ended.stderr == (
        f"local.service_bus: the messages in {data} are in use by another process\n"
    )


@pytest.mark.parametrize(
    ("queue", "reason"),
    [
        ("q:lock=5", "'lock=5' is not one of lock_seconds"),
        ("q:lock_seconds=soon", "a number of seconds is needed"),
        ("q:max_delivery_count=0", "a whole number above 0 is needed"),
        ("q:requires_session=yes", "true or false is needed"),
        ("-q-", "starts and ends with a letter or digit"),
    ],
)
def test_a_queue_that_cannot_be_is_explained(tmp_path: Path, queue: str, reason: str) -> None:
    ended = run("--port", str(free_ports(1)[0]), "--data-dir", str(tmp_path), f"--queue={queue}")
    assert ended.returncode == 2
    assert reason in ended.stderr
    assert ended.stderr.count("\n") == 1
