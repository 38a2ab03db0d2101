"""Containers and blobs as people look for them: by a part of the name, a few at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from azure.storage.blob import BlobProperties

from infrastructure import blob_storage

# What one request lists.
_PAGE = 5000


@dataclass(frozen=True, slots=True)
class ListedBlob:
    """A blob of a listing; `size` in bytes."""

    path: str
    size: int
    modified_at: datetime


def containers() -> list[str]:
    """The names of the storage account's containers, in order. Raises `Unavailable`."""
    with blob_storage.faults("*"):
        return [each.name for each in islice(blob_storage.service().list_containers(), _PAGE)]


def blobs(container: str, text: str, *, limit: int) -> tuple[list[ListedBlob], bool]:
    """Blobs whose paths begin with a text, in their order, and whether there are more.

    Where none does, those of the container's first 5,000 that hold it, in any case. Raises
    `NotFound` where there is no such container, `Unavailable` when storage is down.
    """
    found = _listed(container, text, limit + 1, lambda _: True)
    if not found and text:
        wanted = text.lower()
        found = _listed(container, "", limit + 1, lambda blob: wanted in blob.name.lower())
    return found[:limit], len(found) > limit


def _listed(
    container: str, prefix: str, limit: int, fits: Callable[[BlobProperties], bool]
) -> list[ListedBlob]:
    with blob_storage.faults(container):
        listing = blob_storage.container_client(container).list_blobs(
            name_starts_with=prefix or None, results_per_page=min(limit, _PAGE) if prefix else _PAGE
        )
        fitting = (blob for blob in islice(listing, _PAGE) if fits(blob))
        return [
            ListedBlob(blob.name, blob.size, blob.last_modified) for blob in islice(fitting, limit)
        ]
