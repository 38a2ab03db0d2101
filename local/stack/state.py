"""What the supervisor knows, as `.local/state.json`: how commands learn of a running stack."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from local.stack.errors import StackError
from local.stack.process import Identity, Process

Condition = Literal["waiting", "starting", "healthy", "unresponsive", "restarting", "failed"]
"""What can be said of a part.

waiting: for another part that it needs; starting: its process runs, it does not serve yet;
healthy: it serves; unresponsive: it has served and its process runs, but it does not answer now;
restarting: it died and is about to be started again; failed: its first start did not succeed.
"""


@dataclass
class PartState:
    """A part as the supervisor last saw it.

    Attributes:
        command: what its process runs, to tell whether a later supervisor would start the same.
        since: when the condition began, in seconds since the epoch.
        process: its latest process, dead or alive.
        stop_signal: what asks its process to end.
        restarts: how often it had to be started again.
        detail: why it is in this condition, where there is something to say.
    """

    name: str
    title: str
    address: str
    log: str
    command: list[str]
    stop_signal: int
    since: float
    condition: Condition = "waiting"
    detail: str = ""
    process: Identity | None = None
    restarts: int = 0

    def live_process(self) -> Process | None:
        """Its process, if that still runs."""
        if self.process is None or not self.process.is_alive():
            return None
        return Process(self.process)


@dataclass
class StackState:
    """The whole stack.

    Attributes:
        supervisor: the process that keeps it running.
        fingerprint: of the settings that it was started with.
        environment: what `make env` prints. Holds passwords, so the file is its owner's only.
        parts: in the order in which they were started.
    """

    supervisor: Identity
    fingerprint: str
    environment: dict[str, str] = field(repr=False)
    parts: list[PartState]

    @classmethod
    def read(cls, path: Path) -> StackState | None:
        """Read what the last supervisor wrote; None where there is no such file.

        Raises:
            StackError: another version of geoforge wrote it.
        """
        try:
            document = json.loads(path.read_text("utf-8"))
            return cls(
                supervisor=Identity(**document["supervisor"]),
                fingerprint=document["fingerprint"],
                environment=document["environment"],
                parts=[_part(part) for part in document["parts"]],
            )
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise StackError(
                f"{path} is of another version of geoforge ({error!r}): end the processes that it "
                "names, delete it, and try again."
            ) from error

    def write(self, path: Path) -> None:
        """Replace the file, in one step: a reader sees the old state or the new."""
        new = path.with_suffix(".new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=2)
        new.replace(path)

    def part(self, name: str) -> PartState | None:
        """The part of this name; None if it is not one of this stack's."""
        return next((part for part in self.parts if part.name == name), None)

    def is_healthy(self) -> bool:
        """Whether every part serves."""
        return all(part.condition == "healthy" for part in self.parts)


def _part(document: dict[str, Any]) -> PartState:
    process = document.pop("process")
    return PartState(**document, process=Identity(**process) if process else None)
