"""A definition in a request: what is accepted, and how what is not is named."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import InvalidParameters
from core.models.curated import CuratedDefinition, Drift, SourceType
from services.curated.declaring import SHOWN_ONLY, declared

LAKES = {
    "dataset_id": "lakes",
    "name": "Lakes",
    "source_url": "https://data.example.org/lakes.gpkg",
    "target_table_name": "curated_lakes",
}


def refused(body: dict[str, Any], **options: Any) -> dict[str, str]:
    """The faults by field."""
    with pytest.raises(InvalidParameters) as error:
        declared(body, **options)
    return {".".join(map(str, fault["loc"])): fault["msg"] for fault in error.value.errors}


def test_what_is_not_given_has_its_default() -> None:
    definition = declared(LAKES)
    assert definition.source_type is SourceType.API_BULK_DOWNLOAD
    assert definition.enabled is False
    assert definition.handler is None
    assert definition.gates.row_count_change_pct == 20.0


def test_nested_values_are_read_as_json_has_them() -> None:
    definition = declared(
        {**LAKES, "gates": {"refused_drift": ["new"], "invalid_pct": None, "min_rows": 3}}
    )
    assert definition.gates.refused_drift == (Drift.NEW,)
    assert definition.gates.invalid_pct is None


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("dataset_id", "Lakes", "a name of lower-case letters, digits and _"),
        ("dataset_id", 7, "valid string"),
        ("target_table_name", "lakes", "must begin with curated_"),
        ("target_schema", "My Schema", "a name of lower-case letters"),
        ("target_schema", "app", "must not be 'app'"),
        ("update_schedule", "every night", "field"),
        ("credential_key", "sk-live-12345", "not the secret itself"),
        ("source_type", "ftp", "Input should be"),
        ("source_url", "https://me:hunter2@example.org/", "without a user name or a password"),
        ("source_url", "ftp://example.org/", "begins with https://"),
        ("keep_versions", "3", "integer"),
        ("enabled", "yes", "boolean"),
        ("name", "a\0b", "NUL"),
        ("source_config", {"factor": float("inf")}, "cannot be kept"),
        ("surprise", 1, "not permitted"),
        ("handler", "crystal_ball", "vector_file, wdpa"),
        ("handler", "Crystal Ball", "the name of a handler"),
        ("job_type", "hello_fan_out", "curated_update"),
        ("job_type", "no_such_type", "curated_update"),
    ],
)
def test_a_field_at_fault_is_named(field: str, value: Any, message: str) -> None:
    faults = refused({**LAKES, field: value})
    assert list(faults) == [field]
    assert message in faults[field]


def test_forms_and_clients_still_learn_the_patterns() -> None:
    properties = CuratedDefinition.model_json_schema()["properties"]
    assert properties["dataset_id"]["pattern"] == "^[a-z][a-z0-9_]{0,49}$"
    assert "pattern" in properties["target_table_name"]
    assert "pattern" in properties["source_url"]["anyOf"][0]


def test_all_fields_at_fault_are_named_at_once() -> None:
    faults = refused(
        {
            "dataset_id": "1",
            "update_schedule": "never",
            "gates": {"min_rows": -1},
            "handler": "crystal_ball",
            "job_type": "hello_fan_out",
            "source_url": "https://[e.org/?token=x",
            "source_config": {"token": "x"},
        }
    )
    assert set(faults) == {
        "handler",
        "job_type",
        "source_url",
        "source_config.token",
        "dataset_id",
        "name",
        "target_table_name",
        "update_schedule",
        "gates.min_rows",
    }


def test_a_manual_dataset_with_a_schedule_is_told_of_its_schedule() -> None:
    faults = refused({**LAKES, "source_type": "manual", "update_schedule": "0 2 * * *"})
    assert faults == {"update_schedule": "a dataset whose source_type is manual has none"}


def test_no_value_at_fault_is_repeated() -> None:
    secret = "sk-live-12345"
    with pytest.raises(InvalidParameters) as error:
        declared({**LAKES, "credential_key": secret, "source_url": f"https://u:{secret}@e.org"})
    assert secret not in repr(error.value.errors) + str(error.value)


@pytest.mark.parametrize(
    ("field", "value", "loc"),
    [
        ("source_url", "https://e.org/d?layer=a&sig=hunter2", "source_url"),
        ("source_url", "https://e.org/d?X-Amz-Signature=hunter2", "source_url"),
        ("source_url", "https://e.org/d?auth_key=hunter2", "source_url"),
        ("source_url", "https://e.org/api/d?code=hunter2", "source_url"),
        ("source_url", "https://e.org/d?accessToken=hunter2", "source_url"),
        ("source_url", "https://e.org/d?authtoken=hunter2", "source_url"),
        ("source_url", "https://e.org/d?AWSAccessKeyId=hunter2", "source_url"),
        ("source_url", "https://e.org/d?sastoken=hunter2", "source_url"),
        ("source_url", "https://e.org/d?jwt=hunter2", "source_url"),
        ("source_config", {"login": {"api_key": "hunter2"}}, "source_config.login.api_key"),
        ("source_config", {"auth": "hunter2"}, "source_config.auth"),
        ("source_config", {"apiKey": "hunter2"}, "source_config.apiKey"),
        ("source_config", {"pass": "hunter2"}, "source_config.pass"),
        (
            "source_config",
            {"headers": {"Authorization": "Bearer hunter2"}},
            "source_config.headers.Authorization",
        ),
        (
            "source_config",
            {"headers": {"x-functions-key": "hunter2"}},
            "source_config.headers.x-functions-key",
        ),
        ("source_config", {"parts": ["https://e.org/?sig=hunter2"]}, "source_config.parts.0"),
        ("source_config", {"next": "https://me:hunter2@e.org/"}, "source_config.next"),
        ("source_config", {"users": [{"password": "hunter2"}]}, "source_config.users.0.password"),
    ],
)
def test_credentials_are_sent_to_the_settings(field: str, value: Any, loc: str) -> None:
    faults = refused({**LAKES, field: value})
    assert list(faults) == [loc]
    assert "credential_key" in faults[loc]
    assert "hunter2" not in faults[loc]


def test_what_only_looks_like_a_credential_is_not_one() -> None:
    url = "https://e.org/d?keyword=lakes&tokens=3&f=json&countryCode=fr&passes=1&author=x"
    config = {
        "key_columns": ["id"], "layer": "token", "secretary": "x", "code": "id",
        "next": "https://e.org/@me/?page=2",
    }  # fmt: skip
    assert declared({**LAKES, "source_url": url, "source_config": config}).source_url == url


def test_the_id_of_the_address_need_not_be_repeated_and_cannot_be_another() -> None:
    body = {name: value for name, value in LAKES.items() if name != "dataset_id"}
    assert declared(body, dataset_id="lakes").dataset_id == "lakes"
    assert declared(LAKES, dataset_id="lakes").dataset_id == "lakes"
    assert refused(LAKES, dataset_id="ponds") == {
        "dataset_id": "must be 'ponds', as in the address"
    }


def test_what_a_dataset_is_shown_with_may_come_back() -> None:
    shown = {**LAKES, **dict.fromkeys(SHOWN_ONLY, "whatever")}
    assert declared(shown) == declared(LAKES)
    assert SHOWN_ONLY.isdisjoint(CuratedDefinition.model_fields)


def test_a_dataset_keeps_a_handler_that_is_not_here_yet() -> None:
    assert declared({**LAKES, "handler": "not_here"}, kept_handler="not_here").handler == "not_here"
    assert "handler" in refused({**LAKES, "handler": "not_here"}, kept_handler="vector_file")
