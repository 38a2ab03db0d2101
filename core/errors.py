"""The exceptions of geoforge, as one tree.

::

    GeoforgeError                 has a stable `code`, a message for people, and details
    +-- InvalidRequest            what the caller sent is wrong          -> 400
    |   +-- InvalidParameters     fields are at fault, each named        -> 422
    +-- Forbidden                 the caller may not do this             -> 403
    +-- NotFound                  there is no such job, dataset, ...     -> 404
    +-- Conflict                  the present state forbids it           -> 409
    +-- PreconditionFailed        it was changed since the caller looked -> 412
    +-- PayloadTooLarge           the body is over the limit             -> 413
    +-- Unavailable               a dependency is down                   -> 503
    +-- TaskError                 a task (or a stage's planning) failed
        +-- PermanentTaskError    trying again would change nothing
        +-- TransientTaskError    worth another attempt, with backoff
        +-- TaskCancelled         the job was cancelled, or the lease was lost

A handler raises `PermanentTaskError` for bad input and `TransientTaskError` for trouble that
passes. Anything else that it raises is classified by `infrastructure.faults`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypedDict


class FieldError(TypedDict):
    """One field at fault: the path to it, and what is wrong with it."""

    loc: list[str | int]
    msg: str


class GeoforgeError(Exception):
    """Base of all errors that geoforge raises on purpose.

    `message` is shown to people and kept in the ledger: it names the culprit (field, file,
    item, container) and never holds a secret.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500

    def __init__(self, message: str, *, code: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.error_code = code or type(self).code
        self.details: Mapping[str, Any] = details

    def as_record(self) -> dict[str, Any]:
        """The error as it is kept in the ledger and shown in `error`."""
        return {"code": self.error_code, "message": self.message, **self.details}


class InvalidRequest(GeoforgeError):
    code = "invalid_request"
    status = 400


class InvalidParameters(InvalidRequest):
    """Fields are at fault; `errors` names each of them."""

    code = "invalid_parameters"
    status = 422

    def __init__(
        self, message: str, errors: Sequence[FieldError], *, code: str | None = None
    ) -> None:
        super().__init__(message, code=code)
        self.errors = list(errors)


class Forbidden(GeoforgeError):
    code = "forbidden"
    status = 403


class NotFound(GeoforgeError):
    code = "not_found"
    status = 404


class Conflict(GeoforgeError):
    code = "conflict"
    status = 409


class PreconditionFailed(GeoforgeError):
    code = "precondition_failed"
    status = 412


class PayloadTooLarge(GeoforgeError):
    code = "payload_too_large"
    status = 413


class Unavailable(GeoforgeError):
    code = "unavailable"
    status = 503


class TaskError(GeoforgeError):
    code = "task_failed"


class PermanentTaskError(TaskError):
    code = "task_failed"


class TransientTaskError(TaskError):
    code = "task_failed_transiently"


class TaskCancelled(TaskError):
    code = "cancelled"
