"""What the schemas of answers are put together from."""

from __future__ import annotations

from typing import Any, Final

from pydantic import TypeAdapter

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
FLAG: Final[Schema] = {"type": "boolean"}
NUMBER: Final[Schema] = {"type": "number"}
INTEGER: Final[Schema] = {"type": "integer"}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
PERCENT: Final[Schema] = {"type": "number", "minimum": 0, "maximum": 100}
SECONDS: Final[Schema] = {"type": "number", "minimum": 0}
TIME: Final[Schema] = {"type": "string", "format": "date-time"}
ADDRESS: Final[Schema] = {"type": "string", "format": "uri"}
BINARY: Final[Schema] = {"type": "string", "format": "binary"}
JOB_ID: Final[Schema] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
JSON_SCHEMA: Final[Schema] = {"type": "object", "description": "A JSON Schema"}
# Whose members depend on what it is about, as the parameters of a job do on its type.
ANYTHING: Final[Schema] = {"type": "object", "additionalProperties": True}


def an_object(**properties: Schema) -> Schema:
    """An object that has all of these, and may have more."""
    return {"type": "object", "required": sorted(properties), "properties": properties}


def with_more(schema: Schema, **properties: Schema) -> Schema:
    """An object that has these as well."""
    return {
        **schema,
        "required": sorted({*schema.get("required", ()), *properties}),
        "properties": {**schema["properties"], **properties},
    }


def list_of(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def map_of(values: Schema) -> Schema:
    """An object of whatever names, whose values are these."""
    return {"type": "object", "additionalProperties": values}


def or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def either(*schemas: Schema) -> Schema:
    return {"anyOf": list(schemas)}


def one_of(choices: type[Any]) -> Schema:
    """A member of an enumeration."""
    return {"type": "string", "enum": [str(each.value) for each in choices]}


def page_of(name: str, items: Schema) -> Schema:
    """A page of a list: `next` is the cursor of the page behind it."""
    return an_object(**{name: list_of(items), "next": or_null(TEXT)})


def of_type(kind: Any) -> Schema:
    """How a model or a dataclass is written as JSON, with all of its fields."""
    schema = TypeAdapter(kind).json_schema(mode="serialization")
    found = _inlined(schema, schema.pop("$defs", {}))
    return {**found, "required": sorted(found["properties"])}


def _inlined(value: Any, definitions: Schema) -> Any:
    """The schema with what it refers to in place, and without the names of classes."""
    if isinstance(value, list):
        return [_inlined(each, definitions) for each in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        rest = {name: each for name, each in value.items() if name != "$ref"}
        named = definitions[value["$ref"].removeprefix("#/$defs/")]
        return _inlined({**named, **rest}, definitions)
    return {
        name: _inlined(each, definitions)
        for name, each in value.items()
        if not (name == "title" and isinstance(each, str))
    }


LINKS: Final[Schema] = map_of(or_null(ADDRESS))
BBOX: Final[Schema] = {**list_of(NUMBER), "minItems": 4, "maxItems": 6}
LOC: Final[Schema] = list_of({"type": ["string", "integer"]})
FAULTS: Final[Schema] = list_of(an_object(loc=LOC, msg=TEXT))
ERROR: Final[Schema] = or_null(an_object(code=TEXT, message=TEXT))
OPENAPI_DOCUMENT: Final[Schema] = an_object(
    openapi=TEXT, info=ANYTHING, paths=ANYTHING, components=ANYTHING
)
