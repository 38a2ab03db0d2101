"""Which type the texts of a column have: the narrowest one that holds every value."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from core.counting import counted
from core.models.feature_table import ColumnType
from services.vector.inference.distinct import DistinctCounter
from services.vector.inference.text_forms import (
    BOOLEAN_WORDS,
    Class,
    Strings,
    TextForm,
    classify,
    convert,
    day_and_month_orders,
    trimmed,
)
from services.vector.model import SourceColumn

__all__ = ["TextForm", "TextTyper", "TypedColumn", "convert"]

# Numbers that often stand for a missing value: noted, never changed.
_SENTINELS: Final = pa.array(
    ["-9999", "-999", "-99999", "9999", "99999", "-32768", "-9999.0", "-999.0", "-1.0E38"]
)
_MARKUP: Final = r"</?[A-Za-z][A-Za-z0-9]*(?:\s[^<>]*)?/?>|&(?:amp|lt|gt|nbsp|quot|#\d+);"
_PLURALS: Final = {
    Class.BOOLEAN: "words such as true and false",
    Class.INTEGER: "integers",
    Class.LEADING_ZEROS: "numbers with leading zeros",
    Class.BIG_INTEGER: "integers of 19 digits or more",
    Class.REAL: "decimal numbers",
    Class.COMMA_REAL: "numbers with a decimal comma",
    Class.DATE: "dates",
    Class.TIMESTAMP: "times without a zone",
    Class.TIMESTAMPTZ: "times with a zone",
    Class.PLAIN_DATE: "dates of day, month and year",
    Class.PLAIN_TIMESTAMP: "times with a date of day, month and year",
    Class.TIME: "times of day",
    Class.TEXT: "texts",
}


@dataclass(frozen=True, slots=True)
class TypedColumn:
    """What a column is, and how its texts are written, which `convert` wants to know."""

    column: SourceColumn
    form: TextForm


class TextTyper:
    """Finds the type of one column from its texts, batch by batch.

    With `temporal_only` only dates and times are recognised, everything else is text: for
    strings of JSON. With `commas` numbers such as 1,5 are numbers.
    """

    def __init__(self, name: str, *, temporal_only: bool = False, commas: bool = False) -> None:
        self._name = name
        self._temporal_only = temporal_only
        self._commas = commas
        self._rows = 0
        self._empty = 0
        self._counts: Counter[Class] = Counter()
        self._examples: dict[Class, str] = {}
        self._markers: Counter[str] = Counter()
        self._words: set[str] = set()
        self._sentinels: Counter[str] = Counter()
        self._day_first = 0
        self._month_first = 0
        self._dots = 0
        self._ambiguous_commas = True
        self._html = False
        self._unclassified = 0
        self._distinct = DistinctCounter()

    def observe(self, texts: Strings) -> None:
        """Look at a batch; null is a missing value, and so is the empty text."""
        self._rows += len(texts)
        tally = pc.value_counts(texts)
        values = trimmed(tally.field("values"))
        counts = np.asarray(tally.field("counts"))
        present = np.asarray(pc.fill_null(pc.not_equal(values, ""), False))
        self._empty += int(counts[~present].sum())
        if not present.all():
            values, counts = values.filter(pa.array(present)), counts[present]
        if not len(values):
            return
        total = int(counts.sum())
        self._distinct.add(values, total)
        if self._is_text:
            self._unclassified += total
            self._look_for_markup(values)
            return
        self._classify(values, counts)

    def result(self) -> TypedColumn:
        """The column as far as it was seen; `exact` says that all values were counted."""
        kind, form, confidence, evidence = self._decide()
        nulls = self._empty
        if kind is not ColumnType.TEXT and self._markers:
            nulls += self._markers.total()
            listed = ", ".join(repr(text) for text, _ in self._markers.most_common(3))
            evidence.append(
                f"{counted(self._markers.total(), 'value')} such as {listed} read as null"
            )
            form = form.model_copy(
                update={"nulls": tuple(sorted({text.lower() for text in self._markers}))}
            )
        if self._sentinels and kind in (ColumnType.INTEGER, ColumnType.REAL):
            text, count = self._sentinels.most_common(1)[0]
            evidence.append(
                f"{text} occurs {counted(count, 'time')}: perhaps a missing value; it is kept"
            )
        column = SourceColumn(
            name=self._name,
            type=kind,
            confidence=confidence,
            evidence=evidence,
            html=self._html and kind is ColumnType.TEXT,
            rows=self._rows,
            nulls=nulls,
            distinct=self._distinct.count,
            exact=self._distinct.exact,
        )
        return TypedColumn(column, form)

    @property
    def _is_text(self) -> bool:
        """Whether the column can only hold texts, whatever comes."""
        return self._counts[Class.TEXT] > 0 or self._counts[Class.LEADING_ZEROS] > 0

    def _classify(self, values: Strings, counts: npt.NDArray[np.int64]) -> None:
        classes = classify(values, temporal_only=self._temporal_only)
        for code in np.unique(classes).tolist():
            name = Class(code)
            chosen = classes == code
            here = values.filter(pa.array(chosen))
            self._counts[name] += int(counts[chosen].sum())
            self._examples.setdefault(name, here[0].as_py())
            match name:
                case Class.NULL_MARKER:
                    counted_here = zip(here.to_pylist(), counts[chosen].tolist(), strict=True)
                    self._markers.update(dict(counted_here))
                case Class.BOOLEAN:
                    self._words.update(pc.unique(pc.utf8_lower(here)).to_pylist())
                case Class.INTEGER | Class.REAL:
                    self._look_for_sentinels(here, counts[chosen])
                case Class.COMMA_REAL:
                    thousands = pc.match_substring_regex(here, r"^[+-]?[1-9]\d{0,2},\d{3}$")
                    self._ambiguous_commas &= bool(pc.all(thousands).as_py())
                case Class.PLAIN_DATE | Class.PLAIN_TIMESTAMP:
                    day_first, month_first, dots = day_and_month_orders(here)
                    self._day_first += day_first
                    self._month_first += month_first
                    self._dots += dots
                case Class.TEXT:
                    self._look_for_markup(here)

    def _look_for_sentinels(self, values: Strings, counts: npt.NDArray[np.int64]) -> None:
        found = np.asarray(pc.is_in(values, value_set=_SENTINELS))
        if found.any():
            texts = values.filter(pa.array(found)).to_pylist()
            self._sentinels.update(dict(zip(texts, counts[found].tolist(), strict=True)))

    def _look_for_markup(self, values: Strings) -> None:
        if not self._html:
            self._html = bool(pc.any(pc.match_substring_regex(values, _MARKUP)).as_py())

    def _decide(self) -> tuple[ColumnType, TextForm, float, list[str]]:
        classes = {name for name, count in self._counts.items() if count} - {Class.NULL_MARKER}
        form = TextForm()
        if not classes:
            said = "no values but " + self._listed_markers() if self._markers else "no values"
            return ColumnType.TEXT, form, 0.5, [said]
        all_of = self._all_of(classes)
        if classes == {Class.BOOLEAN} and self._is_boolean:
            return ColumnType.BOOLEAN, form, 1.0, [all_of]
        if classes == {Class.INTEGER}:
            return ColumnType.INTEGER, form, 1.0, [all_of]
        if classes <= {Class.INTEGER, Class.BIG_INTEGER, Class.REAL} and Class.REAL in classes:
            return ColumnType.REAL, form, 1.0, [all_of]
        if classes <= {Class.INTEGER, Class.COMMA_REAL} and self._commas:
            if not self._ambiguous_commas:
                return ColumnType.REAL, TextForm(decimal_comma=True), 1.0, [all_of]
            said = f"{self._example(Class.COMMA_REAL)} may be a decimal or a thousand: kept as text"
            return ColumnType.TEXT, form, 0.6, [said]
        if classes == {Class.DATE}:
            return ColumnType.DATE, form, 1.0, [all_of]
        if classes <= {Class.DATE, Class.TIMESTAMP}:
            return ColumnType.TIMESTAMP, form, 1.0, [all_of]
        if classes == {Class.TIMESTAMPTZ}:
            return ColumnType.TIMESTAMPTZ, form, 1.0, [all_of]
        if classes == {Class.TIME}:
            return ColumnType.TIME, form, 1.0, [all_of]
        if classes <= {Class.PLAIN_DATE, Class.PLAIN_TIMESTAMP}:
            return self._decide_order(classes, all_of)
        return ColumnType.TEXT, form, 1.0, [self._why_text(classes)]

    def _decide_order(
        self, classes: set[Class], all_of: str
    ) -> tuple[ColumnType, TextForm, float, list[str]]:
        """Of day and month: by a part that can be no month, else by full stops."""
        kind = ColumnType.DATE if classes == {Class.PLAIN_DATE} else ColumnType.TIMESTAMP
        total = sum(self._counts[name] for name in classes)
        example = self._example(min(classes))
        if self._day_first and not self._month_first:
            said = f"the first part goes beyond 12 in {self._day_first:,} of them: day before month"
            return kind, TextForm(date_order="dmy"), 0.95, [all_of, said]
        if self._month_first and not self._day_first:
            said = (
                f"the second part goes beyond 12 in {self._month_first:,} of them: month before day"
            )
            return kind, TextForm(date_order="mdy"), 0.95, [all_of, said]
        if not self._day_first and self._dots and total:
            said = f"dates with full stops, such as {example}, have the day before the month"
            return kind, TextForm(date_order="dmy"), 0.8, [all_of, said]
        said = (
            f"dates in both orders, such as {example}: kept as text"
            if self._day_first
            else f"whether {example} begins with the day or the month is not to be told: "
            "kept as text"
        )
        return ColumnType.TEXT, TextForm(), 0.6, [said]

    @property
    def _is_boolean(self) -> bool:
        """One pair of words, and of single letters both."""
        for pair in BOOLEAN_WORDS:
            if self._words <= set(pair):
                return len(pair[0]) > 1 or len(self._words) == 2
        return False

    def _all_of(self, classes: set[Class]) -> str:
        total = sum(self._counts[name] for name in classes)
        kinds = " or ".join(_PLURALS[name] for name in sorted(classes))
        return (
            f"all {total:,} values are {kinds}"
            if total > 1
            else f"the only value is one of {kinds}"
        )

    def _why_text(self, classes: set[Class]) -> str:
        total = sum(self._counts[name] for name in classes)
        if classes == {Class.TEXT}:
            return f"texts such as {self._example(Class.TEXT)}"
        if Class.LEADING_ZEROS in classes:
            example = self._example(Class.LEADING_ZEROS)
            return f"leading zeros, as in {example}, would be lost in a number: kept as text"
        if classes <= {Class.INTEGER, Class.BIG_INTEGER}:
            example = self._example(Class.BIG_INTEGER)
            return f"{example} may be beyond 64 bits: kept as text"
        mixed = ", ".join(
            f"{self._counts[name]:,} {_PLURALS[name]} (such as {self._example(name)})"
            for name in sorted(classes, key=lambda name: -self._counts[name])[:3]
        )
        return f"of {'the first ' if self._unclassified else ''}{total:,} values: {mixed}"

    def _listed_markers(self) -> str:
        return ", ".join(repr(text) for text, _ in self._markers.most_common(3))

    def _example(self, name: Class) -> str:
        text = self._examples[name]
        return repr(text if len(text) <= 40 else text[:40] + "...")
