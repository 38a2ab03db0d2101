"""Types of JSON values: read from JSON Schema, said in words, and held against each other."""

from __future__ import annotations

from core.pipelines.types.fitting import can_be_equal, why_not
from core.pipelines.types.model import (
    Anything,
    Boolean,
    Limits,
    List,
    Nothing,
    Null,
    Number,
    Object,
    Property,
    Text,
    Tuple,
    Type,
    Union,
    may_be_null,
    members,
    type_of,
    union,
    without_null,
)
from core.pipelines.types.schema import from_schema

__all__ = [
    "Anything",
    "Boolean",
    "Limits",
    "List",
    "Nothing",
    "Null",
    "Number",
    "Object",
    "Property",
    "Text",
    "Tuple",
    "Type",
    "Union",
    "can_be_equal",
    "from_schema",
    "may_be_null",
    "members",
    "type_of",
    "union",
    "why_not",
    "without_null",
]
