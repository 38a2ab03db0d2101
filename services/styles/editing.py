"""Styles that users add, replace and remove."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import NotFound
from infrastructure import database, styles_repository
from services.features.links import JsonObject, collection_id
from services.styles import links
from services.styles.collections import find, styles_of
from services.styles.submitted import check_style_id, submitted
from services.tiles.tables import mapped_table


def put_style(
    collection: str, style_id: str, body: Mapping[str, Any], base_url: str
) -> tuple[JsonObject, bool]:
    """Add or replace a style; what it is called now, and whether it is new.

    The first style of a collection is its default one. Raises `NotFound` for an unknown
    collection, `InvalidParameters` naming all that is wrong.
    """
    check_style_id(style_id)
    table = mapped_table(collection)
    name = collection_id(table.name)
    style = submitted(body, name)
    with database.transaction() as connection:
        styles_repository.take_turn(connection, name)
        created = styles_repository.put(
            connection,
            name,
            style_id,
            title=style.title,
            description=style.description,
            spec={"layers": list(style.layers), "legend": list(style.legend)},
        )
        if style.is_default:
            styles_repository.set_default(connection, name, style_id)
        styles_repository.default_if_none(connection, name, style_id)
        kept = find(styles_of(connection, table), name, style_id)
    view = {
        "collection": name,
        "style_id": style_id,
        "title": kept.title,
        "description": kept.description,
        "is_default": kept.is_default,
        "links": links.of_style(name, style_id, base_url),
    }
    return view, created


def delete_style(collection: str, style_id: str) -> None:
    """Remove a style. If it was the default one, the first of the others by id becomes that.

    Raises `NotFound` for an unknown collection, or style (naming those that there are).
    """
    table = mapped_table(collection)
    name = collection_id(table.name)
    with database.transaction() as connection:
        styles_repository.take_turn(connection, name)
        styles = styles_of(connection, table)
        style = find(styles, name, style_id)
        if not style.is_stored:
            raise NotFound(
                f"The style {style_id!r} of {name!r} is made up while the collection has no "
                "other, so there is nothing to remove.",
                code="unknown_style",
            )
        styles_repository.delete(connection, name, style_id)
        left = [each.style_id for each in styles if each is not style]
        if left:
            styles_repository.default_if_none(connection, name, left[0])
