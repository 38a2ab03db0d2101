"""What PostgreSQL's jsonb can hold: JSON whose numbers are finite and whose texts are Unicode.

Python's JSON is wider: NaN and infinities, NULs, and the lone surrogates by which a file name
that is not UTF-8 is read. Whatever comes from users or out of files passes here before it goes
into the ledger. (`encode` is also what psycopg is given to write jsonb with: its default can be
changed for the whole process, and importing pypgstac does so.)
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

# A NUL as JSON escapes it: after an even number of backslashes.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")

# What a text must not hold: a NUL, or half of a character that is written as two.
UNKEPT = re.compile("[\x00\ud800-\udfff]")


def encode(value: Any) -> bytes:
    """The value as UTF-8 JSON. Raises ValueError saying why jsonb could not hold it."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        encoded = text.encode()
    except UnicodeEncodeError:
        raise ValueError("a text is not valid Unicode") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(str(error)) from None
    if _NUL.search(text):
        raise ValueError("a text holds a NUL")
    return encoded


def unstorable(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The names of values that jsonb could not hold, each with the reason."""
    for name, value in values.items():
        try:
            encode({name: value})
        except ValueError as error:
            yield name, f"cannot be kept: {error}"


def clean_text(text: str) -> str:
    """The text with NULs and lone surrogates spelled out."""
    return text.replace("\x00", "\\0").encode("utf-8", "backslashreplace").decode()


def clean(value: Any, text: Callable[[str], str] = clean_text) -> Any:
    """The nearest value that jsonb can hold: what is not JSON becomes the text of it.

    A time is written as ISO 8601. `text` is applied to every text, and must give clean ones.
    """
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {text(str(key)): clean(item, text) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(item, text) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return text(str(value))
