"""Azure Blob Storage: clients, and the job's workspace.

Blobs are named by (container, path). A path that climbs out of its container, or a container
name that Azure forbids, never reaches the service: see `core.blob_names`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.identity import DefaultAzureCredential
from azure.storage.blob import (
    BlobClient,
    BlobProperties,
    BlobServiceClient,
    ContainerClient,
    ExponentialRetry,
)

from config import get_settings
from core.errors import NotFound, Unavailable
from infrastructure import metering

# Reads and writes of one blob go in requests of this size: bounded memory at any blob size.
CHUNK_BYTES = 8 * 1024 * 1024


@lru_cache
def service() -> BlobServiceClient:
    """The storage account's client, by connection string or managed identity."""
    settings = get_settings()
    options: dict[str, Any] = {
        "retry_policy": ExponentialRetry(initial_backoff=1, increment_base=2, retry_total=3),
        "connection_timeout": 5,
        "read_timeout": 60,
        "max_single_get_size": CHUNK_BYTES,
        "max_chunk_get_size": CHUNK_BYTES,
        "max_single_put_size": CHUNK_BYTES,
        "max_block_size": CHUNK_BYTES,
    }
    if settings.storage_connection_string is not None:
        return BlobServiceClient.from_connection_string(
            settings.storage_connection_string.get_secret_value(), **options
        )
    assert settings.storage_account_url is not None  # Settings requires one of the two.
    return BlobServiceClient(
        settings.storage_account_url, credential=DefaultAzureCredential(), **options
    )


@contextmanager
def faults(container: str, path: str | None = None) -> Iterator[None]:
    """Turn the SDK's errors into ours, naming container and blob, and never a credential.

    A missing container or blob becomes `NotFound`, a service that does not answer, refuses
    the credential or fails inside becomes `Unavailable`.
    """
    what = f"container {container!r}" if path is None else f"blob {container!r}/{path!r}"
    try:
        yield
    except ResourceNotFoundError as error:
        if getattr(error, "error_code", None) == "ContainerNotFound":
            raise NotFound(
                f"There is no container {container!r} in the storage account.",
                code="container_not_found",
                container=container,
            ) from error
        raise NotFound(
            f"There is no {what}.", code="blob_not_found", container=container, path=path
        ) from error
    except ClientAuthenticationError as error:
        raise Unavailable(
            f"Blob storage refused the app's credential for {what}.",
            code="storage_forbidden",
            service="storage",
        ) from error
    except (ServiceRequestError, ServiceResponseError) as error:
        raise Unavailable(
            f"Blob storage does not answer (while using {what}).",
            code="storage_unavailable",
            service="storage",
        ) from error
    except ResourceExistsError:
        raise
    except AzureError as error:
        status = getattr(error, "status_code", None)
        if isinstance(status, int) and status >= 500:
            raise Unavailable(
                f"Blob storage failed (HTTP {status}) while using {what}.",
                code="storage_unavailable",
                service="storage",
            ) from error
        raise


def container_client(container: str) -> ContainerClient:
    return service().get_container_client(container)


def blob_client(container: str, path: str) -> BlobClient:
    return service().get_blob_client(container, path)


def read_bytes(container: str, path: str, *, limit: int | None = None) -> bytes:
    """A whole blob. `limit` (bytes) refuses larger ones with ValueError before reading."""
    with faults(container, path):
        stream = blob_client(container, path).download_blob()
        if limit is not None and stream.size > limit:
            raise ValueError(
                f"{container}/{path} has {stream.size} bytes, over the limit of {limit}"
            )
        data = stream.readall()
    metering.read(len(data))
    return data


def write_bytes(
    container: str, path: str, data: bytes, *, content_type: str = "application/octet-stream"
) -> None:
    """Write a blob whole: readers see the old content or the new, never a part."""
    from azure.storage.blob import ContentSettings

    with faults(container, path):
        blob_client(container, path).upload_blob(
            data, overwrite=True, content_settings=ContentSettings(content_type=content_type)
        )
    metering.wrote(len(data))


def properties(container: str, path: str) -> BlobProperties | None:
    """The blob's properties (size, etag, MD5, metadata), or None where there is none."""
    try:
        with faults(container, path):
            return blob_client(container, path).get_blob_properties()
    except NotFound:
        return None


def ensure_container(container: str) -> bool:
    """Create the container where it is missing; whether it was."""
    try:
        with faults(container):
            container_client(container).create_container()
    except ResourceExistsError:
        return False
    return True


def container_exists(container: str) -> bool:
    with faults(container):
        return container_client(container).exists()


class BlobWorkspace:
    """The files of one job between its stages: blobs work/<job_id>/<name>.

    They are reachable from every worker, and removed when the job is finalized.
    """

    def __init__(self, job_id: str) -> None:
        self._container = get_settings().work_container
        self._prefix = f"work/{job_id}/"

    def write_bytes(self, name: str, data: bytes) -> None:
        try:
            write_bytes(self._container, self._prefix + name, data)
        except NotFound:
            ensure_container(self._container)
            write_bytes(self._container, self._prefix + name, data)

    def read_bytes(self, name: str) -> bytes:
        return read_bytes(self._container, self._prefix + name)

    def write_json(self, name: str, value: Any) -> None:
        self.write_bytes(name, json.dumps(value, ensure_ascii=False).encode())

    def read_json(self, name: str) -> Any:
        return json.loads(self.read_bytes(name))

    def exists(self, name: str) -> bool:
        return properties(self._container, self._prefix + name) is not None

    def remove(self) -> int:
        """Delete all of the job's files; their number. Safe to repeat."""
        removed = 0
        try:
            with faults(self._container):
                container = container_client(self._container)
                for name in container.list_blob_names(name_starts_with=self._prefix):
                    with suppress(ResourceNotFoundError):  # another worker was quicker
                        container.delete_blob(name)
                        removed += 1
        except NotFound:  # no job has needed the container yet
            return removed
        return removed
