"""A container that jobs may read and write: one with data, and not the app's own."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from config import get_settings
from core.blob_names import ContainerName

# The Functions host keeps its keys, leases and deployments in containers of this prefix.
_HOST_CONTAINERS = "azure-webjobs-"


def check_data_container(container: str) -> str:
    """The container, which is one with data.

    Those of the app and its host hold keys, unfinished work, and the files of datasets whose rows
    not everyone may see: a table or a picture made of these would be open to all. Raises
    `ValueError` for such a one.
    """
    settings = get_settings()
    if container == settings.work_container or container.startswith(_HOST_CONTAINERS):
        raise ValueError(f"must not be {container!r}, which geoforge and its host work in")
    if container == settings.curated_container:
        raise ValueError(
            f"must not be {container!r}, where geoforge keeps the files that it has fetched for "
            "curated datasets"
        )
    return container


DataContainer = Annotated[ContainerName, AfterValidator(check_data_container)]
