"""The parameters of a search, as a model: of a POST's body or of a GET's query string.

The models are strict, refuse unknown names, and are the source of the OpenAPI document's
schemas. What they let through, `as_pgstac` hands to pgstac.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from core.errors import FieldError, InvalidParameters
from services.stac.values import (
    Box,
    Expression,
    Geometry,
    Interval,
    Text,
    Token,
    box_across_antimeridian,
)

DEFAULT_LIMIT = 10
MAX_LIMIT = 10_000
DEFAULT_COLLECTIONS_LIMIT = 1_000

Limit = Annotated[
    int,
    Field(ge=1, description=f"Items on a page; above {MAX_LIMIT:,} it counts as {MAX_LIMIT:,}"),
    AfterValidator(lambda limit: min(limit, MAX_LIMIT)),
]


class InvalidSearch(InvalidParameters):
    """A search's parameters are at fault. STAC API asks for 400 here, not 422."""

    code = "invalid_search"
    status = 400


class _Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)

    bbox: Box | None = Field(
        default=None,
        description="west, south, east, north in degrees, or with a third dimension; "
        "west > east crosses the antimeridian",
        examples=[[5.9, 45.8, 10.5, 47.8]],
    )
    datetime: Interval | None = Field(
        default=None,
        description="RFC 3339 date-time, or start/end where one end may be '..'",
        examples=["2020-01-01T00:00:00Z/.."],
    )

    def _place(self) -> dict[str, Any]:
        """Where: pgstac reads a box west to east only, so others become a geometry."""
        if self.bbox is None:
            return {}
        if self.bbox[0] > self.bbox[2]:
            return {"intersects": box_across_antimeridian(self.bbox)}
        return {"bbox": self.bbox}


class SortBy(BaseModel):
    """One field to sort by."""

    model_config = ConfigDict(extra="forbid", strict=True)

    field: Text = Field(min_length=1, examples=["properties.eo:cloud_cover"])
    direction: Literal["asc", "desc"] = "asc"


class Fields(BaseModel):
    """Which members of the items to return."""

    model_config = ConfigDict(extra="forbid", strict=True)

    include: list[Text] | None = None
    exclude: list[Text] | None = None

    def as_pgstac(self) -> dict[str, list[str]]:
        """pgstac lets `exclude` win; by the extension's rules, an inclusion that names the same
        field or one inside it does."""
        include, exclude = self.include or [], self.exclude or []
        kept = [
            name
            for name in exclude
            if not any(f"{each}.".startswith(f"{name}.") for each in include)
        ]
        return {"include": include, "exclude": kept}


class SearchParameters(_Parameters):
    """The parameters of an Item Search. All that are given must hold for an item to be found."""

    collections: list[Text] | None = Field(default=None, description="Ids of collections")
    ids: list[Text] | None = Field(default=None, description="Ids of items")
    intersects: Geometry | None = Field(
        default=None, description="GeoJSON geometry that the items intersect; not beside bbox"
    )
    query: dict[str, Any] | None = Field(
        default=None,
        description="The query extension: {property: {operator: value}}; not beside filter",
    )
    limit: Limit = DEFAULT_LIMIT
    token: Token | None = Field(
        default=None, description="Paging token, out of a next or prev link"
    )
    filter: Expression | None = Field(default=None, description="CQL2 expression, as JSON")
    filter_lang: Literal["cql2-json"] = Field(default="cql2-json", alias="filter-lang")
    filter_crs: Literal["http://www.opengis.net/def/crs/OGC/1.3/CRS84"] = Field(
        default="http://www.opengis.net/def/crs/OGC/1.3/CRS84",
        alias="filter-crs",
        description="CRS of the filter's geometries",
    )
    sortby: list[SortBy] | None = Field(
        default=None, description="Fields to sort by; the default is the newest datetime first"
    )
    fields: Fields | None = Field(
        default=None, description="Members of the items to include and to exclude"
    )

    @model_validator(mode="after")
    def _exclusive(self) -> SearchParameters:
        for one, other in (("intersects", "bbox"), ("query", "filter")):
            if getattr(self, one) is not None and getattr(self, other) is not None:
                raise ValueError(f"{one}: give {one} or {other}, not both")
        return self

    def within(self, collection_id: str) -> SearchParameters:
        """The same search, in one of its collections."""
        asked = self.collections is None or collection_id in self.collections
        return self.model_copy(update={"collections": [collection_id] if asked else []})

    @property
    def wants_links(self) -> bool:
        """Whether the `fields` leave the items their links."""
        included = (self.fields and self.fields.include) or ["links"]
        excluded = (self.fields and self.fields.exclude) or []
        return "links" in included and "links" not in excluded

    def as_pgstac(self) -> dict[str, Any]:
        """The argument of `pgstac.search`."""
        search: dict[str, Any] = {"limit": self.limit, "filter-lang": self.filter_lang}
        search |= self._place()
        given = {
            "collections": self.collections,
            "ids": self.ids,
            "intersects": self.intersects,
            "datetime": self.datetime,
            "filter": self.filter,
            "query": self.query,
            "token": self.token,
        }
        search |= {name: value for name, value in given.items() if value is not None}
        if self.sortby is not None:
            search["sortby"] = [field.model_dump() for field in self.sortby]
        if self.fields is not None:
            search["fields"] = self.fields.as_pgstac()
        return search


class CollectionParameters(_Parameters):
    """The parameters of the list of collections."""

    limit: Limit = DEFAULT_COLLECTIONS_LIMIT
    offset: int = Field(default=0, ge=0, le=2**31 - 1, description="Collections to skip")

    def as_pgstac(self) -> dict[str, Any]:
        """The argument of `pgstac.collection_search`."""
        by_id = [{"field": "id", "direction": "asc"}]
        search = {"limit": self.limit, "offset": self.offset, "sortby": by_id, **self._place()}
        return search if self.datetime is None else {**search, "datetime": self.datetime}


M = TypeVar("M", bound=_Parameters)


def from_body(model: type[M], body: Mapping[str, Any]) -> M:
    """The parameters in a POST's JSON. A member that is null counts as not given."""
    return _validate(model, {k: value for k, value in body.items() if value is not None}, "body")


def from_query(model: type[M], params: Mapping[str, str]) -> M:
    """The parameters in a GET's query string, in the notation that STAC API gives them there.

    `code`, which may carry an Azure function key, is not a parameter of the search.
    """
    values: dict[str, Any] = {}
    for name, text in params.items():
        if name == "code":
            continue
        try:
            values[name] = _NOTATIONS[name](text) if name in _NOTATIONS else text
        except ValueError as error:
            raise _fault([{"loc": ["query", name], "msg": str(error)}]) from None
    return _validate(model, values, "query")


def _validate(model: type[M], values: Mapping[str, Any], where: str) -> M:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _fault(
            [_field_error(each["loc"], each["msg"], where) for each in error.errors()]
        ) from None


def _field_error(loc: tuple[int | str, ...], message: str, where: str) -> FieldError:
    message = message.removeprefix("Value error, ")
    if not loc:  # a rule over two parameters: "<name>: <what is wrong>"
        name, _, message = message.partition(": ")
        loc = (name,)
    if message == "Extra inputs are not permitted":
        message = "is not a parameter of this endpoint"
    return {"loc": [where, *loc], "msg": message}


def _fault(errors: list[FieldError]) -> InvalidSearch:
    first = errors[0]
    name = ".".join(str(part) for part in first["loc"][1:])
    return InvalidSearch(f"The parameter {name!r} cannot be used: {first['msg']}.", errors)


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError("must be numbers separated by commas: west,south,east,north") from None


def _whole(text: str) -> int:
    # int() alone would also read '1_0', ' 7 ' and the digits of other scripts.
    if not text.removeprefix("-").isascii() or not text.removeprefix("-").isdigit():
        raise ValueError("must be a whole number")
    return int(text[:20])


def _names(text: str) -> list[str]:
    return [part for part in text.split(",") if part]


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("must be a JSON object") from None
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object")
    return value


def _filter(text: str) -> dict[str, Any]:
    try:
        return _object(text)
    except ValueError:
        raise ValueError("must be CQL2 JSON; CQL2 text is not supported") from None


def _sortby(text: str) -> list[dict[str, str]]:
    """`+datetime,-properties.eo:cloud_cover`; a '+' arrives as a space where it was not escaped."""
    return [
        {"field": part.lstrip("+- "), "direction": "desc" if part.startswith("-") else "asc"}
        for part in _names(text)
    ]


def _fields(text: str) -> dict[str, list[str]]:
    """`id,+geometry,-properties.proj:bbox`"""
    names = _names(text)
    return {
        "include": [name.lstrip("+ ") for name in names if not name.startswith("-")],
        "exclude": [name[1:] for name in names if name.startswith("-")],
    }


_NOTATIONS: dict[str, Callable[[str], Any]] = {
    "bbox": _numbers,
    "limit": _whole,
    "offset": _whole,
    "collections": _names,
    "ids": _names,
    "intersects": _object,
    "filter": _filter,
    "query": _object,
    "sortby": _sortby,
    "fields": _fields,
}
