"""The endpoint as its own process, and clients of the unmodified azure-servicebus SDK."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceivedMessage,
    ServiceBusReceiver,
    ServiceBusSender,
)
from azure.servicebus.aio import ServiceBusReceiver as AsyncReceiver

from local.stack.ports import free_ports

ROOT = Path(__file__).resolve().parents[4]
_SPARE_QUEUES = 20
_START_SECONDS = 60


class EndpointProcess:
    """`python -m local.service_bus`, to be started, killed and started again on its data."""

    def __init__(self, directory: Path, queues: Sequence[str], *options: str) -> None:
        [self.port] = free_ports(1)
        self.directory = directory
        self.log = directory / "endpoint.log"
        self._arguments = [
            *(sys.executable, "-m", "local.service_bus"),
            *("--port", str(self.port), "--data-dir", str(directory / "data"), *options),
            *(part for queue in queues for part in ("--queue", queue)),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def connection_string(self) -> str:
        """As an app would have it in its settings."""
        return (
            f"Endpoint=sb://127.0.0.1:{self.port};SharedAccessKeyName=RootManageSharedAccessKey;"
            "SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;"
        )

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The running process."""
        assert self._process is not None
        return self._process

    def client(self) -> ServiceBusClient:
        """A client that reports a failure at once instead of trying for seconds."""
        return ServiceBusClient.from_connection_string(self.connection_string, retry_total=0)

    def start(self) -> EndpointProcess:
        """Starts the process and waits until it listens."""
        seen = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._arguments, stderr=log, cwd=ROOT)
        deadline = time.monotonic() + _START_SECONDS
        while f"ready on 127.0.0.1:{self.port}" not in self.log.read_text()[seen:]:
            assert self._process.poll() is None, self.log.read_text()[seen:]
            assert time.monotonic() < deadline, self.log.read_text()[seen:]
            time.sleep(0.02)
        return self

    def kill(self) -> None:
        """Ends the process as `kill -9` does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Asks the process to end, as a supervisor does; gives its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(60)


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EndpointProcess]:
    """An endpoint for all tests of this directory, with queues enough for each."""
    queues = [
        *(f"spare{number}" for number in range(_SPARE_QUEUES)),
        "thrice:max_delivery_count=3",
        "brief-too:lock_seconds=3",
        "renewed:lock_seconds=4",
        "held:lock_seconds=5",
        "expiring:ttl_seconds=0.5",
        "forgetting:ttl_seconds=0.5,dead_letter_on_expiration=false",
        "small:max_message_kb=4",
        "large:max_message_kb=1024",
        "sessions:requires_session=true",
        "more-sessions:requires_session=true,lock_seconds=3",
    ]
    process = EndpointProcess(tmp_path_factory.mktemp("endpoint"), queues).start()
    yield process
    assert process.stop() == 0
    assert "Traceback" not in process.log.read_text()


@pytest.fixture(scope="session")
def _numbers() -> Iterator[int]:
    return count()


@pytest.fixture
def queue(_numbers: Iterator[int]) -> str:
    """A queue that no other test uses."""
    number = next(_numbers)
    assert number < _SPARE_QUEUES, "more tests than spare queues"
    return f"spare{number}"


@pytest.fixture(scope="session")
def client(endpoint: EndpointProcess) -> Iterator[ServiceBusClient]:
    """A synchronous client."""
    with endpoint.client() as client:
        yield client


def receive(
    receiver: ServiceBusReceiver, number: int, seconds: float = 30
) -> list[ServiceBusReceivedMessage]:
    """Receives exactly `number` messages, in as many calls as it takes: the SDK returns what is
    there when the first one is."""
    messages: list[ServiceBusReceivedMessage] = []
    while len(messages) < number:
        some = receiver.receive_messages(number - len(messages), max_wait_time=seconds)
        assert some, f"{len(messages)} of {number} messages came"
        messages += some
    return messages


async def receive_async(
    receiver: AsyncReceiver, number: int, seconds: float = 30
) -> list[ServiceBusReceivedMessage]:
    """As `receive`."""
    messages: list[ServiceBusReceivedMessage] = []
    while len(messages) < number:
        some = await receiver.receive_messages(number - len(messages), max_wait_time=seconds)
        assert some, f"{len(messages)} of {number} messages came"
        messages += some
    return messages


class Links:
    """Senders and receivers of a client.

    The SDK takes half a second to open a link and as long to close one. So what tests need is
    opened ahead, all at the same time, and closed while the next test runs.
    """

    def __init__(self, client: ServiceBusClient) -> None:
        self._client = client
        self._senders: dict[str, ServiceBusSender] = {}
        self._plain_receivers: dict[str, ServiceBusReceiver] = {}
        self._receivers: list[ServiceBusReceiver] = []
        self._threads = ThreadPoolExecutor(16)
        self._closing: list[Future[None]] = []

    def open_ahead(self, queues: Sequence[str]) -> None:
        """Opens a sender and a receiver for each queue."""
        self._senders = {queue: self._client.get_queue_sender(queue) for queue in queues}
        self._plain_receivers = {queue: self._client.get_queue_receiver(queue) for queue in queues}
        opened = [*self._senders.values(), *self._plain_receivers.values()]
        list(self._threads.map(lambda link: link.__enter__(), opened))

    def sender(self, queue: str) -> ServiceBusSender:
        """The sender to a queue."""
        if queue not in self._senders:
            self._senders[queue] = self._client.get_queue_sender(queue)
        return self._senders[queue]

    def send(self, queue: str, *bodies: str) -> None:
        """Sends messages as one batch."""
        self.sender(queue).send_messages([ServiceBusMessage(body) for body in bodies])

    def receiver(self, queue: str, **options: Any) -> ServiceBusReceiver:
        """A receiver of a queue, to be closed after the test."""
        ahead = None if options else self._plain_receivers.pop(queue, None)
        receiver = ahead or self._client.get_queue_receiver(queue, **options)
        self._receivers.append(receiver)
        return ahead or receiver.__enter__()

    def end_test(self) -> None:
        """Lets the test's receivers be closed."""
        self._closing += [self._threads.submit(each.close) for each in self._receivers]
        self._receivers.clear()

    def close(self) -> None:
        """Waits until all is closed; fails where closing failed."""
        ahead = [*self._senders.values(), *self._plain_receivers.values()]
        self._closing += [self._threads.submit(each.close) for each in ahead]
        for closing in self._closing:
            closing.result(60)
        self._threads.shutdown()


@pytest.fixture(scope="session")
def _links(client: ServiceBusClient) -> Iterator[Links]:
    links = Links(client)
    links.open_ahead([f"spare{number}" for number in range(_SPARE_QUEUES)])
    yield links
    links.close()


@pytest.fixture
def links(_links: Links) -> Iterator[Links]:
    """Senders and receivers."""
    yield _links
    _links.end_test()
