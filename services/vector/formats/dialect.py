"""How a file of delimited text is written: delimiter, quotes, header, decimal comma."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from typing import Final

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from services.vector.inference.text_forms import Class, classify, trimmed

_DELIMITERS: Final = (",", "\t", ";", "|")
_SAMPLE_RECORDS: Final = 500
_MAX_FIELD: Final = 64 << 20
_NUMERIC: Final = frozenset({Class.INTEGER, Class.REAL, Class.COMMA_REAL, Class.BIG_INTEGER})
_YEARS: Final = range(1800, 2101)


class Dialect(BaseModel):
    """`quotes` says whether a double quote at the beginning of a field has a meaning.

    `skip` counts the lines before the header or, without one, the first record.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    delimiter: str
    quotes: bool
    header: bool
    decimal_comma: bool = False
    skip: int = 0
    fields: int
    evidence: list[str] = []


def detect(sample: str) -> Dialect:
    """The dialect of a text, from its beginning; the last line may be cut."""
    lines = sample.splitlines()
    if len(lines) > 1 and not sample.endswith(("\n", "\r")):
        lines = lines[:-1]
    skip = _preamble(lines)
    text = lines[skip:]
    score, delimiter, quotes, records = max(
        (_try(text, delimiter, quotes) for delimiter in _DELIMITERS for quotes in (True, False)),
        key=lambda tried: tried[0],
    )
    fields = _usual_length(records)
    header = _has_header(records, fields)
    said = f"{score[0]:.0%} of the first {len(records):,} records have {fields} fields"
    if fields == 1:
        said = "no delimiter divides the lines evenly: one column"
        delimiter = "," if all("," not in line for line in text) else "\x1f"
    return Dialect(
        delimiter=delimiter,
        quotes=quotes,
        header=header,
        decimal_comma=delimiter != "," and _has_decimal_commas(records),
        skip=skip,
        fields=fields,
        evidence=[said],
    )


def parse(lines: Sequence[str], delimiter: str, quotes: bool) -> list[list[str]]:
    """The records of lines (without their ends), as Python's csv module reads them."""
    csv.field_size_limit(_MAX_FIELD)
    return list(
        csv.reader(
            lines,
            delimiter=delimiter,
            quotechar='"',
            quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE,
            strict=False,
        )
    )


def _try(
    lines: list[str], delimiter: str, quotes: bool
) -> tuple[tuple[float, int, bool], str, bool, list[list[str]]]:
    """How evenly a dialect divides the lines. Quotes that swallow line ends count against it."""
    records = parse([line + "\n" for line in lines[:_SAMPLE_RECORDS]], delimiter, quotes)
    records = [record for record in records if record]
    usual = _usual_length(records)
    even = sum(len(record) == usual for record in records) / max(1, len(records))
    swallowed = any("\n" in field and len(field) > 2_000 for record in records for field in record)
    if usual < 2 or swallowed:
        even = 0.0
    return (even, usual, quotes), delimiter, quotes, records


def _usual_length(records: list[list[str]]) -> int:
    lengths = Counter(len(record) for record in records)
    return lengths.most_common(1)[0][0] if lengths else 1


def _preamble(lines: list[str]) -> int:
    """Lines at the top that hold no data: blank ones, comments, and Excel's `sep=;`."""
    skip = 0
    for line in lines:
        if line.strip() and not line.startswith(("#", "//")) and not _is_separator_line(line):
            break
        if line.startswith("#") and _could_be_header(line, lines[skip + 1 : skip + 3]):
            break
        skip += 1
    return skip if skip < len(lines) else 0


def _is_separator_line(line: str) -> bool:
    return len(line) <= 6 and line.lower().startswith("sep=")


def _could_be_header(line: str, following: list[str]) -> bool:
    """Whether a line such as `#id,name,x` has the fields of those that follow."""
    return any(
        line.count(delimiter)
        and all(
            line.count(delimiter) == each.count(delimiter) for each in following if each.strip()
        )
        and any(each.strip() and not each.startswith("#") for each in following)
        for delimiter in _DELIMITERS
    )


def _has_header(records: list[list[str]], fields: int) -> bool:
    """A first record of names: no numbers in it where the others have some."""
    if not records:
        return False
    first = records[0]
    if len(records) == 1:
        return not any(_is_number(field) for field in first)
    numbers = [field for field in first if _is_number(field)]
    if not numbers:
        return any(field.strip() for field in first)
    rest = [record for record in records[1:] if len(record) == fields]
    numeric = [
        at
        for at in range(fields)
        if sum(_is_number(record[at]) for record in rest[:100]) > 0.5 * len(rest[:100])
    ]
    names_there = [at for at in numeric if at < len(first) and not _is_number(first[at])]
    years = all(field.strip().isdigit() and int(field) in _YEARS for field in numbers)
    return (
        years
        and len(set(numbers)) == len(numbers)
        and (len(numbers) > 2 or bool(names_there))
        and len(numbers) < len(first)
    )


def _is_number(field: str) -> bool:
    text = field.strip()
    if not text:
        return False
    return int(classify(trimmed(pa.array([text])))[0]) in _NUMERIC


def _has_decimal_commas(records: list[list[str]]) -> bool:
    """Whether numbers are written as 1,5: some are, and hardly any as 1.5."""
    texts = [field.strip() for record in records[:200] for field in record if field.strip()]
    if not texts:
        return False
    classes = Counter(classify(pa.array(texts)).tolist())
    return classes[Class.COMMA_REAL] > 2 * classes[Class.REAL]
