"""The styles that a dataset's handler brings along."""

from __future__ import annotations

from collections.abc import Sequence

from infrastructure import styles_repository
from infrastructure.database import Connection
from services.curated.handler import Style


def seed(connection: Connection, collection_id: str, styles: Sequence[Style]) -> None:
    """Enter a collection's styles in the caller's transaction.

    What is missing is added, and what was seeded before and not edited since is brought up to
    date. A style that a user has edited stays as it is. The first one becomes the default,
    unless the collection has one.
    """
    if not styles:
        return
    styles_repository.take_turn(connection, collection_id)
    for style in styles:
        styles_repository.seed(
            connection,
            collection_id,
            style.style_id,
            title=style.title,
            description=style.description,
            spec={
                "layers": [dict(layer) for layer in style.layers],
                "legend": [dict(entry) for entry in style.legend],
            },
        )
    styles_repository.default_if_none(connection, collection_id, styles[0].style_id)
