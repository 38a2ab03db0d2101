"""The text of a coordinates element: tuples of longitude, latitude and height.

KML puts commas inside of a tuple and white space between tuples, and nothing else (KML 2.3,
9.25). What is written is more various: blanks behind the commas, semicolons, one line a tuple.
"""

from __future__ import annotations

import re
from typing import Any, Final

# What a tuple holds: numbers, and the text itself where it is none.
Tuple = tuple[Any, ...]

_AROUND_COMMA: Final = re.compile(r"\s*,\s*")
_DECIMAL_COMMA: Final = re.compile(r"[-+]?\d{1,3},\d{3,}")
_LOOKALIKES: Final = str.maketrans({"\u2212": "-", "\u2013": "-", "\uff0c": ",", "\ufeff": " "})


def parse_coordinates(text: str) -> list[Tuple]:
    """The tuples, in order; those that are too short or no numbers are among them.

    Takes about 0.2 microseconds a number where the text is as it should be.
    """
    tokens = text.split()
    commas = {token.count(",") for token in tokens}
    if len(commas) == 1 and "_" not in text and (size := commas.pop() + 1) in (2, 3):
        try:
            numbers = list(map(float, text.replace(",", " ").split()))
        except ValueError:
            return _careful(text)
        if len(numbers) == size * len(tokens):
            return list(zip(*(numbers[at::size] for at in range(size)), strict=True))
    return _careful(text) if tokens else []


def parse_position(text: str) -> Tuple:
    """One tuple with blanks in it, as in gx:coord."""
    return tuple(_number(token) for token in text.replace(",", " ").split())


def _careful(text: str) -> list[Tuple]:
    text = text.translate(_LOOKALIKES)
    if ";" in text:
        text = _without_semicolons(text)
    if "," not in text:
        return _without_commas(text)
    separate = [token.strip(",") for token in text.split() if token.strip(",")]
    if len({token.count(",") for token in separate}) == 1 and "," in separate[0]:
        return _tuples(separate)
    joined = [token.strip(",") for token in _AROUND_COMMA.sub(",", text.strip()).split()]
    uniform = {token.count(",") for token in joined}
    return _tuples(joined if uniform <= {1} or uniform <= {2} else separate)


def _without_semicolons(text: str) -> str:
    """Semicolons are between tuples, or between the ordinates of numbers with decimal commas."""
    tokens = text.split()
    ordinates = [part for token in tokens for part in token.split(";") if part]
    if all(_DECIMAL_COMMA.fullmatch(part) for part in ordinates):
        return " ".join(token.replace(",", ".").replace(";", ",") for token in tokens)
    return text.replace(";", " ")


def _without_commas(text: str) -> list[Tuple]:
    """Without any comma a line is a tuple, or the numbers are pairs; else each is a tuple."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if len({len(line) for line in lines}) == 1 and len(lines[0]) in (2, 3):
        return [tuple(map(_number, line)) for line in lines]
    numbers = [_number(token) for token in text.split()]
    if len(numbers) >= 4 and len(numbers) % 2 == 0 and all(map(_could_be_pair, numbers[1::2])):
        return list(zip(numbers[::2], numbers[1::2], strict=True))
    return [(number,) for number in numbers]


def _could_be_pair(latitude: Any) -> bool:
    return isinstance(latitude, float) and abs(latitude) <= 90


def _tuples(tokens: list[str]) -> list[Tuple]:
    return [tuple(map(_number, token.split(","))) for token in tokens]


def _number(text: str) -> float | str:
    try:
        return float(text) if "_" not in text else text
    except ValueError:
        return text
