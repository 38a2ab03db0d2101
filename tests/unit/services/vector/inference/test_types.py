"""Types of texts and of JSON values: the narrowest that holds all, with a reason."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

import pyarrow as pa
import pytest

from core.models.feature_table import ColumnType
from services.vector.inference.distinct import DistinctCounter, hashes
from services.vector.inference.json_types import JsonTyper, convert_values
from services.vector.inference.types import TextTyper, TypedColumn, convert


def _typed(*batches: list[str | None], commas: bool = False) -> TypedColumn:
    typer = TextTyper("column", commas=commas)
    for batch in batches:
        typer.observe(pa.array(batch, type=pa.string()))
    return typer.result()


@pytest.mark.parametrize(
    ("texts", "kind", "values"),
    [
        (["1", "-5", "+7", "0"], ColumnType.INTEGER, [1, -5, 7, 0]),
        (["1", " 2 "], ColumnType.INTEGER, [1, 2]),
        (["007", "8"], ColumnType.TEXT, ["007", "8"]),
        (["12345678901234567890"], ColumnType.TEXT, ["12345678901234567890"]),
        (["0x1F"], ColumnType.TEXT, ["0x1F"]),
        (["1_000"], ColumnType.TEXT, ["1_000"]),
        (["1,000"], ColumnType.TEXT, ["1,000"]),
        (["1.5", "2", "-3e5", ".5"], ColumnType.REAL, [1.5, 2.0, -3e5, 0.5]),
        (["1.5", "N/A", "NaN"], ColumnType.REAL, [1.5, None, None]),
        (["1", "NULL", ""], ColumnType.INTEGER, [1, None, None]),
        (["FR", "NA", ""], ColumnType.TEXT, ["FR", "NA", None]),
        (["1.5", "inf"], ColumnType.TEXT, ["1.5", "inf"]),
        (["true", "False"], ColumnType.BOOLEAN, [True, False]),
        (["yes", "NO"], ColumnType.BOOLEAN, [True, False]),
        (["t", "f"], ColumnType.BOOLEAN, [True, False]),
        (["N", "N"], ColumnType.TEXT, ["N", "N"]),
        (["t", "no"], ColumnType.TEXT, ["t", "no"]),
        (["0", "1"], ColumnType.INTEGER, [0, 1]),
        (["2020-02-29", "2020/3/1"], ColumnType.DATE, [date(2020, 2, 29), date(2020, 3, 1)]),
        (["2021-02-29"], ColumnType.TEXT, ["2021-02-29"]),
        (["0000-00-00", "2020-01-01"], ColumnType.DATE, [None, date(2020, 1, 1)]),
        (["31/12/2020", "1/2/2020"], ColumnType.DATE, [date(2020, 12, 31), date(2020, 2, 1)]),
        (["12/31/2020", "1/2/2020"], ColumnType.DATE, [date(2020, 12, 31), date(2020, 1, 2)]),
        (["01/02/2020"], ColumnType.TEXT, ["01/02/2020"]),
        (["13/01/2020", "01/13/2020"], ColumnType.TEXT, ["13/01/2020", "01/13/2020"]),
        (["1.2.2020"], ColumnType.DATE, [date(2020, 2, 1)]),
        (
            ["2020-01-01", "2020-01-01T10:30"],
            ColumnType.TIMESTAMP,
            [datetime(2020, 1, 1), datetime(2020, 1, 1, 10, 30)],
        ),
        (
            ["2020-01-01T10:00:00+02:00", "2020-01-01 10:00:00.25 UTC"],
            ColumnType.TIMESTAMPTZ,
            [
                datetime(2020, 1, 1, 8, tzinfo=UTC),
                datetime(2020, 1, 1, 10, 0, 0, 250_000, tzinfo=UTC),
            ],
        ),
        (
            ["2020-01-01T10:00:00", "2020-01-01T10:00:00Z"],
            ColumnType.TEXT,
            ["2020-01-01T10:00:00", "2020-01-01T10:00:00Z"],
        ),
        (["1:05", "23:59:59.5"], ColumnType.TIME, [time(1, 5), time(23, 59, 59, 500_000)]),
        (["24:00"], ColumnType.TEXT, ["24:00"]),
        (["", None], ColumnType.TEXT, [None, None]),
    ],
)
def test_texts_have_the_narrowest_type_that_holds_all(
    texts: list[str | None], kind: ColumnType, values: list[Any]
) -> None:
    typed = _typed(texts)

    assert typed.column.type is kind
    assert typed.column.evidence
    converted, failures = convert(pa.array(texts, type=pa.string()), kind, typed.form)
    assert converted.to_pylist() == values
    assert failures == 0
    assert typed.column.nulls == values.count(None)


def test_types_widen_over_batches() -> None:
    assert _typed(["1", "2"], ["2.5"]).column.type is ColumnType.REAL
    assert _typed(["2020-01-01"], ["2020-01-01 10:00"]).column.type is ColumnType.TIMESTAMP
    typed = _typed(["1", "2"], ["some words"])
    assert typed.column.type is ColumnType.TEXT
    assert "2 integers (such as '1')" in typed.column.evidence[0]


def test_decimal_commas_are_numbers_where_they_can_be() -> None:
    assert _typed(["1,5", "2"], commas=True).column.type is ColumnType.REAL
    assert _typed(["1,5", "2"]).column.type is ColumnType.TEXT
    ambiguous = _typed(["1,234", "5,678"], commas=True).column
    assert ambiguous.type is ColumnType.TEXT
    assert "may be a decimal or a thousand" in ambiguous.evidence[0]


def test_sentinels_are_noted_and_kept() -> None:
    typed = _typed(["-9999", "5", "-9999"])

    assert typed.column.type is ColumnType.INTEGER
    assert typed.column.nulls == 0
    assert "-9999 occurs 2 times" in typed.column.evidence[-1]


def test_markup_is_noticed() -> None:
    assert _typed(["plain"], ["<b>bold</b>"]).column.html
    assert not _typed(["a < b and c > d"]).column.html


def test_what_does_not_fit_becomes_null_and_is_counted() -> None:
    array, failures = convert(pa.array(["1", "x", "", "99999999999999999999"]), ColumnType.INTEGER)

    assert array.to_pylist() == [1, None, None, None]
    assert failures == 2


def test_distinct_values_are_counted_exactly_while_that_is_cheap() -> None:
    column = _typed(["a", "b", None], ["b", "c", ""]).column
    assert (column.rows, column.nulls, column.distinct, column.exact) == (6, 2, 3, True)

    counter = DistinctCounter()
    for start in range(0, 200_000, 50_000):
        values = pa.array([str(number // 2) for number in range(start, start + 50_000)])
        counter.add(values.unique(), 50_000)
    assert not counter.exact
    assert counter.count == pytest.approx(100_000, rel=0.05)


def test_different_texts_have_different_hashes() -> None:
    texts = [f"{a}{b}" for a in ("", "x", "ab", "ba", "\0", "\0\0") for b in range(20_000)]
    texts += ["", "ab", "ba", "abab"]
    unique = sorted(set(texts))

    assert len(set(hashes(pa.array(unique)).tolist())) == len(unique)


@pytest.mark.parametrize(
    ("values", "kind", "converted"),
    [
        ([True, None], ColumnType.BOOLEAN, [True, None]),
        ([1, 2], ColumnType.INTEGER, [1, 2]),
        ([1, 2.5], ColumnType.REAL, [1.0, 2.5]),
        ([1, 2**70], ColumnType.TEXT, ["1", str(2**70)]),
        ([True, 1], ColumnType.TEXT, ["true", "1"]),
        (["a", {"b": 1}, None], ColumnType.TEXT, ["a", '{"b":1}', None]),
        ([[1], {"b": None}, None], ColumnType.JSON, ["[1]", '{"b":null}', None]),
        (["12", "13"], ColumnType.TEXT, ["12", "13"]),
        (["2020-01-02", None], ColumnType.DATE, [date(2020, 1, 2), None]),
        ([None, None], ColumnType.TEXT, [None, None]),
    ],
)
def test_json_values_have_the_narrowest_type_too(
    values: list[Any], kind: ColumnType, converted: list[Any]
) -> None:
    typer = JsonTyper("column")
    typer.observe(values)
    column = typer.result(len(values))

    assert column.type is kind
    assert column.nulls == values.count(None)
    array, failures = convert_values(values, kind)
    assert array.to_pylist() == converted
    assert failures == 0
