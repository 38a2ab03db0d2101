"""The parts of an expression. Each knows the text that it stands for, and where that begins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Base of all parts."""

    source: str = field(compare=False)
    offset: int = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant(Node):
    """`12`, `"text"`, `true`, `null`."""

    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Each:
    """`[:]`: what follows is asked of each value of the list."""

    source: str = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """`.name` or `["name"]`."""

    source: str = field(compare=False)
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """`[0]`; negative ones count from the end."""

    source: str = field(compare=False)
    index: int


Accessor = Each | Name | Index
"""One way further into a value; `source` is the text of the path up to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Root(Node):
    """One of the names that everything begins with: `inputs`, `steps`, `item`, ..."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Path(Node):
    """A value, and the way into it."""

    of: Node
    accessors: tuple[Accessor, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf(Node):
    """`[a, b]`."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Not(Node):
    of: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Negative(Node):
    of: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Junction(Node):
    """`a and b and c`, or the same with `or`."""

    word: Literal["and", "or"]
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic(Node):
    sign: Literal["+", "-", "*"]
    left: Node
    right: Node


Relation = Literal["==", "!=", "<", "<=", ">", ">=", "in", "not in"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(Node):
    """`a < b <= c`: each neighbours are compared, and all must hold."""

    operands: tuple[Node, ...]
    relations: tuple[Relation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(Node):
    """`then if condition else otherwise`."""

    condition: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Node):
    function: str
    arguments: tuple[Node, ...]
