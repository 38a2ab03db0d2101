"""The types of JSON values: what an expression gives, and what a place takes.

A type is a value of its own: equal where it means the same, and free of the schema it came from.
`union` is the one way to join types; `Union` itself is never nested and never of one member.
"""

from __future__ import annotations

import json
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_SHOWN_VALUES = 8
_SHOWN_NAMES = 6
_SHOWN_LETTERS = 60
_FORMATS = {
    "date-time": ("a date and time", "dates and times"),
    "date": ("a date", "dates"),
    "time": ("a time of day", "times of day"),
    "uri": ("an address", "addresses"),
}


class Type(ABC):
    """Base of all types."""

    __slots__ = ()

    @abstractmethod
    def as_words(self) -> str:
        """The type in words, with its article: `a list of texts`."""

    @abstractmethod
    def as_plural(self) -> str:
        """Several of it: `texts`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a schema asks of single values beyond their type."""

    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None
    multiple_of: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None

    def breach(self, value: object) -> str | None:
        """What a value breaks, in words that follow its own; None where it keeps to them."""
        if isinstance(value, str):
            return self._of_text(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return self._of_number(value)
        return None

    def _of_number(self, value: float) -> str | None:
        if self.minimum is not None and value < self.minimum:
            return f"is less than {self.minimum:g}"
        if self.maximum is not None and value > self.maximum:
            return f"is more than {self.maximum:g}"
        if self.above is not None and value <= self.above:
            return f"is not more than {self.above:g}"
        if self.below is not None and value >= self.below:
            return f"is not less than {self.below:g}"
        if self.multiple_of and not math.isclose(math.remainder(value, self.multiple_of), 0):
            return f"is not a multiple of {self.multiple_of:g}"
        return None

    def _of_text(self, value: str) -> str | None:
        if self.min_length is not None and len(value) < self.min_length:
            return f"has fewer than {self.min_length} characters"
        if self.max_length is not None and len(value) > self.max_length:
            return f"has more than {self.max_length} characters"
        if self.pattern is not None and not _matches(self.pattern, value):
            return f"does not match the pattern {self.pattern}"
        return None


FREE = Limits()


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error:
        # Of another dialect than ours: the job's own model has the last word.
        return True


@dataclass(frozen=True, slots=True)
class Anything(Type):
    """Nothing is known of it: it fits everything, and everything fits it."""

    def as_words(self) -> str:
        return "anything"

    def as_plural(self) -> str:
        return "any values"


@dataclass(frozen=True, slots=True)
class Nothing(Type):
    """No value at all: what an empty list holds."""

    def as_words(self) -> str:
        return "no value"

    def as_plural(self) -> str:
        return "no values"


@dataclass(frozen=True, slots=True)
class Null(Type):
    def as_words(self) -> str:
        return "null"

    def as_plural(self) -> str:
        return "nulls"


@dataclass(frozen=True, slots=True)
class Boolean(Type):
    def as_words(self) -> str:
        return "true or false"

    def as_plural(self) -> str:
        return "values that are true or false"


@dataclass(frozen=True, slots=True)
class Number(Type):
    """A number; `values` are all that it may be, where that is known."""

    whole: bool = False
    values: tuple[float, ...] | None = None
    limits: Limits = FREE

    def as_words(self) -> str:
        if self.values:
            return _one_of(self.values)
        return "a whole number" if self.whole else "a number"

    def as_plural(self) -> str:
        return "whole numbers" if self.whole else "numbers"


@dataclass(frozen=True, slots=True)
class Text(Type):
    """A text; `values` are all that it may be, where that is known."""

    values: tuple[str, ...] | None = None
    format: str | None = None
    limits: Limits = FREE

    def as_words(self) -> str:
        if self.values:
            return _one_of(self.values)
        return _FORMATS.get(self.format or "", ("a text", ""))[0]

    def as_plural(self) -> str:
        return _FORMATS.get(self.format or "", ("", "texts"))[1]


@dataclass(frozen=True, slots=True)
class List(Type):
    """A list of any length, all of one type."""

    item: Type

    def as_words(self) -> str:
        return f"a list of {self.item.as_plural()}"

    def as_plural(self) -> str:
        return f"lists of {self.item.as_plural()}"


@dataclass(frozen=True, slots=True)
class Tuple(Type):
    """A list of a known length, each value of its own type."""

    items: tuple[Type, ...]

    @property
    def item(self) -> Type:
        """What all of its values are."""
        return union(self.items)

    def as_words(self) -> str:
        if not self.items:
            return "an empty list"
        return f"a list of {len(self.items)} {self.item.as_plural()}"

    def as_plural(self) -> str:
        return f"lists of {len(self.items)} {self.item.as_plural()}"


@dataclass(frozen=True, slots=True)
class Property:
    """A property of an object; one that is not required may be missing, and is null then."""

    type: Type
    required: bool = True

    @property
    def read(self) -> Type:
        """What an expression gets that asks for it."""
        return self.type if self.required else union((self.type, Null()))


@dataclass(frozen=True, slots=True)
class Object(Type):
    """An object. `extra` is what it may hold beyond its properties; None where it is closed."""

    properties: Mapping[str, Property] = field(default_factory=dict, hash=False)
    extra: Type | None = None

    def as_words(self) -> str:
        return f"an object{self._with()}"

    def as_plural(self) -> str:
        return f"objects{self._with()}"

    def _with(self) -> str:
        names = list(self.properties)
        if not names:
            return ""
        shown = names[:_SHOWN_NAMES]
        more = ", ..." if len(names) > len(shown) or self.extra is not None else ""
        return f" with {', '.join(shown)}{more}"


@dataclass(frozen=True, slots=True)
class Union(Type):
    """One of several types. Made by `union`."""

    members: tuple[Type, ...]

    def as_words(self) -> str:
        return " or ".join(each.as_words() for each in self.members)

    def as_plural(self) -> str:
        return " or ".join(each.as_plural() for each in self.members)


def members(of: Type) -> tuple[Type, ...]:
    """The types that it is one of: itself, where it is no union."""
    return of.members if isinstance(of, Union) else (of,)


def union(types: Iterable[Type]) -> Type:
    """What is one of these: without doubles, nulls last, known values joined."""
    flat: list[Type] = []
    for each in types:
        for member in members(each):
            if isinstance(member, Anything):
                return Anything()
            if not isinstance(member, Nothing):
                _add(flat, member)
    flat.sort(key=lambda each: isinstance(each, Null))
    if len(flat) <= 1:
        return flat[0] if flat else Nothing()
    return Union(tuple(flat))


def _add(flat: list[Type], new: Type) -> None:
    for index, old in enumerate(flat):
        joined = _join(old, new)
        if joined is not None:
            flat[index] = joined
            return
    flat.append(new)


def _join(a: Type, b: Type) -> Type | None:
    """The one type that is both, where there is one."""
    if a == b:
        return a
    if isinstance(a, Text) and isinstance(b, Text):
        return Text(_joined(a.values, b.values), a.format if a.format == b.format else None)
    if isinstance(a, Number) and isinstance(b, Number):
        return Number(a.whole and b.whole, _joined(a.values, b.values))
    return None


def _joined(a: tuple[Any, ...] | None, b: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    return None if a is None or b is None else tuple(dict.fromkeys((*a, *b)))


def may_be_null(of: Type) -> bool:
    """Whether null is among its known values."""
    return any(isinstance(each, Null) for each in members(of))


def without_null(of: Type) -> Type:
    """What it is where it is not null."""
    return union(each for each in members(of) if not isinstance(each, Null))


def type_of(value: object) -> Type:
    """The type of a JSON value that is known."""
    if value is None:
        return Null()
    if isinstance(value, bool):
        return Boolean()
    if isinstance(value, (int, float)):
        return Number(isinstance(value, int), (value,))
    if isinstance(value, str):
        return Text((value,))
    if isinstance(value, list):
        return Tuple(tuple(type_of(each) for each in value))
    if isinstance(value, Mapping):
        return Object({str(name): Property(type_of(each)) for name, each in value.items()})
    return Anything()


def _one_of(values: tuple[Any, ...]) -> str:
    shown = [in_quotes(each) for each in values[:_SHOWN_VALUES]]
    if len(values) == 1:
        return shown[0]
    more = ", ..." if len(values) > len(shown) else ""
    return f"one of {', '.join(shown)}{more}"


def in_quotes(value: object) -> str:
    """A value as JSON, for messages: a long one is cut."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_LETTERS else f"{text[:_SHOWN_LETTERS]}..."
