"""Outlines of countries, as the curated table geo.curated_admin0 has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infrastructure import queries

if TYPE_CHECKING:
    from infrastructure.database import Connection

_SQL = queries.load("areas")


def has_countries(connection: Connection) -> bool:
    """Whether the table is there, as it comes from Natural Earth."""
    row = connection.execute(_SQL["has_countries"]).fetchone()
    return row is not None and bool(row["found"])


def country(connection: Connection, code: str) -> list[bytes]:
    """The polygons of a country and its parts as WKB in EPSG:4326; none where nothing has the
    code (ISO 3166-1 alpha-3, or else Natural Earth's own)."""
    rows = connection.execute(_SQL["country"], {"code": code}).fetchall()
    return [bytes(row["wkb"]) for row in rows]


def country_names(connection: Connection) -> dict[str, str]:
    """The names of all countries by their codes."""
    rows = connection.execute(_SQL["country_names"]).fetchall()
    return {row["code"]: row["name"] for row in rows}
