"""Settings from the environment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from config import Settings

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


def test_every_setting_is_in_the_example() -> None:
    """local.settings.example.json is where people look for what can be set."""
    checkout = Path(__file__).parents[3]
    example = json.loads((checkout / "local.settings.example.json").read_text())["Values"]
    settings = {str(field.alias) for field in Settings.model_fields.values()}
    assert settings - set(IDENTITIES.values()) <= set(example)
