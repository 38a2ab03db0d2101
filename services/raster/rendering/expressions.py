"""Band math of a style: b1, b2, ... with numexpr's operators and functions, as rio-tiler has it.

Which operators rio-tiler lets through: rio_tiler/expression.py. Numexpr's functions:
https://numexpr.readthedocs.io/en/latest/user_guide.html#supported-functions
"""

from __future__ import annotations

import ast
import re

_LONGEST = 500
_BAND = re.compile(r"b([1-9]\d{0,4})")
_FUNCTIONS = (
    "abs", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "ceil", "cos",
    "cosh", "exp", "expm1", "floor", "fmod", "log", "log10", "log1p", "maximum", "minimum", "sin",
    "sinh", "sqrt", "tan", "tanh", "where",
)  # fmt: skip
_NODES = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare, ast.Constant, ast.Name, ast.Load, ast.Call,
    ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.Mod, ast.FloorDiv, ast.USub, ast.UAdd,
    ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE,
    ast.BitAnd, ast.BitOr, ast.BitXor, ast.Invert,
)  # fmt: skip


def bands(expression: str) -> frozenset[int]:
    """The numbers of the bands that an expression reads; its parts stand between semicolons.

    Raises `ValueError` for one that holds anything but bands, numbers, operators and functions,
    and for one without a band.
    """
    if len(expression) > _LONGEST:
        raise ValueError(f"has more than {_LONGEST} characters")
    parts = [part.strip().lower() for part in expression.split(";")]
    found = frozenset[int]().union(*(_bands_of(part) for part in parts if part))
    if not found:
        raise ValueError("reads no band")
    return found


def _bands_of(part: str) -> set[int]:
    try:
        nodes = list(ast.walk(ast.parse(part, mode="eval")))
    except (SyntaxError, RecursionError, MemoryError):
        raise ValueError(f"cannot be understood: {part!r}") from None
    calls = [node.func for node in nodes if isinstance(node, ast.Call)]
    numbers = set()
    for node in nodes:
        if isinstance(node, ast.Name) and (band := _BAND.fullmatch(node.id)) and node not in calls:
            numbers.add(int(band[1]))
        elif not isinstance(node, _NODES) or not _is_known(node, calls):
            raise ValueError(f"holds what is no band, number, operator or function: {part!r}")
    return numbers


def _is_known(node: ast.AST, calls: list[ast.expr]) -> bool:
    """Whether a node is a function where one is called, a number, or an operator."""
    if isinstance(node, ast.Name):
        return node in calls and node.id in _FUNCTIONS
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and not node.keywords
    return not isinstance(node, ast.Constant) or type(node.value) in (int, float)
