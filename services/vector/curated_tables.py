"""Tables of curated datasets, which only their datasets may publish and roll back."""

from __future__ import annotations

from core.errors import PermanentTaskError
from core.models.feature_table import TableName
from infrastructure import curated_repository
from infrastructure.database import Connection

PUBLISH_INSTEAD = (
    "it is published by the updates of that dataset alone, by POST "
    "/api/curated/datasets/{dataset_id}/update. Choose another table_name."
)


def refuse(connection: Connection, target: TableName, instead: str) -> None:
    """Raise `PermanentTaskError` (table_is_curated) for the table of a curated dataset, whose
    registry and log would no longer tell what is published.

    `instead` says what to do; `{dataset_id}` in it stands for the dataset's.
    """
    dataset_id = curated_repository.holder(connection, target)
    if dataset_id is not None:
        raise PermanentTaskError(
            f"{target} is the table of the curated dataset {dataset_id!r}: "
            f"{instead.format(dataset_id=dataset_id)}",
            code="table_is_curated",
            table=str(target),
            dataset_id=dataset_id,
        )
