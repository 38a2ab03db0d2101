"""The handlers that geoforge has, by name."""

from __future__ import annotations

from core.errors import Conflict
from services.curated.acled_handler import AcledHandler
from services.curated.handler import Handler
from services.curated.kba_handler import KbaHandler
from services.curated.natural_earth.handlers import (
    NaturalEarthAdmin0,
    NaturalEarthAdmin1,
    NaturalEarthCoastlines,
    NaturalEarthLand,
)
from services.curated.vector_file import VectorFile
from services.curated.wdpa_handler import WdpaHandler

# What reads any file, for a dataset whose name is not that of a handler.
FALLBACK = VectorFile.name

_HANDLERS: tuple[Handler, ...] = (
    AcledHandler(),
    KbaHandler(),
    NaturalEarthAdmin0(),
    NaturalEarthAdmin1(),
    NaturalEarthCoastlines(),
    NaturalEarthLand(),
    VectorFile(),
    WdpaHandler(),
)
_BY_NAME = {handler.name: handler for handler in _HANDLERS}


def known() -> list[Handler]:
    """All handlers, by name."""
    return sorted(_HANDLERS, key=lambda handler: handler.name)


def find(name: str) -> Handler | None:
    """The handler of this name, or None."""
    return _BY_NAME.get(name)


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
