"""What the tests of the sandbox run in it: well-behaved, and otherwise."""

from __future__ import annotations

import ctypes
import os
import random
import socket
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from typing import Any, BinaryIO

from core.errors import GeoforgeError
from infrastructure.sandbox_frames import HEADER, Frame

Emit = Callable[[str, bytes], None]


def echo(**arguments: Any) -> Any:
    return arguments


def environment() -> dict[str, str]:
    return dict(os.environ)


def process() -> int:
    return os.getpid()


def fail(message: str) -> None:
    raise ValueError(message)


def refuse(message: str) -> None:
    raise GeoforgeError(message, code="not_a_map")


def crash() -> None:
    ctypes.string_at(0)


def leave(code: int) -> None:
    os._exit(code)


def spin() -> None:
    while True:
        pass


def burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def sleep_with_child() -> None:
    subprocess.run(["sleep", "60"], check=True)


def eat(mebibytes: int) -> int:
    return len(bytearray(mebibytes << 20))


def write(path: str, size: int) -> None:
    with open(path, "wb") as file:
        file.write(b"x" * size)


def scribble() -> str:
    print("not of the protocol")
    os.write(1, b"neither")
    return "well"


def answer(size: int) -> str:
    return "x" * size


def not_json() -> object:
    return object()


def connect(port: int) -> str:
    with socket.socket() as client:
        client.settimeout(2)
        client.connect(("127.0.0.1", port))
    return "connected"


def middle(offset: int, length: int, data: BinaryIO) -> str:
    data.seek(offset)
    return data.read(length).decode()


def ends(data: BinaryIO) -> list[int]:
    return [data.seek(0, 2), data.tell(), len(data.read()), data.seek(-3, 1)]


def ask(data: Any, **request: Any) -> int:
    """Speak the protocol as no `RemoteFile` would; the length of the answer."""
    channel = data.raw._channel
    channel.send(Frame.READ, request)
    return len(channel.receive())


def ask_and_not_listen(data: Any, length: int) -> None:
    data.raw._channel.send(Frame.READ, {"source": "data", "offset": 0, "length": length})
    time.sleep(60)


def babble(data: Any, text: str) -> None:
    outgoing = data.raw._channel._outgoing
    outgoing.write(HEADER.pack(len(text), Frame.READ) + text.encode())
    outgoing.flush()
    time.sleep(60)


def stream(sink: str, pieces: int, size: int, emit: Emit) -> int:
    """Emit pieces of one letter each, a to z and around."""
    for number in range(pieces):
        emit(sink, bytes([97 + number % 26]) * size)
    return pieces * size


def alternate(rounds: int, emit: Emit) -> None:
    for number in range(rounds):
        emit("even" if number % 2 == 0 else "odd", b"%d," % number)


def emit_for_ever(emit: Emit) -> None:
    while True:
        emit("out", bytes(1 << 20))


def emit_then_fail(emit: Emit) -> None:
    emit("out", b"half")
    raise ValueError("no more")


def emit_as_number(number: int, emit: Any) -> None:
    """Speak the protocol to a sink that was not offered."""
    emit._channel.emit(number, b"x")
    time.sleep(60)


def modules() -> list[str]:
    return sorted(sys.modules)


def try_files(paths: dict[str, str]) -> dict[str, str]:
    """What comes of reading, listing or writing files, by path: "done", or the error."""
    outcome = {}
    for path, way in paths.items():
        try:
            if way == "list":
                os.listdir(path)
            else:
                with open(path, "rb" if way == "read" else "wb") as file:
                    _ = file.read(1) if way == "read" else file.write(b"x")
        except OSError as error:
            outcome[path] = type(error).__name__
        else:
            outcome[path] = "done"
    return outcome


remembered: list[str] = []


def remember(word: str) -> list[str]:
    """All words that this process was given."""
    remembered.append(word)
    return remembered


def descriptors() -> list[str]:
    """What the process has open."""
    return sorted(os.readlink(entry.path) for entry in os.scandir("/proc/self/fd"))


def signal_to(process: int) -> None:
    """See whether a process may be signalled."""
    os.kill(process, 0)


def random_numbers() -> list[float]:
    return [random.random(), uuid.uuid4().int]


def start_and_die() -> None:
    """Leave a process behind, whose id is in `left.txt`."""
    left = subprocess.Popen(["sleep", "60"])
    with open("left.txt", "w") as file:
        file.write(str(left.pid))
    ctypes.string_at(0)


def temporary_file_of_sqlite() -> str:
    """Where SQLite puts what it has no room for in memory."""
    with closing(sqlite3.connect("", isolation_level=None)) as database:
        database.execute("PRAGMA cache_size = 1")
        database.execute("CREATE TABLE t AS SELECT randomblob(100000)")
        database.execute("BEGIN")
        database.execute("INSERT INTO t SELECT randomblob(100000)")
        [path] = [path for path in descriptors() if "etilqs" in path]
    return path
