"""The value of an expression.

It takes time and room in proportion to the expression and to the values that it is given: texts
and lists have a largest size, numbers stay within 64 bits, and nothing repeats.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from core.pipelines import near, types
from core.pipelines.expressions import nodes
from core.pipelines.expressions.functions import FUNCTIONS, Misuse
from core.pipelines.expressions.nodes import Accessor, Each, Index, Name, Node
from core.pipelines.expressions.parsing import MAX_INTEGER
from core.pipelines.expressions.problems import EvaluationError

MAX_TEXT: Final = 100_000
"""Characters of a text."""
MAX_VALUES: Final = 100_000
"""Values in a result, with those within its lists and objects."""

# Names that the engine gives: one that is not there is a mistake, not a missing value.
_GIVEN: Final = ("inputs", "steps", "run")


def value_of(node: Node, scope: Mapping[str, Any]) -> Any:
    """The value, as JSON. `scope` has what the roots stand for. Raises `EvaluationError`."""
    value = _value(node, scope)
    if _is_beyond(value):
        raise EvaluationError(f"the value is too large: it has over {MAX_VALUES} parts")
    return value


def _value(node: Node, scope: Mapping[str, Any]) -> Any:
    match node:
        case nodes.Constant():
            return node.value
        case nodes.Root():
            if node.name not in scope:
                raise EvaluationError(f"{node.name} is not known here", node.offset)
            return scope[node.name]
        case nodes.Path():
            return _follow(_value(node.of, scope), node, 0)
        case nodes.ListOf():
            return [_value(each, scope) for each in node.items]
        case nodes.Not():
            return not _boolean(node.of, scope)
        case nodes.Negative():
            return _number(-_numeric(node.of, _value(node.of, scope)), node)
        case nodes.Junction():
            decides = node.word == "or"
            for part in node.parts:
                if _boolean(part, scope) is decides:
                    return decides
            return not decides
        case nodes.Arithmetic():
            return _arithmetic(node, _value(node.left, scope), _value(node.right, scope))
        case nodes.Comparison():
            return _comparison(node, scope)
        case nodes.Choice():
            chosen = node.then if _boolean(node.condition, scope) else node.otherwise
            return _value(chosen, scope)
        case nodes.Call():
            values = [_value(each, scope) for each in node.arguments]
            try:
                return FUNCTIONS[node.function].apply(values)
            except Misuse as error:
                raise EvaluationError(f"{node.source}: {error}", node.offset) from None
    raise AssertionError(f"{type(node).__name__} has no value")


def _follow(value: Any, path: nodes.Path, begin: int) -> Any:
    for index in range(begin, len(path.accessors)):
        accessor = path.accessors[index]
        if isinstance(accessor, Each):
            return _each(value, path, index)
        value = _step_into(value, accessor, path, index)
    return value


def _each(value: Any, path: nodes.Path, index: int) -> Any:
    """What the rest of the path gives for each value: one list, however many `[:]` follow."""
    if value is None:
        return None
    accessor = path.accessors[index]
    if not isinstance(value, list):
        raise EvaluationError(f"{accessor.source}: this is {_words(value)}, no list", path.offset)
    found = [_follow(each, path, index + 1) for each in value]
    if any(isinstance(each, Each) for each in path.accessors[index + 1 :]):
        return [each for inner in found if inner is not None for each in inner]
    return found


def _step_into(value: Any, accessor: Accessor, path: nodes.Path, index: int) -> Any:
    if value is None:
        return None
    if isinstance(accessor, Name) and isinstance(value, Mapping):
        if accessor.name in value:
            return value[accessor.name]
        if index == 0 and isinstance(path.of, nodes.Root) and path.of.name in _GIVEN:
            hint = near.hint(accessor.name, map(str, value))
            message = f"{accessor.source}: there is no {accessor.name}.{hint}"
            raise EvaluationError(message, path.offset)
        return None
    if isinstance(accessor, Index) and isinstance(value, list):
        if -len(value) <= accessor.index < len(value):
            return value[accessor.index]
        has = "is empty" if not value else f"has {len(value)} values"
        raise EvaluationError(f"{accessor.source}: the list {has}", path.offset)
    wanted = "no object with names" if isinstance(accessor, Name) else "no list"
    raise EvaluationError(f"{accessor.source}: this is {_words(value)}, {wanted}", path.offset)


def _boolean(node: Node, scope: Mapping[str, Any]) -> bool:
    value = _value(node, scope)
    if not isinstance(value, bool):
        raise EvaluationError(
            f"{node.source}: this is {_words(value)}, where true or false is wanted", node.offset
        )
    return value


def _arithmetic(node: nodes.Arithmetic, left: Any, right: Any) -> Any:
    if node.sign == "+" and isinstance(left, str) and isinstance(right, str):
        if len(left) + len(right) > MAX_TEXT:
            raise EvaluationError(f"{node.source}: the text is too long", node.offset)
        return left + right
    if node.sign == "+" and isinstance(left, list) and isinstance(right, list):
        if len(left) + len(right) > MAX_VALUES:
            raise EvaluationError(f"{node.source}: the list is too long", node.offset)
        return left + right
    if node.sign == "+" and not (_is_number(left) or _is_number(right)):
        raise EvaluationError(
            f"{node.source}: {_words(left)} and {_words(right)} cannot be added", node.offset
        )
    a, b = _numeric(node.left, left), _numeric(node.right, right)
    try:
        result = a + b if node.sign == "+" else a - b if node.sign == "-" else a * b
    except OverflowError:
        result = math.inf
    return _number(result, node)


def _numeric(node: Node, value: Any) -> float:
    if not _is_number(value):
        raise EvaluationError(
            f"{node.source}: this is {_words(value)}, where a number is wanted", node.offset
        )
    number: float = value
    return number


def _number(value: float, node: Node) -> float:
    held = abs(value) <= MAX_INTEGER if isinstance(value, int) else math.isfinite(value)
    if not held:
        raise EvaluationError(f"{node.source}: the number is too large", node.offset)
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _comparison(node: nodes.Comparison, scope: Mapping[str, Any]) -> bool:
    left = _value(node.operands[0], scope)
    for relation, operand in zip(node.relations, node.operands[1:], strict=True):
        right = _value(operand, scope)
        if not _holds(node, relation, left, right):
            return False
        left = right
    return True


def _holds(node: nodes.Comparison, relation: nodes.Relation, left: Any, right: Any) -> bool:
    match relation:
        case "==":
            return is_same(left, right)
        case "!=":
            return not is_same(left, right)
        case "in" | "not in":
            return _is_in(node, left, right) is (relation == "in")
    comparable = (_is_number(left) and _is_number(right)) or (
        isinstance(left, str) and isinstance(right, str)
    )
    if not comparable:
        raise EvaluationError(
            f"{node.source}: {_words(left)} and {_words(right)} have no order", node.offset
        )
    match relation:
        case "<":
            return bool(left < right)
        case "<=":
            return bool(left <= right)
        case ">":
            return bool(left > right)
    return bool(left >= right)


def _is_in(node: nodes.Comparison, left: Any, right: Any) -> bool:
    if isinstance(right, list):
        return any(is_same(left, each) for each in right)
    if isinstance(right, str) and isinstance(left, str):
        return left in right
    raise EvaluationError(
        f"{node.source}: what is searched is {_words(right)}: a list is wanted, or a text within "
        "a text",
        node.offset,
    )


def is_same(a: Any, b: Any) -> bool:
    """Whether two JSON values are the same. true is not 1; 1 and 1.0 are one number."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(is_same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(is_same(a[name], b[name]) for name in a)
    return bool(a == b)


def _words(value: Any) -> str:
    if isinstance(value, str):
        return "a text"
    if _is_number(value):
        return "a number"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, Mapping):
        return "an object"
    return types.type_of(value).as_words()


def _is_beyond(value: Any) -> bool:
    """Whether it has too many parts. Lists that are in it twice count twice, as when written."""
    count = 0
    left = [value]
    while left:
        each = left.pop()
        count += 1 + (len(each) // 100 if isinstance(each, str) else 0)
        if isinstance(each, Mapping):
            left.extend(each.values())
        elif isinstance(each, list):
            left.extend(each)
        if count + len(left) > MAX_VALUES:
            return True
    return False
