"""What a dataset of ACLED's events may say, and what is said of its data."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from core.errors import InvalidParameters
from core.models.feature_table import ColumnType
from services.curated import handlers
from services.curated.acled.columns import FIELDS
from services.curated.acled_handler import AcledConfig, AcledHandler, citation
from services.curated.mapping import mapped
from tests.support.curated_layers import layer
from tests.support.handler_runs import dataset
from tests.support.settings import app_settings

handler = AcledHandler()


def acled(**fields: Any) -> Any:
    return dataset(
        **{
            "handler": "acled",
            "update_strategy": "upsert",
            "target_table_name": "curated_acled_events",
            **fields,
        }
    )


def faults(**fields: Any) -> dict[str, str]:
    """The fields that are refused, with the reasons."""
    with app_settings(), pytest.raises(InvalidParameters) as refusal:
        handler.check_definition(acled(**fields))
    return {".".join(map(str, error["loc"])): error["msg"] for error in refusal.value.errors}


def test_it_is_registered() -> None:
    assert isinstance(handlers.get("acled"), AcledHandler)
    assert handler.options == {"days"}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"source_config": {"overlap_hours": 0.5, "since": "2018-01-01"}},
        {"source_url": "https://acleddata.com/api/acled/read"},
    ],
)
def test_a_definition_that_can_be_served(fields: dict[str, Any]) -> None:
    with app_settings():
        handler.check_definition(acled(**fields))


def test_every_field_at_fault_is_named() -> None:
    found = faults(
        update_strategy="full_replace",
        source_url="https://example.org/acled",
        source_config={"since": "last week", "overlap_hours": -1, "countries": ["Kenya"]},
    )
    assert sorted(found) == [
        "source_config.countries",
        "source_config.overlap_hours",
        "source_config.since",
        "source_url",
        "update_strategy",
    ]
    assert "acleddata.com" in found["source_url"]
    assert "upsert" in found["update_strategy"]


def test_an_address_that_is_none_is_refused() -> None:
    assert list(faults(source_url="https://[::1")) == ["source_url"]


def test_what_a_dataset_says_is_the_scope_of_its_events() -> None:
    config = AcledConfig.of(acled(source_config={"overlap_hours": 12, "since": "2018-01-01"}))
    assert config.scope.first == date(2018, 1, 1)
    assert config.scope.overlap == timedelta(hours=12)
    assert AcledConfig.of(acled()).scope.overlap == timedelta(days=2)


@pytest.mark.parametrize(
    ("scheme", "names"),
    [("oauth", ("ACLED_USERNAME", "ACLED_PASSWORD")), ("key", ("ACLED_EMAIL", "ACLED_API_KEY"))],
)
def test_the_account_is_that_of_the_scheme(scheme: str, names: tuple[str, ...]) -> None:
    with app_settings(ACLED_AUTH=scheme):
        assert handler.credentials(acled()) == names


def test_the_table_has_the_columns_that_it_is_known_for() -> None:
    types = {field.name: field.type for field in FIELDS}
    known = {
        "event_id": ColumnType.INTEGER,
        "event_date": ColumnType.DATE,
        "event_type": ColumnType.TEXT,
        "sub_event_type": ColumnType.TEXT,
        "actor1": ColumnType.TEXT,
        "actor2": ColumnType.TEXT,
        "country": ColumnType.TEXT,
        "admin1": ColumnType.TEXT,
        "location": ColumnType.TEXT,
        "fatalities": ColumnType.INTEGER,
        "source_url": ColumnType.TEXT,
        "updated_at": ColumnType.TIMESTAMPTZ,
    }
    assert {name: types[name] for name in known} == known
    assert types["timestamp"] is ColumnType.INTEGER


def test_what_is_said_of_the_data_names_columns_that_there_are() -> None:
    about = handler.describe(acled())
    assert (about.geometry, about.delivers) == ("Point", "increment")
    assert about.key_columns == ("event_id_cnty",)
    names = {field.name for field in FIELDS}
    assert {*about.key_columns, *about.indexed, about.newest, about.datetime_column} <= names
    assert about.licence is not None
    assert len(about.licence) <= 500
    read = handler.reading(acled())
    assert {read["x_column"], read["y_column"]} <= names


def test_every_attribute_fills_a_column() -> None:
    file = layer(*(field.name for field in FIELDS), "weather", Point=3)
    found = mapped(file, FIELDS, source_version="2026-11-23T09:15:00Z")
    assert (found.missing, found.unmapped) == ([], ["weather"])
    assert {each.column.name: each.source for each in found.columns} == {
        field.name: field.name for field in FIELDS
    }


@pytest.mark.parametrize(
    ("version", "accessed"),
    [
        ("2026-11-23T09:15:00Z (events to 2025-11-23)", ", accessed 2026-11-23,"),
        ("2024-01-01..2024-03-31", "(ACLED), https"),
        (None, "(ACLED), https"),
    ],
)
def test_the_credit_names_the_day_of_access(version: str | None, accessed: str) -> None:
    assert accessed in citation(version)
    assert handler.attribution(version) == citation(version)
    assert citation(version).endswith("https://acleddata.com")
