"""Settings from the environment."""

from __future__ import annotations

import json
import traceback
from pathlib import Path

import pytest
from pydantic import ValidationError

from config import DatabaseSettings, Settings

REQUIRED = {
    "DATABASE_URL": "postgresql://me:hunter2@db/geoforge",
    "AZURE_STORAGE_CONNECTION_STRING": "AccountName=a;AccountKey=hunter2",
    "SERVICE_BUS_CONNECTION_STRING": "Endpoint=sb://x;SharedAccessKey=hunter2",
}
IDENTITIES = {
    "AZURE_STORAGE_CONNECTION_STRING": "AZURE_STORAGE_CONNECTION_STRING__accountUrl",
    "SERVICE_BUS_CONNECTION_STRING": "SERVICE_BUS_CONNECTION_STRING__fullyQualifiedNamespace",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment with what must be set, and nothing else of ours."""
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.alias), raising=False)
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_three_settings_are_enough(environment: pytest.MonkeyPatch) -> None:
    settings = Settings()  # type: ignore[call-arg]
    assert settings.database_url.get_secret_value() == REQUIRED["DATABASE_URL"]
    assert settings.light_queue == "geoforge-light"


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_service_is_named(environment: pytest.MonkeyPatch, name: str) -> None:
    for value in ("", None):
        if value is None:
            environment.delenv(name)
        else:
            environment.setenv(name, value)
        with pytest.raises(ValidationError, match=name):
            Settings()  # type: ignore[call-arg]


@pytest.mark.parametrize(("name", "instead"), IDENTITIES.items())
def test_an_identity_takes_the_place_of_a_connection_string(
    environment: pytest.MonkeyPatch, name: str, instead: str
) -> None:
    environment.delenv(name)
    environment.setenv(instead, "https://example.test")
    Settings()  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "sqlite:///x"),
        ("GEOFORGE_DATABASE_POOL_MAX", "0"),
        ("GEOFORGE_RESEND_AFTER_SECONDS", "0"),
        ("GEOFORGE_LIGHT_THREADS", "many"),
        ("GEOFORGE_LOG_LEVEL", "LOUD"),
    ],
)
def test_a_value_out_of_its_range_is_refused(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    environment.setenv(name, value)
    with pytest.raises(ValidationError):
        Settings()  # type: ignore[call-arg]


def test_no_secret_is_ever_shown(environment: pytest.MonkeyPatch) -> None:
    assert "hunter2" not in repr(Settings())  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "host=db user=geo password=hunter2"),
        ("DATABASE_URL", "postgresql+psycopg://me:hunter2@db/geoforge"),
        ("DATABASE_URL", "mysql://me:hunter2@db/geoforge"),
        ("DATABASE_URL", "postgresql://me:hunter2%@db/geoforge"),
        ("AZURE_STORAGE_CONNECTION_STRING", ""),
        ("SERVICE_BUS_CONNECTION_STRING", ""),
        ("GEOFORGE_LIGHT_THREADS", "hunter2"),
    ],
)
def test_no_error_repeats_a_secret(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)
    with pytest.raises(ValidationError, match=name) as error:
        Settings()  # type: ignore[call-arg]
    assert "hunter2" not in "".join(traceback.format_exception(error.value))


def test_a_database_url_that_is_none_is_told_how_to_be_one(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("DATABASE_URL", "host=db user=geo")
    with pytest.raises(ValidationError, match="must be a URL: postgresql://user:password@host"):
        Settings()  # type: ignore[call-arg]
    environment.setenv("DATABASE_URL", "postgresql://me:100%@db/geoforge")
    with pytest.raises(ValidationError, match="is written %25"):
        Settings()  # type: ignore[call-arg]
    environment.setenv("DATABASE_URL", "postgresql://me:100%25@db/geoforge")
    Settings()  # type: ignore[call-arg]


def test_credentials_are_bound_to_an_origin(environment: pytest.MonkeyPatch) -> None:
    token = {"origin": "https://data.example.org", "token": "hunter2"}
    environment.setenv("GEOFORGE_CREDENTIALS", json.dumps({"LAKES_KEY": token}))
    settings = Settings()  # type: ignore[call-arg]
    bound = settings.credentials["LAKES_KEY"]
    assert (bound.origin, bound.token.get_secret_value()) == (token["origin"], "hunter2")
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    "given",
    [
        "hunter2",
        '["hunter2"]',
        '{"LAKES_KEY": "hunter2"}',
        '{"LAKES_KEY": {"token": "hunter2"}}',
        '{"LAKES_KEY": {"origin": "https://x.test", "token": ""}}',
        '{"LAKES_KEY": {"origin": "https://x.test/hunter2", "token": "hunter2"}}',
        '{"LAKES_KEY": {"origin": "x.test", "token": "hunter2"}}',
        '{"LAKES_KEY": {"origin": "https://u:hunter2@x.test", "token": "t"}}',
    ],
)
def test_credentials_that_are_none_are_named_and_not_repeated(
    environment: pytest.MonkeyPatch, given: str
) -> None:
    environment.setenv("GEOFORGE_CREDENTIALS", given)
    with pytest.raises(ValidationError, match="GEOFORGE_CREDENTIALS") as raised:
        Settings()  # type: ignore[call-arg]
    assert "hunter2" not in "".join(traceback.format_exception(raised.value))


def test_the_database_alone_needs_one_setting(environment: pytest.MonkeyPatch) -> None:
    for name in REQUIRED:
        if name != "DATABASE_URL":
            environment.delenv(name)
    url = DatabaseSettings().database_url  # type: ignore[call-arg]
    assert url.get_secret_value() == REQUIRED["DATABASE_URL"]


def test_every_setting_is_in_the_example() -> None:
    """local.settings.example.json is where people look for what can be set."""
    checkout = Path(__file__).parents[3]
    example = json.loads((checkout / "local.settings.example.json").read_text())["Values"]
    settings = {str(field.alias) for field in Settings.model_fields.values()}
    assert settings - set(IDENTITIES.values()) <= set(example)
