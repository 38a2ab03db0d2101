"""Names of columns and tables, made from what files call things.

A name is made of ASCII letters, digits and underscores, in lower snake case, so that SQL needs
no quotes. Letters with marks lose them, ligatures and a few letters are spelled out (Straße is
strasse); other scripts are not transliterated, which would be wrong for most languages: a
column of which nothing is left is named by its place, column_3, and its comment keeps the
name of the source.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence

from core.models.feature_table import GEOMETRY_COLUMN, KEY_COLUMN

HASH_COLUMN = "gf_hash"

# PostgreSQL cuts identifiers at 63 bytes. A few are left for the suffixes of derived names.
_COLUMN_BYTES = 59
_TABLE_BYTES = 50
_HASH_DIGITS = 8

# What Unicode does not decompose.
_SPELLED = str.maketrans(
    {
        "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O",
        "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "TH", "ł": "l", "Ł": "L",
        "\u0131": "i", "ħ": "h", "Ħ": "H", "ŋ": "ng", "Ŋ": "NG", "ŧ": "t", "Ŧ": "T", "ĸ": "k",
        "ə": "e", "Ə": "E", "µ": "u", "μ": "u",
    }
)  # fmt: skip

# "PostgreSQL 15: reserved" and "reserved (can be function or type)" of appendix C of its
# manual, and the names of system columns, which a table cannot use.
_RESERVED_WORDS = """
    all analyse analyze and any array as asc asymmetric authorization binary both case cast
    check collate collation column concurrently constraint create cross current_catalog
    current_date current_role current_schema current_time current_timestamp current_user
    default deferrable desc distinct do else end except false fetch for foreign freeze from
    full grant group having ilike in initially inner intersect into is isnull join lateral
    leading left like limit localtime localtimestamp natural not notnull null offset on only
    or order outer overlaps placing primary references returning right select session_user
    similar some symmetric system_user table tablesample then to trailing true union unique
    user using variadic verbose when where window with
    cmax cmin ctid oid tableoid xmax xmin
"""
_RESERVED = frozenset(_RESERVED_WORDS.split())
# What every table of ours has beside the attributes.
_OWN = frozenset({KEY_COLUMN, GEOMETRY_COLUMN, HASH_COLUMN})

_WORD_ENDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


def column_names(sources: Sequence[str]) -> dict[str, str]:
    """The columns for attributes, by the attributes' names, which must be distinct.

    Names are unique within the result and depend on the names and their order alone: of two
    that come out equal the first keeps the name and the next is numbered.
    """
    wanted = {
        source: _usable(_snake(source) or f"column_{number}", _COLUMN_BYTES)
        for number, source in enumerate(sources, start=1)
    }
    if len(wanted) != len(sources):
        raise ValueError("The names of the attributes are not distinct.")
    # A numbered name must not take the one that a later attribute has by itself.
    own = set(wanted.values())
    taken: set[str] = set()
    result = {}
    for source, name in wanted.items():
        column = name if name not in taken else _numbered(name, taken | own)
        taken.add(column)
        result[source] = column
    return result


def table_name(text: str) -> str:
    """A table's name for the name of a file or a layer, of at most 50 bytes."""
    return _usable(_snake(text) or "layer", _TABLE_BYTES)


def _snake(text: str) -> str:
    spelled = unicodedata.normalize("NFKC", text).translate(_SPELLED)
    decomposed = unicodedata.normalize("NFKD", spelled)
    # What cannot be written in ASCII separates words, as punctuation does; marks do not.
    ascii_text = "".join(
        c if c.isascii() else " " for c in decomposed if not unicodedata.combining(c)
    )
    return _NOT_IN_NAMES.sub("_", _WORD_ENDS.sub("_", ascii_text).lower()).strip("_")


def _usable(name: str, limit: int) -> str:
    if name[0].isdigit():
        name = f"_{name}"
    if name in _RESERVED or name in _OWN:
        name = f"{name}_"
    return _cut(name, limit)


def _cut(name: str, limit: int) -> str:
    """A long name cut, with a hash of all of it in place of the rest: cuts stay distinct."""
    if len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH_DIGITS]
    return f"{name[: limit - _HASH_DIGITS - 1].rstrip('_')}_{digest}"


def _numbered(name: str, taken: Iterable[str]) -> str:
    number = 2
    while (candidate := _cut(f"{name.rstrip('_')}_{number}", _COLUMN_BYTES)) in taken:
        number += 1
    return candidate
