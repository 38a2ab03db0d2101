"""The functions of expressions: what each takes, gives and is for.

`FUNCTIONS` is also what the documentation and the builder show.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from core.pipelines import types
from core.pipelines.types import Type


class Misuse(ValueError):
    """A function cannot be given this; the message says which of its values, and why."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function. `apply` is given as many values as it takes, of any type, and raises `Misuse`
    where one of them will not do; `result` does the same with their types."""

    name: str
    signature: str
    description: str
    example: str
    least: int
    most: int
    apply: Callable[[Sequence[Any]], Any]
    result: Callable[[Sequence[Type]], Type]


_MANY = 20
_SIZED = types.union([types.Text(), types.List(types.Anything())])
_LISTS = types.List(types.Anything())
_SCALARS = types.union([types.Text(), types.Number(), types.Boolean()])


def _asked(given: Type, wanted: Type) -> None:
    fault = types.why_not(given, wanted)
    if fault is not None:
        raise Misuse(fault)


def _given(value: Any, kinds: tuple[type, ...], wanted: str) -> None:
    if not isinstance(value, kinds):
        raise Misuse(f"this is {types.type_of(value).as_words()}, where {wanted} is wanted")


def _length(values: Sequence[Any]) -> int:
    _given(values[0], (str, list), "a list or a text")
    return len(values[0])


def _length_type(given: Sequence[Type]) -> Type:
    _asked(given[0], _SIZED)
    return types.Number(whole=True)


def _text(values: Sequence[Any]) -> str:
    value = values[0]
    _given(value, (str, int, float), "a text, a number, or true or false")
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _text_type(given: Sequence[Type]) -> Type:
    _asked(given[0], _SCALARS)
    return given[0] if isinstance(given[0], types.Text) else types.Text()


def _first(values: Sequence[Any]) -> Any:
    _given(values[0], (list,), "a list")
    return values[0][0] if values[0] else None


def _first_type(given: Sequence[Type]) -> Type:
    _asked(given[0], _LISTS)
    found = []
    for each in types.members(given[0]):
        if isinstance(each, types.Tuple):
            found.append(each.items[0] if each.items else types.Null())
        elif isinstance(each, types.List):
            found.append(types.union([each.item, types.Null()]))
        else:
            return types.Anything()
    return types.union(found)


def _coalesce(values: Sequence[Any]) -> Any:
    return next((value for value in values if value is not None), None)


def _coalesce_type(given: Sequence[Type]) -> Type:
    kept: list[Type] = []
    for each in given:
        kept.append(types.without_null(each))
        if not (types.may_be_null(each) or isinstance(each, types.Anything)):
            return types.union(kept)
    return types.union([*kept[:-1], given[-1]])


def _path_part(part: Callable[[PurePosixPath], str]) -> Callable[[Sequence[Any]], str]:
    def apply(values: Sequence[Any]) -> str:
        _given(values[0], (str,), "a text")
        return part(PurePosixPath(values[0]))

    return apply


def _path_part_type(given: Sequence[Type]) -> Type:
    _asked(given[0], types.Text())
    return types.Text()


FUNCTIONS: Final = {
    each.name: each
    for each in (
        Function(
            "length", "length(x)", "How many values a list has, or characters a text",
            "length(steps.load.outputs.tables)", 1, 1, _length, _length_type,
        ),
        Function(
            "text", "text(x)", "A number, or true or false, as a text",
            '"run of " + text(inputs.year)', 1, 1, _text, _text_type,
        ),
        Function(
            "first", "first(list)", "The first value of a list; null where it is empty",
            "first(steps.load.outputs.tables).table", 1, 1, _first, _first_type,
        ),
        Function(
            "coalesce", "coalesce(a, b)", "The first of its values that is not null",
            'coalesce(inputs.table_name, "parks")', 2, _MANY, _coalesce, _coalesce_type,
        ),
        Function(
            "basename", "basename(path)", "The last part of a path: its file's name",
            "basename(inputs.blob)", 1, 1, _path_part(lambda path: path.name), _path_part_type,
        ),
        Function(
            "stem", "stem(path)", "The file's name in a path, without what follows its last dot",
            "stem(inputs.blob)", 1, 1, _path_part(lambda path: path.stem), _path_part_type,
        ),
    )
}  # fmt: skip
