"""The app's settings for a test, without touching those of the process around it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from config import get_settings
from infrastructure import blob_storage, database, job_progress
from tests.support.metrics import silence

# Addresses at which nothing answers: a test names the servers that it is about.
_NOWHERE = {
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
    "AZURE_STORAGE_CONNECTION_STRING": "AccountName=devstoreaccount1;AccountKey=c2VjcmV0;"
    "BlobEndpoint=http://127.0.0.1:1/devstoreaccount1;",
    "SERVICE_BUS_CONNECTION_STRING": "Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=k;"
    "SharedAccessKey=c2VjcmV0;UseDevelopmentEmulator=true;",
}


@contextmanager
def app_settings(**named: str) -> Iterator[None]:
    """Settings that name these servers and no others; what was made with others is forgotten."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("GEOFORGE_URL", raising=False)
        for setting, value in {**_NOWHERE, **named}.items():
            environment.setenv(setting, value)
        _forget()
        yield
    _forget()


def _forget() -> None:
    silence(job_progress._outbox)
    database.close_pool()
    blob_storage.service.cache_clear()
    get_settings.cache_clear()
