"""host.json, local.settings.json and the environment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local.functions_host.settings import (
    DurableTaskSettings,
    HostSettings,
    ServiceBusSettings,
    SettingsError,
    apply_local_settings,
    connection_setting,
    is_disabled,
    load_host_settings,
    parse_time_span,
    resolve_setting_names,
)


def _host_json(directory: Path, document: object) -> Path:
    (directory / "host.json").write_text(json.dumps(document))
    return directory


def test_defaults_are_those_of_the_functions_host(tmp_path: Path) -> None:
    settings = load_host_settings(_host_json(tmp_path, {"version": "2.0"}))
    assert settings == HostSettings()
    assert settings.route_prefix == "api"
    assert settings.service_bus.max_auto_lock_renewal_seconds == 300
    assert settings.durable_task.hub_name == "TestHubName"


def test_every_setting_is_read(tmp_path: Path) -> None:
    document = {
        "version": "2.0",
        "functionTimeout": "00:10:00",
        "extensions": {
            "http": {"routePrefix": ""},
            "durableTask": {
                "hubName": "Hub",
                "maxConcurrentActivityFunctions": 3,
                "maxConcurrentOrchestratorFunctions": 2,
            },
            "serviceBus": {
                "prefetchCount": 100,
                "autoCompleteMessages": False,
                "maxAutoLockRenewalDuration": "01:00:00",
                "maxConcurrentCalls": 5,
                "maxMessageBatchSize": 64,
                "minMessageBatchSize": 8,
                "maxBatchWaitTime": "00:00:02",
            },
        },
    }
    assert load_host_settings(_host_json(tmp_path, document)) == HostSettings(
        route_prefix="",
        function_timeout_seconds=600,
        durable_task=DurableTaskSettings("Hub", 3, 2),
        service_bus=ServiceBusSettings(100, False, 3600, 5, 64, 8, 2),
    )


def test_function_timeout_of_minus_one_is_no_limit(tmp_path: Path) -> None:
    settings = load_host_settings(_host_json(tmp_path, {"functionTimeout": "-1"}))
    assert settings.function_timeout_seconds is None


@pytest.mark.parametrize(
    ("document", "culprit"),
    [
        ({"functionTimeout": "soon"}, "functionTimeout"),
        ({"extensions": []}, "extensions"),
        ({"extensions": {"serviceBus": {"prefetchCount": -1}}}, "prefetchCount"),
        ({"extensions": {"serviceBus": {"maxConcurrentCalls": 0}}}, "maxConcurrentCalls"),
        ({"extensions": {"serviceBus": {"autoCompleteMessages": 1}}}, "autoCompleteMessages"),
        ({"extensions": {"serviceBus": {"maxBatchWaitTime": 5}}}, "maxBatchWaitTime"),
        ({"extensions": {"durableTask": {"maxConcurrentActivityFunctions": True}}}, "Activity"),
        ([], "host.json"),
    ],
)
def test_wrong_value_is_refused_by_name(tmp_path: Path, document: object, culprit: str) -> None:
    with pytest.raises(SettingsError, match=culprit):
        load_host_settings(_host_json(tmp_path, document))


def test_missing_and_malformed_host_json_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        load_host_settings(tmp_path)
    (tmp_path / "host.json").write_text("{")
    with pytest.raises(SettingsError, match="cannot be read"):
        load_host_settings(tmp_path)


def test_local_settings_fill_gaps_only(tmp_path: Path) -> None:
    environment = {"A": "environment"}
    apply_local_settings(tmp_path, environment)
    (tmp_path / "local.settings.json").write_text(json.dumps({"Values": {"A": "x", "B": 2}}))
    apply_local_settings(tmp_path, environment)
    assert environment == {"A": "environment", "B": "2"}


def test_setting_names_are_resolved() -> None:
    environment = {"QUEUE": "light"}
    assert resolve_setting_names("%QUEUE%/$deadletterqueue", environment) == (
        "light/$deadletterqueue"
    )
    assert resolve_setting_names("plain", environment) == "plain"
    with pytest.raises(SettingsError, match="OTHER"):
        resolve_setting_names("%OTHER%", environment)


def test_connection_by_name_or_with_prefix() -> None:
    assert connection_setting("Bus", {"Bus": "a", "AzureWebJobsBus": "b"}) == "a"
    assert connection_setting("Bus", {"Bus": "", "AzureWebJobsBus": "b"}) == "b"
    with pytest.raises(SettingsError, match="Bus"):
        connection_setting("Bus", {})


def test_disabled_functions() -> None:
    assert is_disabled("tick", {"AzureWebJobs.tick.Disabled": "True"})
    assert not is_disabled("tick", {"AzureWebJobs.tick.Disabled": "false"})
    assert not is_disabled("tick", {})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("00:00:30", 30), ("1:00:00", 3600), ("2.00:00:01", 172801), ("00:00:00.2500000", 0.25)],
)
def test_time_spans(text: str, seconds: float) -> None:
    assert parse_time_span(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "00:30", "-00:00:30", "a:b:c"])
def test_wrong_time_spans(text: str) -> None:
    with pytest.raises(ValueError, match="time span"):
        parse_time_span(text)
