"""What can be said of a function that did not return from its sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from core.errors import GeoforgeError


class SandboxFault(StrEnum):
    """What went wrong in the child."""

    RAISED = "raised"
    CRASHED = "crashed"
    KILLED = "killed"  # by the system or its owner: not by what was parsed
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"


class SandboxError(GeoforgeError):
    """The function did not return. `fault` says how; the message can be shown to users.

    `raised_code` is the code of the `GeoforgeError` that the function raised, if it was one,
    and the message is then that error's.
    """

    code = "sandbox_failed"

    def __init__(
        self, fault: SandboxFault, message: str, *, raised_code: str | None = None
    ) -> None:
        super().__init__(message, code=f"sandbox_{fault}")
        self.fault = fault
        self.raised_code = raised_code


def senseless() -> SandboxError:
    """The child does not keep to the protocol: something in it has been overwritten."""
    return SandboxError(SandboxFault.CRASHED, "The parser lost its senses.")


def told(answer: Mapping[str, Any]) -> SandboxError:
    """The error that the child tells of."""
    try:
        fault, message, code = SandboxFault(answer["fault"]), answer["error"], answer.get("code")
    except (KeyError, ValueError):
        return senseless()
    return SandboxError(fault, str(message), raised_code=None if code is None else str(code))
