"""Whether a value of one type fits a place of another."""

from __future__ import annotations

from core.pipelines import near
from core.pipelines.types.model import (
    Anything,
    Limits,
    List,
    Nothing,
    Null,
    Number,
    Object,
    Text,
    Tuple,
    Type,
    Union,
    in_quotes,
    may_be_null,
    members,
    without_null,
)


def why_not(value: Type, place: Type) -> str | None:
    """Why values of a type cannot stand in a place, in words for people; None where they can.

    What is not known fits: `Anything` everywhere, any text where a pattern is asked for, any
    number within a range, a list of any length where a certain one is wanted. What is known to
    be wrong for some values does not: null where none is taken, any text where there is a choice.
    """
    if isinstance(value, (Anything, Nothing)) or isinstance(place, Anything):
        return None
    if isinstance(value, Union):
        return _all_members(value, place)
    if isinstance(place, Union):
        return _some_member(value, place)
    if isinstance(value, Text) and isinstance(place, Text):
        return _values(value.values, place.values, place.limits, value, place)
    if isinstance(value, Number) and isinstance(place, Number):
        if place.whole and not value.whole:
            return _unlike(value, place)
        return _values(value.values, place.values, place.limits, value, place)
    if isinstance(value, (List, Tuple)) and isinstance(place, (List, Tuple)):
        return _list(value, place)
    if isinstance(value, Object) and isinstance(place, Object):
        return _object(value, place)
    return None if type(value) is type(place) else _unlike(value, place)


def _unlike(value: Type, place: Type) -> str:
    return f"this is {value.as_words()}, where {place.as_words()} is wanted"


def _all_members(value: Union, place: Type) -> str | None:
    if may_be_null(value) and why_not(Null(), place) is not None:
        fault = why_not(without_null(value), place)
        return fault or (
            f"this may be null, where {place.as_words()} is wanted: coalesce(..., ...) puts "
            "another value in its place"
        )
    return next((fault for each in value.members if (fault := why_not(each, place))), None)


def _some_member(value: Type, place: Union) -> str | None:
    faults = [why_not(value, each) for each in place.members]
    if None in faults:
        return None
    # The fault is best told by the one member that is of the value's own kind.
    alike = [
        fault
        for fault, each in zip(faults, place.members, strict=True)
        if type(each) is type(value)
        or (isinstance(value, (List, Tuple)) and isinstance(each, (List, Tuple)))
    ]
    return alike[0] if len(alike) == 1 else _unlike(value, place)


def _values(
    known: tuple[object, ...] | None,
    taken: tuple[object, ...] | None,
    limits: Limits,
    value: Type,
    place: Type,
) -> str | None:
    if known is None:
        return None if taken is None else _unlike(value, place)
    for each in known:
        if taken is not None and each not in taken:
            like = near.hint(str(each), map(str, taken)) if isinstance(each, str) else ""
            return f"{in_quotes(each)} is not {place.as_words()}.{like if 'mean' in like else ''}"
        breach = limits.breach(each)
        if breach is not None:
            return f"{in_quotes(each)} {breach}"
    return None


def _list(value: List | Tuple, place: List | Tuple) -> str | None:
    if isinstance(value, Tuple) and isinstance(place, Tuple):
        if len(value.items) != len(place.items):
            return f"this has {len(value.items)} values, where {len(place.items)} are wanted"
        pairs = list(zip(value.items, place.items, strict=True))
    elif isinstance(place, Tuple):
        pairs = [(value.item, each) for each in place.items]
    elif isinstance(value, Tuple):
        pairs = [(each, place.item) for each in value.items]
    else:
        pairs = [(value.item, place.item)]
    for one, taken in pairs:
        fault = why_not(one, taken)
        if fault is not None:
            return f"of the values in the list: {fault}"
    return None


def _object(value: Object, place: Object) -> str | None:
    for name, wanted in place.properties.items():
        given = value.properties.get(name)
        if given is None:
            if wanted.required and value.extra is None:
                return f"this has no {name!r}, which is wanted"
        elif wanted.required and not given.required:
            return f"this may have no {name!r}, which is wanted"
        else:
            fault = why_not(given.type, wanted.type)
            if fault is not None:
                return f"in {name!r}: {fault}"
    for name, given in value.properties.items():
        if name not in place.properties:
            if place.extra is None:
                return f"there is no place for {name!r}." + near.hint(name, place.properties)
            fault = why_not(given.type, place.extra)
            if fault is not None:
                return f"in {name!r}: {fault}"
    return None


def can_be_equal(a: Type, b: Type) -> bool:
    """Whether a value of the one type can be the same as one of the other.

    A question after null is always a good one.
    """
    return any(
        isinstance(one, (Anything, Nothing, Null))
        or isinstance(other, (Anything, Nothing, Null))
        or _alike(one, other)
        for one in members(a)
        for other in members(b)
    )


def _alike(a: Type, b: Type) -> bool:
    if isinstance(a, Text) and isinstance(b, Text):
        return a.values is None or b.values is None or bool(set(a.values) & set(b.values))
    lists = (List, Tuple)
    return type(a) is type(b) or (isinstance(a, lists) and isinstance(b, lists))
