"""The columns of a KML file's table: which there are, of which type, and their values."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from core.models.feature_table import ColumnType
from services.vector.casting import ARROW_TYPES
from services.vector.formats.kml.features import CUSTOM, CUSTOM_LIST, Feature
from services.vector.html_tables import attribute_table
from services.vector.inference.types import TextForm, TextTyper, convert
from services.vector.model import SourceColumn

# The columns that a KML file can have whatever its author has named, in their order.
FIXED: Final = {
    "name": ColumnType.TEXT,
    "description": ColumnType.TEXT,
    "folder_path": ColumnType.TEXT,
    "kml_id": ColumnType.TEXT,
    "address": ColumnType.TEXT,
    "address_details": ColumnType.TEXT,
    "phone_number": ColumnType.TEXT,
    "snippet": ColumnType.TEXT,
    "author": ColumnType.TEXT,
    "link": ColumnType.TEXT,
    "time_begin": ColumnType.TIMESTAMPTZ,
    "time_end": ColumnType.TIMESTAMPTZ,
    "track_times": ColumnType.JSON,
    "visibility": ColumnType.BOOLEAN,
    "style_id": ColumnType.TEXT,
    "altitude_mode": ColumnType.TEXT,
    "extrude": ColumnType.BOOLEAN,
    "tessellate": ColumnType.BOOLEAN,
    "overlay_href": ColumnType.TEXT,
}
TABLE: Final = "table:"
_OTHERS: Final = "others"
_TIMES: Final = ("time_begin", "time_end")
# PostgreSQL has room for 1,600; beyond this the rest is kept together as JSON.
MAX_COLUMNS: Final = 500
_WORDS: Final = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_SCHEMA_TYPES: Final = {
    "string": ColumnType.TEXT,
    "wstring": ColumnType.TEXT,
    "int": ColumnType.INTEGER,
    "uint": ColumnType.INTEGER,
    "short": ColumnType.INTEGER,
    "ushort": ColumnType.INTEGER,
    "long": ColumnType.INTEGER,
    "float": ColumnType.REAL,
    "double": ColumnType.REAL,
    "bool": ColumnType.BOOLEAN,
    "boolean": ColumnType.BOOLEAN,
}
_DESCRIPTION_ROWS: Final = 200
_MIN_TABLES: Final = 0.9
_MAX_TABLE_KEYS: Final = 200


@dataclass(frozen=True, slots=True)
class KmlColumn:
    """What stands in a column: the key of the features' texts, and how they are written."""

    key: str
    name: str
    form: TextForm

    def to_json(self) -> dict[str, Any]:
        return {"key": self.key, "name": self.name, "form": self.form.model_dump(mode="json")}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> KmlColumn:
        return cls(data["key"], data["name"], TextForm.model_validate(data["form"]))


def column_values(
    columns: Sequence[tuple[KmlColumn, ColumnType]], features: Sequence[Feature]
) -> tuple[dict[str, pa.Array[Any]], dict[str, int]]:
    """The columns' values by name, and how many became null because they are of another type."""
    tables: list[dict[str, str]] = [{}] * len(features)
    if any(column.key.startswith(TABLE) for column, _ in columns):
        tables = [attribute_table(each.texts.get("description", "")) for each in features]
    own = {column.key for column, _ in columns}
    arrays: dict[str, pa.Array[Any]] = {}
    failures: dict[str, int] = {}
    for column, kind in columns:
        key = column.key
        if key in _TIMES and kind in (ColumnType.DATE, ColumnType.TIMESTAMPTZ):
            arrays[column.name] = _times(features, key, kind)
            continue
        texts: list[str | None]
        if key.startswith(TABLE):
            texts = [table.get(key.removeprefix(TABLE)) for table in tables]
        elif key == _OTHERS:
            texts = [_others(each, own) for each in features]
        elif key in _TIMES:
            texts = [_time_text(each, key) for each in features]
        else:
            texts = [each.texts.get(key) for each in features]
        if kind is ColumnType.BOOLEAN and key in FIXED:
            arrays[column.name], failed = _booleans(texts)
        else:
            array = pa.array(texts, type=pa.string())
            arrays[column.name], failed = convert(array, kind, column.form)
        if failed:
            failures[column.name] = failed
    return arrays, failures


class ColumnFinder:
    """Finds the columns from all features of a file, batch by batch."""

    def __init__(self) -> None:
        self._rows = 0
        self._accounts: dict[str, _Account] = {}
        self._other_keys = 0
        self._whole_days = True
        self._tables = _Tables()

    def observe(self, features: Sequence[Feature]) -> None:
        """Look at a batch of features that could be read."""
        keys = dict.fromkeys(key for each in features for key in each.texts)
        for key in keys:
            account = self._account(key)
            if account is not None:
                account.observe([each.texts.get(key) for each in features])
        for key in _TIMES:
            present = [each.times[key] for each in features if key in each.times]
            if present:
                account = self._accounts.setdefault(key, _Account(key))
                account.observe([_time_text(each, key) for each in features])
                self._whole_days &= all(each.whole_days for each in present)
        self._tables.observe([each.texts.get("description") for each in features])
        self._rows += len(features)

    def expect(self, key: str) -> None:
        """Make a column of KML that was not seen, because its values are only known now."""
        self._accounts.setdefault(key, _Account(key))

    def result(
        self, schemas: dict[str, set[str]], labels: dict[str, str]
    ) -> tuple[list[SourceColumn], list[KmlColumn]]:
        """The columns in order, and where their values come from.

        `schemas` are the types that Schema elements give for an attribute, by its name;
        `labels` the displayName by key.
        """
        custom = [key for key in self._accounts if key not in FIXED]
        keys = [key for key in FIXED if key in self._accounts] + custom
        table_keys = self._tables.result({_plain_name(key).casefold() for key in custom})
        found: list[tuple[str, SourceColumn, TextForm]] = []
        for key in keys:
            column, form = self._accounts[key].result(self._rows)
            self._settle(key, column, schemas, labels)
            found.append((key, column, form))
        for key, account in table_keys.items():
            column, form = account.result(self._rows)
            column.evidence.insert(0, f"a row of the tables in {self._tables.with_table:,} texts")
            found.append((TABLE + key, column, form))
        if self._other_keys:
            said = f"{self._other_keys:,} more attributes than the {MAX_COLUMNS} of own columns"
            column = SourceColumn(name=_OTHERS, type=ColumnType.JSON, evidence=[said])
            found.append((_OTHERS, column, TextForm()))
        return _named(found)

    def _account(self, key: str) -> _Account | None:
        account = self._accounts.get(key)
        if account is None:
            if len(self._accounts) >= MAX_COLUMNS and key not in FIXED:
                self._other_keys += 1
                return None
            account = self._accounts[key] = _Account(key)
        return account

    def _settle(
        self,
        key: str,
        column: SourceColumn,
        schemas: dict[str, set[str]],
        labels: dict[str, str],
    ) -> None:
        if key in labels and labels[key] != _plain_name(key):
            column.evidence.append(f"displayName: {labels[key]}")
        if key in _TIMES:
            column.type = ColumnType.DATE if self._whole_days else ColumnType.TIMESTAMPTZ
            column.confidence = 1.0
            kinds = "days, months or years" if self._whole_days else "times, taken as UTC"
            column.evidence = [f"KML's own times: {kinds}"]
        elif key in FIXED or key.startswith(CUSTOM_LIST):
            column.type = FIXED.get(key, ColumnType.JSON)
            column.confidence = 1.0
            column.evidence = ["an element of KML"]
            column.html = column.html and column.type is ColumnType.TEXT
        elif declared := schemas.get(_plain_name(key)):
            _apply_schema(column, declared)


class _Account:
    """What was seen of one attribute."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._typer = TextTyper(_plain_name(key), commas=True)
        self._present = 0
        self._looked_at = 0

    def observe(self, texts: list[str | None]) -> None:
        self._typer.observe(pa.array(texts, type=pa.string()))
        self._present += len(texts) - texts.count(None)
        self._looked_at += len(texts)

    def result(self, rows: int) -> tuple[SourceColumn, TextForm]:
        """The column over all rows; in those that were not looked at it is null."""
        typed = self._typer.result()
        column = typed.column
        column.nulls = rows - self._looked_at + (column.nulls or 0)
        if self._key in FIXED:
            column.nulls = rows - self._present
        column.rows = rows
        return column, typed.form


class _Tables:
    """Whether descriptions are tables of attributes, and of which."""

    def __init__(self) -> None:
        self.with_table = 0
        self._described = 0
        self._accounts: dict[str, _Account] = {}
        self._counts: Counter[str] = Counter()
        self._hopeless = False

    def observe(self, descriptions: list[str | None]) -> None:
        if self._hopeless:
            return
        tables = [attribute_table(text) if text else {} for text in descriptions]
        self._described += len(descriptions) - descriptions.count(None)
        self.with_table += sum(map(bool, tables))
        for key in dict.fromkeys(key for table in tables for key in table):
            self._counts[key] += sum(key in table for table in tables)
            account = self._accounts.setdefault(key, _Account(TABLE + key))
            account.observe([table.get(key) for table in tables])
        enough = self._described >= _DESCRIPTION_ROWS
        few = self.with_table < self._described * _MIN_TABLES / 2
        self._hopeless = (enough and few) or len(self._accounts) > 4 * _MAX_TABLE_KEYS

    def result(self, taken: set[str]) -> dict[str, _Account]:
        """The rows that are in nearly every table; none where few descriptions have one.

        Those are left out that ExtendedData has too (`taken`, in lower case).
        """
        if self._hopeless or self.with_table < max(1, self._described * _MIN_TABLES):
            return {}
        common = [key for key, count in self._counts.items() if count >= self.with_table * 0.5]
        if len(common) < 2 or len(common) > _MAX_TABLE_KEYS:
            return {}
        return {key: self._accounts[key] for key in common if key.casefold() not in taken}


def _plain_name(key: str) -> str:
    for prefix in (CUSTOM, CUSTOM_LIST, TABLE):
        if key.startswith(prefix):
            return key.removeprefix(prefix)
    return key


def _named(
    found: list[tuple[str, SourceColumn, TextForm]],
) -> tuple[list[SourceColumn], list[KmlColumn]]:
    """Give each column a name of its own: one that is taken gets a number behind it."""
    taken: set[str] = set()
    columns: list[SourceColumn] = []
    sources: list[KmlColumn] = []
    for key, column, form in found:
        base = column.name or "value"
        name, number = base, 1
        while name in taken:
            number += 1
            name = f"{base}_{number}"
        taken.add(name)
        column.name = name
        columns.append(column)
        sources.append(KmlColumn(key, name, form))
    return columns, sources


def _apply_schema(column: SourceColumn, declared: set[str]) -> None:
    """The type that the Schema says, where the values allow it."""
    stated = ", ".join(sorted(declared))
    wanted = {_SCHEMA_TYPES.get(each.rpartition(":")[2].lower()) for each in declared}
    kind = wanted.pop() if len(wanted) == 1 else None
    if kind is ColumnType.TEXT:
        column.evidence = [f"the Schema says {stated}"]
    elif kind is ColumnType.REAL and column.type is ColumnType.INTEGER:
        column.evidence.append(f"the Schema says {stated}")
    elif kind is column.type:
        column.evidence.append(f"so says the Schema: {stated}")
        return
    elif column.nulls == column.rows and kind is not None:
        column.evidence = [f"the Schema says {stated}; there are no values"]
    else:
        column.evidence.append(f"the Schema says {stated}, which the values are not")
        return
    column.type = kind
    column.confidence = 1.0


def _times(features: Sequence[Feature], key: str, kind: ColumnType) -> pa.Array[Any]:
    """The first moment of when something begins, the last of when it ends."""
    periods = [each.times.get(key) for each in features]
    moments = [
        None if each is None else each.first if key == "time_begin" else each.last
        for each in periods
    ]
    if kind is ColumnType.DATE:
        days = [None if each is None else each.date() for each in moments]
        return pa.array(days, type=ARROW_TYPES[kind])
    return pa.array(moments, type=ARROW_TYPES[kind])


def _time_text(feature: Feature, key: str) -> str | None:
    period = feature.times.get(key)
    if period is None:
        return None
    moment = period.first if key == "time_begin" else period.last
    return moment.date().isoformat() if period.whole_days else moment.isoformat()


def _booleans(texts: list[str | None]) -> tuple[pa.Array[Any], int]:
    values = [None if text is None else _WORDS.get(text.strip().lower()) for text in texts]
    failed = values.count(None) - texts.count(None)
    return pa.array(values, type=pa.bool_()), failed


def _others(feature: Feature, own: set[str]) -> str | None:
    rest = {_plain_name(key): text for key, text in feature.texts.items() if key not in own}
    return json.dumps(rest, ensure_ascii=False) if rest else None
