"""The language of a pipeline's expressions: small, typed, and without any effect.

::

    expression = parse('stem(inputs.blob) + "_clean"')
    expression.inputs                                    # frozenset({"blob"})
    expression.evaluate({"inputs": {"blob": "in/parks.gpkg"}})   # "parks_clean"

The syntax is that of Python's expressions (docs/pipelines-expressions.md). A name that an object
does not have is null, and whatever is asked of null is null; an index beyond a list is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property, lru_cache
from typing import Any

from core.pipelines.expressions import evaluation, inference, nodes
from core.pipelines.expressions.functions import FUNCTIONS, Function
from core.pipelines.expressions.inference import TypeScope
from core.pipelines.expressions.parsing import parse_node
from core.pipelines.expressions.problems import (
    EvaluationError,
    ExpressionError,
    ExpressionProblem,
    TypeProblem,
)
from core.pipelines.types import Type

__all__ = [
    "FUNCTIONS",
    "EvaluationError",
    "Expression",
    "ExpressionError",
    "ExpressionProblem",
    "Function",
    "TypeProblem",
    "TypeScope",
    "parse",
]


@dataclass(frozen=True)
class Expression:
    """An expression that has been read. Two are equal that mean the same."""

    text: str = field(compare=False)
    node: nodes.Node = field(repr=False)

    @cached_property
    def steps(self) -> frozenset[str]:
        """Ids of the steps that it refers to."""
        return self._names("steps")

    @cached_property
    def inputs(self) -> frozenset[str]:
        """Names of the inputs that it refers to."""
        return self._names("inputs")

    @cached_property
    def uses_item(self) -> bool:
        """Whether it is about one value of a for_each."""
        return any(
            isinstance(node, nodes.Root) and node.name in ("item", "item_index")
            for node in _parts(self.node)
        )

    @cached_property
    def is_constant(self) -> bool:
        """Whether it refers to nothing: its value is known."""
        return not any(isinstance(node, nodes.Root) for node in _parts(self.node))

    def type_in(self, scope: TypeScope) -> Type:
        """The type of its values where names have these types. Raises `TypeProblem`."""
        return inference.type_of(self.node, scope)

    def evaluate(self, scope: Mapping[str, Any]) -> Any:
        """Its value, as JSON, where names have these values. Raises `EvaluationError`."""
        return evaluation.value_of(self.node, scope)

    def _names(self, root: str) -> frozenset[str]:
        return frozenset(
            node.accessors[0].name
            for node in _parts(self.node)
            if isinstance(node, nodes.Path)
            and isinstance(node.of, nodes.Root)
            and node.of.name == root
            and isinstance(node.accessors[0], nodes.Name)
        )


@lru_cache(maxsize=2048)
def parse(text: str) -> Expression:
    """The expression that a text holds. Raises `ExpressionError`, which says what is wrong with
    it, and where."""
    return Expression(text, parse_node(text))


def _parts(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for each in fields(node):
        value = getattr(node, each.name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, nodes.Node):
                yield from _parts(part)
