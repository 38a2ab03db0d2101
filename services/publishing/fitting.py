"""Rows of one shape in the types of another."""

from __future__ import annotations

from psycopg import sql

from core.models.feature_table import GEOMETRY_COLUMN, FeatureTable, GeometryColumn, TableName
from services.publishing.definitions import column_names, column_types, identifier, type_in_sql


def fitted(relation: TableName, shape: FeatureTable, into: FeatureTable) -> sql.Composed:
    """A subquery with the columns of `shape`, which `merging.merged` found to fit `into`."""
    given, wanted = column_types(shape), column_types(into)
    columns = [
        sql.Identifier(name)
        if given[name] == wanted[name]
        else sql.SQL("{} AS {}").format(
            _cast(name, wanted[name], into.geometry), sql.Identifier(name)
        )
        for name in column_names(shape)
    ]
    return sql.SQL("(SELECT {} FROM {})").format(sql.SQL(", ").join(columns), identifier(relation))


def _cast(name: str, type_: str, geometry: GeometryColumn | None) -> sql.Composable:
    column: sql.Composable = sql.Identifier(name)
    if name != GEOMETRY_COLUMN or geometry is None:
        # By way of text, which every type reads: a column without any value fits whatever its
        # type was thought to be.
        return sql.SQL("{}::text::{}").format(column, type_in_sql(type_))
    if geometry.has_z:
        column = sql.SQL("ST_Force3D({})").format(column)
    if geometry.type.startswith("Multi"):
        column = sql.SQL("ST_Multi({})").format(column)
    return sql.SQL("{}::{}").format(column, type_in_sql(type_))
