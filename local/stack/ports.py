"""The four ports of the stack, and what to say when one of them is taken."""

from __future__ import annotations

import itertools
import random
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from local.stack.errors import StackError

HOST = "127.0.0.1"
"""Where every part listens. The stack is never offered to the network."""

SETTINGS = {
    "http": "GEOFORGE_HTTP_PORT",
    "postgres": "GEOFORGE_POSTGRES_PORT",
    "service_bus": "GEOFORGE_SERVICE_BUS_PORT",
    "blob": "GEOFORGE_BLOB_PORT",
}
"""The setting that moves each port."""


_SPARE_PORTS = range(20_000, 32_768)


@dataclass(frozen=True)
class Ports:
    """The TCP ports of the stack on the loopback interface."""

    http: int = 7071
    postgres: int = 55432
    service_bus: int = 5672
    blob: int = 10000

    @classmethod
    def from_values(cls, values: Mapping[str, str]) -> Ports:
        """Read the ports from settings; what is unset or empty keeps its default.

        Raises:
            StackError: a setting is not a port number, or two parts are given the same port.
        """
        chosen = {
            field: _port(setting, values[setting])
            for field, setting in SETTINGS.items()
            if values.get(setting)
        }
        ports = cls(**chosen)
        owner: dict[int, str] = {}
        for field in fields(cls):
            number, setting = getattr(ports, field.name), SETTINGS[field.name]
            if number in owner:
                raise StackError(f"{owner[number]} and {setting} are both {number}: move one.")
            owner[number] = setting
        return ports


def _port(setting: str, text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 0 < number < 65536:
        raise StackError(f"{setting} is {text!r}: a port is a number from 1 to 65535.")
    return number


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback interface now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: a connection of an earlier server that is closing takes no port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Find ports that nothing listens on, all different.

    They are below those that Linux hands to outgoing connections (32768 and up): a server that
    is started again finds its port as free as it left it.
    """
    candidates = random.sample(_SPARE_PORTS, len(_SPARE_PORTS))
    return list(itertools.islice(filter(is_free, candidates), count))


def require_free(wanted: Iterable[tuple[str, int]]) -> None:
    """Check that the ports that parts are about to listen on are free.

    Args:
        wanted: pairs of a setting's name and the port that it holds.

    Raises:
        StackError: names each port that is taken and the setting that moves it.
    """
    taken = [(setting, port) for setting, port in wanted if not is_free(port)]
    if not taken:
        return
    named = ", ".join(f"port {port} ({setting})" for setting, port in taken)
    spare = free_ports(len(taken))
    moved = " ".join(f"{setting}={port}" for (setting, _), port in zip(taken, spare, strict=True))
    verb = "is" if len(taken) == 1 else "are"
    raise StackError(f"{named} {verb} taken by another program. To use others: {moved} make up")
