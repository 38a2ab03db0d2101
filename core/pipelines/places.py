"""Values with expressions in them, held against the types of the places where they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from core.pipelines import types
from core.pipelines.expressions import ExpressionProblem
from core.pipelines.resolving import Place, is_expression, text_of
from core.pipelines.types import Type

Infer = Callable[[str], Type]
"""The type of an expression's text in its place. Raises `ExpressionProblem`."""


def faults(value: Any, place: Type, infer: Infer, at: Place = ()) -> list[tuple[Place, str]]:
    """What is wrong with a value in its place, each with the path to it."""
    found = list(_inner(value, place, infer, at))
    if found:
        return found
    # All parts are well: what is left is whether the whole has what the place wants.
    fault = types.why_not(_type_of(value, infer), place)
    return [] if fault is None else [(at, fault)]


def _inner(value: Any, place: Type, infer: Infer, at: Place) -> Iterator[tuple[Place, str]]:
    if is_expression(value):
        try:
            fault = types.why_not(infer(text_of(value)), place)
        except ExpressionProblem as problem:
            fault = problem.message
        if fault is not None:
            yield at, fault
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _inner(each, _item_place(place, index), infer, (*at, index))
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from _inner(each, _property_place(place, name), infer, (*at, name))


def _item_place(place: Type, index: int) -> Type:
    """What a list's place takes as its value of that index, as far as it is one thing."""
    lists = [each for each in types.members(place) if isinstance(each, (types.List, types.Tuple))]
    if len(lists) != 1:
        return types.Anything()
    only = lists[0]
    if isinstance(only, types.List):
        return only.item
    return only.items[index] if index < len(only.items) else types.Anything()


def _property_place(place: Type, name: str) -> Type:
    objects = [each for each in types.members(place) if isinstance(each, types.Object)]
    if len(objects) != 1:
        return types.Anything()
    known = objects[0].properties.get(name)
    if known is not None:
        return known.type
    return objects[0].extra or types.Anything()


def _type_of(value: Any, infer: Infer) -> Type:
    if is_expression(value):
        return infer(text_of(value))
    if isinstance(value, list):
        return types.Tuple(tuple(_type_of(each, infer) for each in value))
    if isinstance(value, Mapping):
        return types.Object(
            {name: types.Property(_type_of(each, infer)) for name, each in value.items()}
        )
    return types.type_of(value)
