"""The type of an expression, before anything has run.

What it accepts has a value: the evaluation of an expression whose names have these types fails
only where a list is shorter than an index, or a number or a text grows beyond its largest size.
(And where something is `Anything`, of which nothing can be said.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from core.pipelines import near, types
from core.pipelines.expressions import nodes
from core.pipelines.expressions.functions import FUNCTIONS, Misuse
from core.pipelines.expressions.nodes import Accessor, Each, Index, Name, Node
from core.pipelines.expressions.problems import TypeProblem
from core.pipelines.types import Type

TypeScope = Mapping[str, Type]
"""What the roots stand for: `inputs`, `steps` and `run` as objects, `item` only in a for_each."""

_NUMBERS: Final = types.Number()
_WHOLE: Final = types.Number(whole=True)
_TEXTS: Final = types.Text()
_LISTS: Final = types.List(types.Anything())
_UNKNOWN_ITEM: Final = "is known only in the parameters of a step with for_each"


def type_of(node: Node, scope: TypeScope) -> Type:
    """The type of the values that the expression may have. Raises `TypeProblem`."""
    match node:
        case nodes.Constant():
            return types.type_of(node.value)
        case nodes.Root():
            if node.name not in scope:
                raise TypeProblem(f"{node.name} {_UNKNOWN_ITEM}", node.offset)
            return scope[node.name]
        case nodes.Path():
            return _follow(type_of(node.of, scope), node, 0)
        case nodes.ListOf():
            return types.Tuple(tuple(type_of(each, scope) for each in node.items))
        case nodes.Not():
            _must_fit(node.of, type_of(node.of, scope), types.Boolean())
            return types.Boolean()
        case nodes.Negative():
            of = type_of(node.of, scope)
            _must_fit(node.of, of, _NUMBERS)
            return _negative(of)
        case nodes.Junction():
            for part in node.parts:
                _must_fit(part, type_of(part, scope), types.Boolean())
            return types.Boolean()
        case nodes.Arithmetic():
            return _arithmetic(node, type_of(node.left, scope), type_of(node.right, scope))
        case nodes.Comparison():
            return _comparison(node, scope)
        case nodes.Choice():
            _must_fit(node.condition, type_of(node.condition, scope), types.Boolean())
            return types.union([type_of(node.then, scope), type_of(node.otherwise, scope)])
        case nodes.Call():
            given = [type_of(each, scope) for each in node.arguments]
            try:
                return FUNCTIONS[node.function].result(given)
            except Misuse as error:
                raise TypeProblem(f"{node.source}: {error}", node.offset) from None
    raise AssertionError(f"{type(node).__name__} has no type")


def _must_fit(node: Node, given: Type, wanted: Type) -> None:
    fault = types.why_not(given, wanted)
    if fault is not None:
        raise TypeProblem(f"{node.source}: {fault}", node.offset)


def _follow(of: Type, path: nodes.Path, begin: int) -> Type:
    for index in range(begin, len(path.accessors)):
        accessor = path.accessors[index]
        if isinstance(accessor, Each):
            return _each(of, path, index)
        of = types.union(
            [_step_into(each, accessor, path, index, of) for each in types.members(of)]
        )
    return of


def _each(of: Type, path: nodes.Path, index: int) -> Type:
    found: list[Type] = []
    for each in types.members(of):
        if isinstance(each, (types.List, types.Tuple)):
            found.append(_projected(each.item, path, index))
        elif isinstance(each, types.Anything):
            # The rest is followed all the same: what is wrong in itself is found.
            return types.List(types.Anything())
        elif isinstance(each, types.Null):
            found.append(each)
        elif not isinstance(each, types.Nothing):
            source = path.accessors[index].source
            raise TypeProblem(f"{source}: this is {each.as_words()}, no list", path.offset)
    return types.union(found)


def _projected(item: Type, path: nodes.Path, index: int) -> Type:
    inner = _follow(item, path, index + 1)
    if any(isinstance(each, Each) for each in path.accessors[index + 1 :]):
        lists = [each for each in types.members(inner) if isinstance(each, types.List)]
        return types.List(types.union([each.item for each in lists]))
    return types.List(inner)


def _step_into(of: Type, accessor: Accessor, path: nodes.Path, index: int, whole: Type) -> Type:
    match of:
        case types.Anything() | types.Nothing() | types.Null():
            return of
        case types.Object() if isinstance(accessor, Name):
            known = of.properties.get(accessor.name)
            if known is not None:
                return known.read
            if of.extra is not None:
                return types.union([of.extra, types.Null()])
            if _is_known_elsewhere(accessor.name, whole):
                return types.Null()
            hint = near.hint(accessor.name, of.properties)
            raise TypeProblem(f"{accessor.source}: {_lacks(path, index, accessor.name)}{hint}",
                              path.offset)  # fmt: skip
        case types.List() if isinstance(accessor, Index):
            return of.item
        case types.Tuple() if isinstance(accessor, Index):
            if not -len(of.items) <= accessor.index < len(of.items):
                has = f"the list has {len(of.items)} values"
                raise TypeProblem(f"{accessor.source}: {has}", path.offset)
            return of.items[accessor.index]
    help_ = ""
    if isinstance(accessor, Name) and isinstance(of, (types.List, types.Tuple)):
        help_ = f"; its first value is [0], and [:].{accessor.name} asks each value for it"
    wanted = "which has no names" if isinstance(accessor, Name) else "no list"
    message = f"{accessor.source}: this is {of.as_words()}, {wanted}{help_}"
    raise TypeProblem(message, path.offset)


def _is_known_elsewhere(name: str, whole: Type) -> bool:
    """Whether another of the objects that it may be has the name: it is null in this one then."""
    return any(
        isinstance(each, types.Object) and (name in each.properties or each.extra is not None)
        for each in types.members(whole)
    )


def _lacks(path: nodes.Path, index: int, name: str) -> str:
    if index == 0 and isinstance(path.of, nodes.Root):
        if path.of.name == "steps":
            return f"there is no step {name}."
        if path.of.name == "inputs":
            return f"there is no input {name}."
    return f"there is no {name}."


def _negative(of: Type) -> Type:
    if isinstance(of, types.Number) and of.values is not None:
        return types.Number(of.whole, tuple(-each for each in of.values))
    return _WHOLE if types.why_not(of, _WHOLE) is None else _NUMBERS


def _arithmetic(node: nodes.Arithmetic, left: Type, right: Type) -> Type:
    if isinstance(left, types.Anything) and isinstance(right, types.Anything):
        return left if node.sign == "+" else _NUMBERS
    if node.sign == "+":
        known = types.without_null(right if isinstance(left, types.Anything) else left)
        for wanted in (_TEXTS, _LISTS):
            if types.why_not(known, wanted) is None:
                _must_fit_beside(node, left, right, wanted)
                _must_fit_beside(node, right, left, wanted)
                return _TEXTS if wanted is _TEXTS else _joined(left, right)
    _must_fit_beside(node, left, right, _NUMBERS)
    _must_fit_beside(node, right, left, _NUMBERS)
    whole = all(types.why_not(each, _WHOLE) is None for each in (left, right))
    certain = not any(isinstance(each, types.Anything) for each in (left, right))
    return _WHOLE if whole and certain else _NUMBERS


def _must_fit_beside(node: nodes.Arithmetic, given: Type, other: Type, wanted: Type) -> None:
    fault = types.why_not(given, wanted)
    if fault is None:
        return
    help_ = ""
    texts_and_numbers = types.union([_TEXTS, _NUMBERS])
    if node.sign == "+" and all(
        types.why_not(each, texts_and_numbers) is None for each in (given, other)
    ):
        help_ = "; text(...) makes a text of a number"
    raise TypeProblem(f"{node.source}: {fault}{help_}", node.offset)


def _joined(left: Type, right: Type) -> Type:
    if isinstance(left, types.Tuple) and isinstance(right, types.Tuple):
        return types.Tuple(left.items + right.items)
    items: list[Type] = []
    for each in (*types.members(left), *types.members(right)):
        items.append(each.item if isinstance(each, (types.List, types.Tuple)) else types.Anything())
    return types.List(types.union(items))


def _comparison(node: nodes.Comparison, scope: TypeScope) -> Type:
    operands = [type_of(each, scope) for each in node.operands]
    for relation, left, right in zip(node.relations, operands, operands[1:], strict=False):
        if relation in ("==", "!="):
            fault = _never_equal(left, right)
        elif relation in ("in", "not in"):
            fault = _never_within(left, right)
        else:
            fault = _without_order(left, right)
        if fault is not None:
            raise TypeProblem(f"{node.source}: {fault}", node.offset)
    return types.Boolean()


def _never_equal(left: Type, right: Type) -> str | None:
    if types.can_be_equal(left, right):
        return None
    return f"{left.as_words()} is never the same as {right.as_words()}"


def _never_within(left: Type, right: Type) -> str | None:
    fault = types.why_not(right, types.union([_LISTS, _TEXTS]))
    if fault is not None:
        return fault
    for each in types.members(right):
        if isinstance(each, types.Text):
            return types.why_not(left, _TEXTS)
        if isinstance(each, (types.List, types.Tuple)) and not types.can_be_equal(left, each.item):
            return f"{left.as_words()} is never among {each.item.as_plural()}"
    return None


def _without_order(left: Type, right: Type) -> str | None:
    both = types.union([left, right])
    if isinstance(both, types.Anything):
        known = [each for each in (left, right) if not isinstance(each, types.Anything)]
        return types.why_not(types.union(known), types.union([_NUMBERS, _TEXTS]))
    faults = [types.why_not(both, wanted) for wanted in (_NUMBERS, _TEXTS)]
    if None in faults:
        return None
    if types.may_be_null(both):
        return "null has no order: coalesce(..., ...) puts another value in its place"
    return f"{left.as_words()} and {right.as_words()} have no order"
