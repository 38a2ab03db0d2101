"""What an operator sets: the queues with their rules, and the key that clients sign with."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

DEAD_LETTER_SUFFIX = "/$deadletterqueue"

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/-]{0,258}[A-Za-z0-9])?")


class ConfigError(ValueError):
    """A setting that cannot be used; the text says which and why."""


@dataclass(frozen=True, slots=True)
class QueueSpec:
    """The rules of one queue, by the names that `--queue NAME:key=value,...` has for them."""

    name: str
    lock_seconds: float = 60
    """How long a received message is kept from other receivers."""
    max_delivery_count: int | None = 10
    """Failed deliveries after which a message is dead-lettered; None for no limit."""
    ttl_seconds: float | None = None
    """Longest time a message stays in the queue; None for no limit."""
    dead_letter_on_expiration: bool = True
    """Whether a message that expires is dead-lettered; otherwise it is removed."""
    requires_session: bool = False
    """Whether messages carry a session id and are received session by session."""
    max_message_kb: int = 256
    """Largest message or batch, in KiB; Service Bus Standard has 256."""

    @property
    def lock_ms(self) -> int:
        """The lock duration in milliseconds."""
        return int(self.lock_seconds * 1000)

    @property
    def ttl_ms(self) -> int | None:
        """The time to live in milliseconds."""
        return None if self.ttl_seconds is None else int(self.ttl_seconds * 1000)

    @property
    def max_message_bytes(self) -> int:
        """The size limit of a message or batch in bytes."""
        return self.max_message_kb * 1024

    def for_dead_letters(self) -> QueueSpec:
        """The rules of this queue's dead-letter queue: nothing in it expires or is moved."""
        return replace(
            self,
            name=self.name + DEAD_LETTER_SUFFIX,
            max_delivery_count=None,
            ttl_seconds=None,
            requires_session=False,
        )

    @classmethod
    def parse(cls, text: str) -> QueueSpec:
        """A queue from `NAME` or `NAME:key=value,key=value`. Raises ConfigError."""
        name, _, settings = text.partition(":")
        if not _NAME.fullmatch(name) or "//" in name:
            raise ConfigError(
                f"queue {name!r}: a name has up to 260 letters, digits, '.', '-', '_' and '/', "
                "and starts and ends with a letter or digit"
            )
        values: dict[str, object] = {}
        for setting in filter(None, settings.split(",")):
            key, equals, value = (part.strip() for part in setting.partition("="))
            if key not in _READERS or not equals:
                raise ConfigError(
                    f"queue {name!r}: {setting!r} is not one of {', '.join(_READERS)} with a value"
                )
            try:
                values[key] = _READERS[key](value)
            except ValueError as error:
                raise ConfigError(f"queue {name!r}: {key} = {value!r}: {error}") from None
        return cls(name.lower(), **values)  # type: ignore[arg-type]


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError("a number of seconds is needed") from None
    if not 0 < value < 1e10:
        raise ValueError("it has to be more than 0 and finite")
    return value


def _whole(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 2**31:
        raise ValueError("a whole number above 0 is needed")
    return int(text)


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("true or false is needed")
    return text.lower() == "true"


_READERS = {
    "lock_seconds": _seconds,
    "max_delivery_count": _whole,
    "ttl_seconds": _seconds,
    "dead_letter_on_expiration": _flag,
    "requires_session": _flag,
    "max_message_kb": _whole,
}


@dataclass(frozen=True, slots=True)
class AccessKey:
    """The shared access key that clients sign their tokens with."""

    name: str = "RootManageSharedAccessKey"
    key: str = "SAS_KEY_VALUE"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> AccessKey:
        """The key of GEOFORGE_SERVICE_BUS_KEY_NAME and GEOFORGE_SERVICE_BUS_KEY, else the default.

        The default is the one that Microsoft's own emulator has in its documentation.
        """
        default = cls()
        return cls(
            environment.get("GEOFORGE_SERVICE_BUS_KEY_NAME") or default.name,
            environment.get("GEOFORGE_SERVICE_BUS_KEY") or default.key,
        )
