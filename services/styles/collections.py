"""The collections that can be drawn, and the styles that each of them has."""

from __future__ import annotations

from core.errors import NotFound
from core.models.feature_table import FeatureTable, TableName
from infrastructure import database, published_tables, styles_repository
from infrastructure.database import Connection, Row
from infrastructure.features_repository import PublishedTable
from infrastructure.styles_repository import StoredStyle
from infrastructure.tiles_repository import geometry_of
from services.features.links import JsonObject, collection_id
from services.orchestration.paging import cursor_after, table_key
from services.styles import links
from services.styles.generated import STYLE_ID, generated
from services.styles.model import MapStyle
from services.tiles.tables import mapped_table


def list_styles(*, limit: int = 100, cursor: str | None = None, base_url: str = "") -> JsonObject:
    """A page of the collections by name, each with its styles: {collections, next}.

    Raises `InvalidParameters` for a cursor that no page gave.
    """
    after = None if cursor is None else table_key(cursor)
    with database.transaction() as connection:
        rows = published_tables.tables(connection, limit=limit + 1, after=after)
        ids = [collection_id(_name(row)) for row in rows[:limit]]
        stored = styles_repository.names(connection, ids)
    of_collection: dict[str, list[Row]] = {each: [] for each in ids}
    for style in stored:
        of_collection[style["collection_id"]].append(style)
    views = [
        _collection_view(row, of_collection[collection], base_url)
        for row, collection in zip(rows, ids, strict=False)
        if FeatureTable.model_validate(row["table_shape"]).geometry is not None
    ]
    last = rows[limit - 1] if len(rows) > limit else None
    return {
        "collections": views,
        "next": last and cursor_after(last["schema_name"], last["table_name"]),
    }


def styled(collection: str) -> tuple[PublishedTable, list[MapStyle]]:
    """A collection's table and its styles, the default one first. Raises `NotFound`."""
    table = mapped_table(collection)
    with database.transaction() as connection:
        return table, styles_of(connection, table)


def styles_of(connection: Connection, table: PublishedTable) -> list[MapStyle]:
    """A collection's styles, the default one first: made up where none is stored."""
    collection = collection_id(table.name)
    stored = styles_repository.of_collection(connection, collection)
    if stored:
        return [_style(each, is_default=number == 0) for number, each in enumerate(stored)]
    return [generated(collection, _title(table), geometry_of(table))]


def find(styles: list[MapStyle], collection: str, style_id: str | None) -> MapStyle:
    """A style by its id, or the default one. Raises `NotFound` (unknown_style) naming all."""
    if style_id is None:
        return styles[0]
    for style in styles:
        if style.style_id == style_id:
            return style
    known = ", ".join(each.style_id for each in styles)
    raise NotFound(
        f"The collection {collection!r} has no style {style_id!r}. There are: {known}.",
        code="unknown_style",
    )


def _style(stored: StoredStyle, *, is_default: bool) -> MapStyle:
    return MapStyle(
        style_id=stored.style_id,
        title=stored.title or stored.style_id,
        description=stored.description,
        layers=stored.spec.get("layers", []),
        legend=stored.spec.get("legend", []),
        is_default=is_default,
    )


def _collection_view(row: Row, stored: list[Row], base_url: str) -> JsonObject:
    collection = collection_id(_name(row))
    styles = [
        {
            "style_id": each["style_id"],
            "title": each["title"] or each["style_id"],
            "description": each["description"],
            "is_default": number == 0,
            "links": links.of_style(collection, each["style_id"], base_url),
        }
        for number, each in enumerate(stored)
    ]
    if not styles:
        styles = [
            {
                "style_id": STYLE_ID,
                "title": row["title"] or row["table_name"],
                "description": None,
                "is_default": True,
                "links": links.of_style(collection, STYLE_ID, base_url),
            }
        ]
    return {
        "collection": collection,
        "title": row["title"] or row["table_name"],
        "styles": styles,
        "links": links.of_collection(collection, base_url),
    }


def _name(row: Row) -> TableName:
    return TableName(schema_name=row["schema_name"], table_name=row["table_name"])


def _title(table: PublishedTable) -> str:
    return table.title or table.name.table_name
