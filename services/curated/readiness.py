"""Whether a dataset can be updated here at all: geoforge has its handler, and its credentials."""

from __future__ import annotations

from core.errors import Conflict
from core.models.curated import CuratedDataset
from services.curated import credentials, handlers
from services.curated.handler import Handler


def credential_names(dataset: CuratedDataset) -> tuple[str, ...]:
    """The settings that must be there, as far as is known without the handler."""
    handler = handlers.find(dataset.handler)
    if handler is not None:
        return handler.credentials(dataset)
    return () if dataset.credential_key is None else (dataset.credential_key,)


def require_ready(dataset: CuratedDataset) -> Handler:
    """The dataset's handler.

    Raises `Conflict`: handler_missing where geoforge does not have it, credentials_missing
    naming the settings that are not there.
    """
    handler = handlers.get(dataset.handler)
    missing = credentials.missing(handler.credentials(dataset))
    if missing:
        raise Conflict(
            f"{dataset.dataset_id} cannot be updated: {_are_not_set(missing)}.",
            code="credentials_missing",
            dataset_id=dataset.dataset_id,
            missing=list(missing),
        )
    return handler


def obstacle(dataset: CuratedDataset) -> str | None:
    """What stands in the way of an update, for people; None where nothing does."""
    try:
        require_ready(dataset)
    except Conflict as conflict:
        return conflict.message
    return None


def _are_not_set(names: tuple[str, ...]) -> str:
    *others, last = names
    if not others:
        return f"the setting {last} is missing"
    return f"the settings {', '.join(others)} and {last} are missing"
