"""A text into the parts of an expression.

The syntax is that of Python's expressions, read by Python's own parser; what is not in the list
below is refused, and nothing is ever run. What people write by mistake is answered with what they
may have meant.
"""

from __future__ import annotations

import ast
import keyword
import math
import re
from typing import Final, Literal, cast

from core.jsonb import UNKEPT
from core.pipelines import near
from core.pipelines.expressions import nodes
from core.pipelines.expressions.functions import FUNCTIONS
from core.pipelines.expressions.nodes import Accessor, Each, Index, Name, Node, Relation
from core.pipelines.expressions.problems import ExpressionError

MAX_LENGTH: Final = 500
MAX_DEPTH: Final = 40
MAX_PARTS: Final = 200
MAX_INTEGER: Final = 2**63 - 1

ROOTS: Final = {
    "inputs": "inputs.NAME",
    "steps": "steps.ID.outputs",
    "item": "item",
    "item_index": "item_index",
    "run": "run.id or run.date",
}
_WORDS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}
_SIGNS: Final[dict[type[ast.operator], Literal["+", "-", "*"]]] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
}
_RELATIONS: Final[dict[type[ast.cmpop], Relation]] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
}
# A text in quotes, or a keyword of Python's where a name is meant: inputs.from, steps.import.
_KEYWORDS = "|".join(word for word in keyword.kwlist)
_DOTTED_KEYWORD = re.compile(
    rf"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\.[ ]*(?P<word>{_KEYWORDS})\b"""
)
_STRANGE_ESCAPE = re.compile(r"\\(?:\\|(?P<strange>[^\"'nt]|$))")


def parse_node(text: str) -> Node:
    """The expression in a text. Raises `ExpressionError`."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"an expression has at most {MAX_LENGTH} characters", MAX_LENGTH)
    unkept = UNKEPT.search(text)
    if unkept is not None:
        message = "there is a character here that cannot be kept"
        raise ExpressionError(message, unkept.start())
    # Line breaks mean nothing; each stays one character, so that offsets hold.
    line = re.sub(r"[\r\n\t\f\v]", " ", text)
    if not line.strip():
        raise ExpressionError("an expression is wanted: there is nothing here")
    for escape in _STRANGE_ESCAPE.finditer(line):
        if escape["strange"] is not None:
            raise ExpressionError("a backslash in a text is written twice: \\\\", escape.start())
    start = len(line) - len(line.lstrip(" "))
    line = line.rstrip(" ")
    readable, renamed = _without_keywords(line)
    try:
        tree = ast.parse(readable[start:], mode="eval")
    except SyntaxError as error:
        raise _syntax_error(error, line, start) from None
    except (ValueError, MemoryError, RecursionError):
        raise ExpressionError("this cannot be read as an expression", start) from None
    return _Builder(line, start, renamed).whole(tree.body)


def _without_keywords(line: str) -> tuple[str, dict[int, str]]:
    """The line with keywords that stand for names made into plain names of their length, and
    what they were, by where they begin."""
    renamed: dict[int, str] = {}

    def replace(match: re.Match[str]) -> str:
        word = match["word"]
        if word is None:
            return match[0]
        renamed[match.start("word")] = word
        return match[0][: -len(word)] + "_" * len(word)

    return _DOTTED_KEYWORD.sub(replace, line), renamed


def _syntax_error(error: SyntaxError, line: str, start: int) -> ExpressionError:
    # It counts from 1; 0 is how it names the end.
    at = min(start + error.offset - 1, len(line)) if error.offset else len(line)
    said = error.msg or ""
    if "unterminated string" in said:
        return ExpressionError("a text ends with the quotes that it begins with", at)
    if "was never closed" in said:
        return ExpressionError(f"{line[at : at + 1]} is opened here and never closed", at)
    if "expected 'else'" in said:
        return ExpressionError("what holds otherwise is missing: a if c else b", at)
    if "unmatched" in said or "does not match" in said:
        return ExpressionError(f"{line[at : at + 1]} closes nothing that was opened", at)
    if re.search(r"(?<![=!<>])=(?!=)", line[at : at + 2]) or "Maybe you meant '=='" in said:
        return ExpressionError("values are compared with ==, not with =", at)
    for sign, words in (("&&", "and"), ("||", "or"), ("!", "not"), ("?", "a if c else b")):
        if sign in line and (sign != "!" or re.search(r"!(?!=)", line)):
            return ExpressionError(f"{sign} is written as: {words}", line.index(sign))
    if at >= len(line):
        return ExpressionError("something is missing at the end", at)
    return ExpressionError(f"this cannot be read from here on: {line[at : at + 30]}", at)


class _Builder:
    """Turns Python's tree into ours, within the limits."""

    def __init__(self, line: str, start: int, renamed: dict[int, str]) -> None:
        self._line = line
        self._start = start
        self._renamed = renamed
        # Python's parser counts in bytes.
        self._bytes = line[start:].encode()
        self._parts = 0

    def whole(self, tree: ast.expr) -> Node:
        rest = self._bytes[tree.end_col_offset or 0 :].decode()
        if "#" in rest:
            at = len(self._line) - len(rest) + rest.index("#")
            raise ExpressionError("comments are not part of an expression", at)
        return self._build(tree, 0)

    def _at(self, column: int) -> int:
        return self._start + len(self._bytes[:column].decode())

    def _build(self, tree: ast.expr, depth: int) -> Node:
        self._parts += 1
        if depth > MAX_DEPTH or self._parts > MAX_PARTS:
            raise ExpressionError("this is too long a calculation", self._offset(tree))
        source, offset = self._source(tree), self._offset(tree)
        match tree:
            case ast.Constant():
                return nodes.Constant(source=source, offset=offset, value=self._constant(tree))
            case ast.Name():
                return self._name(tree, source, offset)
            case ast.Attribute() | ast.Subscript():
                return self._path(tree, source, offset, depth)
            case ast.List():
                items = self._all(tree.elts, depth)
                return nodes.ListOf(source=source, offset=offset, items=items)
            case ast.UnaryOp(op=ast.Not()):
                of = self._build(tree.operand, depth + 1)
                return nodes.Not(source=source, offset=offset, of=of)
            case ast.UnaryOp(op=ast.USub()):
                of = self._build(tree.operand, depth + 1)
                return nodes.Negative(source=source, offset=offset, of=of)
            case ast.BoolOp():
                word: Literal["and", "or"] = "and" if isinstance(tree.op, ast.And) else "or"
                parts = self._all(tree.values, depth)
                return nodes.Junction(source=source, offset=offset, word=word, parts=parts)
            case ast.BinOp() if type(tree.op) in _SIGNS:
                left, right = self._all([tree.left, tree.right], depth)
                sign = _SIGNS[type(tree.op)]
                return nodes.Arithmetic(
                    source=source, offset=offset, sign=sign, left=left, right=right
                )
            case ast.Compare():
                return self._comparison(tree, source, offset, depth)
            case ast.IfExp():
                condition, then, otherwise = self._all([tree.test, tree.body, tree.orelse], depth)
                return nodes.Choice(
                    source=source,
                    offset=offset,
                    condition=condition,
                    then=then,
                    otherwise=otherwise,
                )
            case ast.Call():
                return self._call(tree, source, offset, depth)
            case _:
                raise ExpressionError(_refusal(tree, source), offset)

    def _all(self, trees: list[ast.expr], depth: int) -> tuple[Node, ...]:
        return tuple(self._build(each, depth + 1) for each in trees)

    def _offset(self, tree: ast.expr) -> int:
        return self._at(tree.col_offset)

    def _source(self, tree: ast.expr) -> str:
        return self._line[self._at(tree.col_offset) : self._at(tree.end_col_offset or 0)]

    def _constant(self, tree: ast.Constant) -> str | int | float | bool | None:
        value = tree.value
        if value is None or isinstance(value, (bool, str)):
            return value
        if isinstance(value, int) and value <= MAX_INTEGER:
            return value
        if isinstance(value, float) and math.isfinite(value):
            return value
        if isinstance(value, (int, float)):
            raise ExpressionError("this number is too large", self._offset(tree))
        raise ExpressionError(_refusal(tree, self._source(tree)), self._offset(tree))

    def _name(self, tree: ast.Name, source: str, offset: int) -> Node:
        if tree.id in _WORDS:
            return nodes.Constant(source=source, offset=offset, value=_WORDS[tree.id])
        if tree.id not in ROOTS:
            raise ExpressionError(_unknown_name(tree.id), offset)
        if tree.id in ("inputs", "steps", "run"):
            raise ExpressionError(f"{tree.id} alone is no value: write {ROOTS[tree.id]}", offset)
        return nodes.Root(source=source, offset=offset, name=tree.id)

    def _path(self, tree: ast.expr, source: str, offset: int, depth: int) -> Node:
        accessors: list[Accessor] = []
        while isinstance(tree, (ast.Attribute, ast.Subscript)):
            accessors.append(self._accessor(tree))
            if len(accessors) > MAX_DEPTH:
                raise ExpressionError("this goes too deep", offset)
            tree = tree.value
        accessors.reverse()
        of = self._root(tree, accessors[0]) if isinstance(tree, ast.Name) else None
        if of is None:
            of = self._build(tree, depth + 1)
        return nodes.Path(source=source, offset=offset, of=of, accessors=tuple(accessors))

    def _root(self, tree: ast.Name, first: Accessor) -> Node | None:
        if tree.id not in ("inputs", "steps", "run"):
            return None
        if not isinstance(first, Name):
            message = f"after {tree.id} comes a name: {ROOTS[tree.id]}"
            raise ExpressionError(message, self._offset(tree))
        return nodes.Root(source=tree.id, offset=self._offset(tree), name=tree.id)

    def _accessor(self, tree: ast.Attribute | ast.Subscript) -> Accessor:
        source = self._source(tree)
        if isinstance(tree, ast.Attribute):
            begins = self._at((tree.end_col_offset or 0) - len(tree.attr.encode()))
            return Name(source=source, name=self._renamed.get(begins, tree.attr))
        match tree.slice:
            case ast.Slice(lower=None, upper=None, step=None):
                return Each(source=source)
            case ast.Constant(value=str() as name):
                return Name(source=source, name=name)
            case ast.Constant(value=int() as index) if type(index) is int and index <= MAX_INTEGER:
                return Index(source=source, index=index)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as index)) if (
                type(index) is int and index <= MAX_INTEGER
            ):
                return Index(source=source, index=-index)
        raise ExpressionError(
            "between [ and ] stands a whole number, a name in quotes, or : for each value",
            self._at(tree.slice.col_offset),
        )

    def _comparison(self, tree: ast.Compare, source: str, offset: int, depth: int) -> Node:
        for op in tree.ops:
            if type(op) not in _RELATIONS:
                raise ExpressionError("values are compared with == or !=, not with is", offset)
        return nodes.Comparison(
            source=source,
            offset=offset,
            operands=self._all([tree.left, *tree.comparators], depth),
            relations=tuple(_RELATIONS[type(op)] for op in tree.ops),
        )

    def _call(self, tree: ast.Call, source: str, offset: int, depth: int) -> Node:
        if not isinstance(tree.func, ast.Name):
            called = cast(str, getattr(tree.func, "attr", ""))
            message = f"functions are written as NAME(value).{near.hint(called, FUNCTIONS)}"
            raise ExpressionError(message, offset)
        function = FUNCTIONS.get(tree.func.id)
        if function is None:
            message = f"there is no function {tree.func.id}.{near.hint(tree.func.id, FUNCTIONS)}"
            raise ExpressionError(message, offset)
        if tree.keywords or any(isinstance(each, ast.Starred) for each in tree.args):
            raise ExpressionError(f"it is written as {function.signature}", offset)
        if not function.least <= len(tree.args) <= function.most:
            raise ExpressionError(
                f"{function.name} takes {_count(function.least, function.most)}, and this gives "
                f"it {len(tree.args)}: it is written as {function.signature}",
                offset,
            )
        arguments = self._all(tree.args, depth)
        return nodes.Call(source=source, offset=offset, function=function.name, arguments=arguments)


def _count(least: int, most: int) -> str:
    if most > least:
        return f"{least} to {most} values"
    return "one value" if least == 1 else f"{least} values"


def _unknown_name(name: str) -> str:
    known = {*ROOTS, *_WORDS}
    hint = near.hint(name, known)
    if "Did you mean" in hint:
        return f"there is nothing called {name}.{hint}"
    return (
        f'there is nothing called {name}: a text is written in quotes ("{name}"), an input as '
        f"inputs.NAME, what a step gives as steps.ID.outputs.NAME"
    )


def _refusal(tree: ast.expr, source: str) -> str:
    match tree:
        case ast.BinOp():
            return "numbers are put together with +, - and *: there is no other sign for it"
        case ast.JoinedStr():
            return 'texts are put together with +: "run of " + run.date'
        case ast.Dict() | ast.Set():
            return "an object cannot be written in an expression"
        case ast.Tuple():
            return "a list is written in square brackets: [a, b]"
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            return "what is asked of each value of a list is written as list[:].NAME"
    return f"this is not part of the language: {source[:60]}"
