"""The handlers that geoforge has, by name."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module

from core.errors import Conflict
from services.curated.handler import Handler

FALLBACK = "vector_file"


@lru_cache
def _by_name() -> dict[str, Handler]:
    # Those that are not there yet are left out until they are.
    found: dict[str, Handler] = {}
    for module, kind in (
        ("services.curated.vector_file", "VectorFile"),
        ("services.curated.wdpa_handler", "WdpaHandler"),
        ("services.curated.kba_handler", "KbaHandler"),
    ):
        try:
            handler = getattr(import_module(module), kind)()
        except ModuleNotFoundError:
            continue
        found[handler.name] = handler
    return found


def known() -> list[Handler]:
    """All handlers, by name."""
    return sorted(_by_name().values(), key=lambda handler: handler.name)


def find(name: str) -> Handler | None:
    """The handler of this name, or None."""
    return _by_name().get(name)


def get(name: str) -> Handler:
    """The handler of this name. Raises `Conflict` (handler_missing) naming the known ones.

    A dataset may be registered for a handler that this version of geoforge does not have.
    """
    handler = find(name)
    if handler is None:
        names = [each.name for each in known()]
        raise Conflict(
            f"This version of geoforge has no handler {name!r}. "
            f"The known ones are {', '.join(names)}.",
            code="handler_missing",
            handler=name,
            known_handlers=names,
        )
    return handler


def resolve(dataset_id: str, wanted: str | None) -> str:
    """The name of the handler of a dataset: the one it asks for, else the one that is called
    as the dataset is, else the one for files of any kind."""
    if wanted is not None:
        return wanted
    return dataset_id if find(dataset_id) is not None else FALLBACK
