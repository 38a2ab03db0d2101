"""Whether a dataset can be updated here at all: geoforge has its handler, and its credentials."""

from __future__ import annotations

from core.errors import Conflict, FieldError, InvalidParameters
from core.models.curated import CuratedDataset
from services.curated import credentials, handlers
from services.curated.handler import Days, Handler, UploadedFile


def credential_names(dataset: CuratedDataset) -> tuple[str, ...]:
    """The settings that must be there, as far as is known without the handler."""
    handler = handlers.find(dataset.handler)
    if handler is not None:
        return handler.credentials(dataset)
    return () if dataset.credential_key is None else (dataset.credential_key,)


def require_ready(dataset: CuratedDataset, file: UploadedFile | None = None) -> Handler:
    """The dataset's handler.

    Raises `Conflict`: handler_missing where geoforge does not have it, credentials_missing
    naming the settings that are not there. An update that reads a `file` in place of the source
    needs none of them.
    """
    handler = handlers.get(dataset.handler)
    needed = handler.credentials(dataset) if file is None else ()
    missing = credentials.missing(needed)
    if missing:
        raise Conflict(
            f"{dataset.dataset_id} cannot be updated: {_are_not_set(missing)}.",
            code="credentials_missing",
            dataset_id=dataset.dataset_id,
            missing=list(missing),
        )
    return handler


def require_options(handler: Handler, days: Days | None, file: UploadedFile | None) -> None:
    """Raise `InvalidParameters`, naming the fields, where an update is asked for in a way that
    the handler does not know."""
    errors: list[FieldError] = []
    if days is not None and "days" not in handler.options:
        ends = {"from_date": days.first, "to_date": days.last}
        message = f"is not for this dataset: {handler.name} does not read by days"
        errors += [_fault(name, message) for name, day in ends.items() if day is not None]
    if file is not None and "file" not in handler.options:
        message = f"is not for this dataset: {handler.name} reads no uploaded file"
        errors += [_fault("container_name", message), _fault("blob_name", message)]
    if errors:
        named = ", ".join(str(error["loc"][0]) for error in errors)
        raise InvalidParameters(f"The update cannot be begun as it is asked for: {named}.", errors)


def obstacle(dataset: CuratedDataset) -> str | None:
    """What stands in the way of an update, for people; None where nothing does."""
    try:
        require_ready(dataset)
    except Conflict as conflict:
        return conflict.message
    return None


def _fault(field: str, message: str) -> FieldError:
    return {"loc": [field], "msg": message}


def _are_not_set(names: tuple[str, ...]) -> str:
    *others, last = names
    if not others:
        return f"the setting {last} is missing"
    return f"the settings {', '.join(others)} and {last} are missing"
