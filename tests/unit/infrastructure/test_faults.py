"""What an exception means for its task."""

from __future__ import annotations

import time

import psycopg
import pytest
from azure.core.exceptions import HttpResponseError, ServiceRequestError
from psycopg_pool import PoolTimeout

from core.errors import (
    Conflict,
    InvalidParameters,
    NotFound,
    PermanentTaskError,
    TaskCancelled,
    TransientTaskError,
    Unavailable,
)
from infrastructure.faults import classify, redact


def http_error(status: int | None) -> HttpResponseError:
    error = HttpResponseError("It answered oddly.")
    error.status_code = status
    return error


@pytest.mark.parametrize(
    "error",
    [
        TransientTaskError("Busy."),
        Unavailable("Down."),
        psycopg.OperationalError("server closed the connection unexpectedly"),
        psycopg.errors.AdminShutdown("terminating connection"),
        psycopg.errors.TooManyConnections("sorry, too many clients"),
        psycopg.errors.DeadlockDetected("deadlock"),
        psycopg.errors.SerializationFailure("could not serialize"),
        psycopg.errors.LockNotAvailable("lock timeout"),
        psycopg.errors.QueryCanceled("statement timeout"),
        PoolTimeout("no connection"),
        ConnectionResetError("reset"),
        TimeoutError("too slow"),
        MemoryError(),
        http_error(None),
        http_error(408),
        http_error(429),
        http_error(500),
        http_error(503),
        ServiceRequestError("no route to host"),
    ],
    ids=repr,
)
def test_what_passes_is_tried_again(error: Exception) -> None:
    fault = classify(error)
    assert (fault.transient, fault.cancelled) == (True, False)


@pytest.mark.parametrize(
    "error",
    [
        PermanentTaskError("Bad raster."),
        NotFound("No such blob."),
        Conflict("Not now."),
        InvalidParameters("Bad.", []),
        psycopg.errors.UndefinedTable("relation does not exist"),
        psycopg.errors.UniqueViolation("duplicate key"),
        psycopg.errors.OutOfMemory("out of memory"),
        http_error(400),
        http_error(403),
        http_error(404),
        http_error(409),
        ValueError("not a number"),
        KeyError("crs"),
        FileNotFoundError("x.tif"),
        RecursionError(),
        NotImplementedError(),
    ],
    ids=repr,
)
def test_what_stays_wrong_is_given_up(error: Exception) -> None:
    fault = classify(error)
    assert (fault.transient, fault.cancelled) == (False, False)


def test_a_cancel_is_neither() -> None:
    fault = classify(TaskCancelled("The job was cancelled."))
    assert (fault.transient, fault.cancelled) == (False, True)
    assert fault.record == {"code": "cancelled", "message": "The job was cancelled."}


def test_our_errors_keep_code_and_details() -> None:
    fault = classify(PermanentTaskError("Not a COG.", code="not_a_cog", blob="a.tif", band=2))
    assert fault.record == {
        "code": "not_a_cog",
        "message": "Not a COG.",
        "blob": "a.tif",
        "band": 2,
    }


def test_a_stranger_is_named() -> None:
    assert classify(KeyError("crs")).record == {
        "code": "internal_error",
        "message": "KeyError: 'crs'",
    }


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://me:hunter2@db/x",
        "https://a.blob.core.windows.net/c/b?sv=1&sig=hunter2&se=2",
        "AccountName=a;AccountKey=hunter2;Endpoint=x",
        "Endpoint=sb://x;SharedAccessKey=hunter2;",
        "password=hunter2 host=db",
        "https://ibat.example/?auth_key=hunter2&auth_token=hunter2",
        "Authorization: Bearer hunter2",
        "authorization: bearer hunter2",
        "Authorization: Basic hunter2==",
        "postgresql://me:pass@hunter2@db/x",
        "postgresql://me:hunter2@x@y@db,other/x",
        "https://login.example/?access_token=hunter2",
        "grant_type=client_credentials&client_secret=hunter2",
        "https://s3.example/a.tif?X-Amz-Credential=hunter2&X-Amz-Signature=hunter2",
        "https://maps.example/tiles?key=hunter2",
        "https://app.example/api/jobs?code=hunter2",
        "https://maps.example/tiles?api_key=hunter2&subscription-key=hunter2",
        "host=db password = 'hun hunter2' user=me",
        'host=db password="hun hunter2"',
        "password='cut off hunter2",
        "password=a,b)hunter2",
        '{"user": "me", "password": "hunter2"}',
        """{'client_secret': 'hunter2', 'access_token' : "hunter2"}""",
        '{"password": "quoted \\" hunter2", "a": 1}',
        '{"body": "{\\"password\\": \\"hunter2\\"}"}',
        '{"token": "cut off hunter2',
    ],
)
def test_no_credential_is_kept(text: str) -> None:
    assert "hunter2" not in redact(text)
    assert "hunter2" not in str(classify(ValueError(text)).record)
    assert "hunter2" not in str(classify(PermanentTaskError(text, source=[text])).record)


def test_what_is_no_credential_is_kept() -> None:
    for text in (
        "https://host:8080/design=1?signal=2 at 12:30@noon",
        "WHERE key = 5 AND exit code=3",
        "unexpected token: '}' at 12",
        "SharedAccessKeyName=Root;tokens=5;keys=2;monkey=1",
        '{"key": "crs", "asset": "data"}',
        "basic authorization is missing",
    ):
        assert redact(text) == text


def test_what_stands_beside_a_credential_is_kept() -> None:
    assert redact("postgresql://me:a@b@db:5432/x?a=1") == "postgresql://me:***@db:5432/x?a=1"
    assert redact("https://x/?sv=1&sig=a&se=2") == "https://x/?sv=1&sig=***&se=2"
    assert redact('{"password": "a", "n": 1}') == '{"password": ***, "n": 1}'
    assert redact("password='a b' host=db") == "password=*** host=db"


def test_a_huge_text_costs_little() -> None:
    began = time.monotonic()
    for piece in ("x", "token", "://a:", "'", '\\"', "key=", "password ", '"token":"'):
        redact(piece * (1_000_000 // len(piece)))
    # Quadratic, it would take hours.
    assert time.monotonic() - began < 120


def test_a_long_text_is_cut() -> None:
    assert len(redact("x" * 100_000)) == 2000
    assert redact("x" * 2000) == "x" * 2000
