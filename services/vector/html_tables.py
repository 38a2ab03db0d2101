"""Attributes that an export wrote into descriptions as a table of two columns.

ArcGIS, QGIS and many converters to KML do this; the table's rows are the columns that the
data once had.
"""

from __future__ import annotations

import html
import re
from typing import Final

# A cell is bounded by the next tag of a table, so that the time is linear.
_CELL: Final = r"<t[dh](?:\s[^<>]*)?>((?:[^<]|<(?!/?t[dhr][\s>]|/?table[\s>]))*+)</t[dh]\s*>\s*"
_ROW: Final = re.compile(rf"<tr(?:\s[^<>]*)?>\s*{_CELL}{_CELL}</tr\s*>", re.IGNORECASE)
# Google Earth's and GDAL's list of attributes.
_ITEM: Final = re.compile(
    r"<span class=\"atr-name\">([^<]*)</span>:?(?:</strong>)?:?\s*"
    r"<span class=\"atr-value\">([^<]*)</span>",
    re.IGNORECASE,
)
_TAGS: Final = re.compile(r"<[^<>]*>")
_MAX_KEY: Final = 64
_MISSING: Final = frozenset({"", "&nbsp;", "<null>", "&lt;null&gt;"})


def attribute_table(markup: str) -> dict[str, str]:
    """The rows of two cells as keys and values; empty where there are none.

    Of a key that is there twice the first value stands; missing values are left out.
    """
    if "<t" not in markup and "<T" not in markup and "atr-name" not in markup:
        return {}
    pairs = _ROW.findall(markup) or _ITEM.findall(markup)
    found: dict[str, str] = {}
    for raw_key, raw_value in pairs:
        key = _plain(raw_key).rstrip(":").strip()
        if not key or len(key) > _MAX_KEY or key in found:
            continue
        found[key] = "" if raw_value.strip().lower() in _MISSING else _plain(raw_value)
    return found


def _plain(cell: str) -> str:
    return " ".join(html.unescape(_TAGS.sub("", cell)).split())
