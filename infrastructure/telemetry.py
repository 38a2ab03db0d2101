"""Logs that say which job, stage, task and attempt each line belongs to.

`task_scope` sets the context; a log record factory adds it to every record made inside, as
attributes (job_id, stage, task, attempt: custom dimensions in Application Insights) and in
front of the message, since the Functions host forwards nothing but the text.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from config import Settings

_scope: ContextVar[dict[str, Any] | None] = ContextVar("geoforge_log_scope", default=None)

_QUIET = (
    "azure",
    "azure.core.pipeline.policies.http_logging_policy",
    "azure.servicebus",
    "uamqp",
    "psycopg.pool",
    "rasterio",
)


@contextmanager
def task_scope(**fields: Any) -> Iterator[None]:
    """Add fields (job_id, stage, task, attempt) to every log record made inside."""
    token = _scope.set({**(_scope.get() or {}), **fields})
    try:
        yield
    finally:
        _scope.reset(token)


def configure(settings: Settings) -> None:
    """Set up logging and, where its connection string is set, Application Insights."""
    if settings.application_insights is not None:
        # Imported here: it is slow to import, and absent telemetry should cost nothing.
        from azure.monitor.opentelemetry import configure_azure_monitor

        configure_azure_monitor(
            connection_string=settings.application_insights.get_secret_value(),
            logger_name="",
        )
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("config", "core", "infrastructure", "services", "jobs", "web_interfaces"):
        logging.getLogger(name).setLevel(settings.log_level)
    if not isinstance(logging.getLogRecordFactory(), _ScopedRecords):
        logging.setLogRecordFactory(_ScopedRecords(logging.getLogRecordFactory()))


class _ScopedRecords:
    """A log record factory around the one that was there."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __call__(self, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record: logging.LogRecord = self._inner(*args, **kwargs)
        scope = _scope.get()
        if scope:
            for name, value in scope.items():
                setattr(record, name, value)
            fields = " ".join(f"{name}={_short(value)}" for name, value in scope.items())
            # With arguments, the text is a format in which a % of ours must stand for itself.
            record.msg = f"[{fields.replace('%', '%%') if record.args else fields}] {record.msg}"
        return record


def _short(value: Any) -> str:
    text = str(value)
    return text[:12] if len(text) == 64 else text
