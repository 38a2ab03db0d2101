"""Which servers a stack starts and which it finds, from the environment and the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from config.metrics_config import MetricsSettings
from config.settings import Settings
from local.functions_host.keys import Keys
from local.stack.assembly import FUNCTION_KEY, own_parts, published, select
from local.stack.errors import StackError
from local.stack.ports import SETTINGS
from local.stack.settings import (
    CHECKOUT,
    StackSettings,
    azurite_connection_string,
    service_bus_connection_string,
)

ALL = ["postgres", "azurite", "service-bus", "host"]


def load(checkout: Path, environment: dict[str, str], **values: str) -> StackSettings:
    (checkout / "local.settings.json").write_text(json.dumps({"Values": values}))
    return StackSettings.load(environment, checkout)


def test_nothing_named_starts_everything(tmp_path: Path) -> None:
    settings = StackSettings.load({}, tmp_path)
    assert own_parts(settings) == ALL
    assert settings.state == tmp_path / ".local"


def test_servers_that_are_named_are_not_started(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        {"SERVICE_BUS_CONNECTION_STRING": "Endpoint=sb://elsewhere/"},
        DATABASE_URL="postgresql://me@elsewhere/db",
        AZURE_STORAGE_CONNECTION_STRING="UseDevelopmentStorage=true",
    )
    assert own_parts(settings) == ["host"]
    assert published(settings) == {
        "GEOFORGE_URL": "http://127.0.0.1:7071",
        "DATABASE_URL": "postgresql://me@elsewhere/db",
        "AZURE_STORAGE_CONNECTION_STRING": "UseDevelopmentStorage=true",
        "SERVICE_BUS_CONNECTION_STRING": "Endpoint=sb://elsewhere/",
    }


def test_the_function_key_is_published_where_it_is_asked_for(tmp_path: Path) -> None:
    elsewhere = {"DATABASE_URL": "postgresql://me@elsewhere/db"}
    assert FUNCTION_KEY not in published(load(tmp_path, elsewhere))
    settings = load(tmp_path, elsewhere, GEOFORGE_ENFORCE_KEYS="1")
    key = published(settings)[FUNCTION_KEY]
    assert published(settings)[FUNCTION_KEY] == key
    # The host finds the same one.
    assert Keys.load_or_create(settings.host_state).default == key


def test_the_environment_wins_over_the_file_even_when_empty(tmp_path: Path) -> None:
    file = {"DATABASE_URL": "postgresql://file/db", "GEOFORGE_HTTP_PORT": "7001"}
    settings = load(tmp_path, {"DATABASE_URL": "postgresql://environment/db"}, **file)
    assert settings.existing_database_url == "postgresql://environment/db"
    assert settings.ports.http == 7001
    assert load(tmp_path, {"DATABASE_URL": ""}, **file).existing_database_url is None


def test_a_shell_that_has_taken_over_make_env_names_no_other_server(tmp_path: Path) -> None:
    environment = {
        "DATABASE_URL": "postgresql://geoforge:secret@127.0.0.1:55432/geoforge",
        "AZURE_STORAGE_CONNECTION_STRING": azurite_connection_string(10000),
        "SERVICE_BUS_CONNECTION_STRING": service_bus_connection_string(5672),
    }
    assert own_parts(StackSettings.load(environment, tmp_path)) == ALL


def test_the_app_gets_the_servers_of_the_stack(tmp_path: Path) -> None:
    environment = StackSettings.load({"PATH": "/bin"}, tmp_path).host_environment("postgresql://db")
    assert environment["PATH"] == "/bin"
    assert environment["AzureWebJobsStorage"] == azurite_connection_string(10000)
    assert environment["AZURE_STORAGE_CONNECTION_STRING"] == azurite_connection_string(10000)
    assert environment["FUNCTIONS_WORKER_RUNTIME"] == "python"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is not JSON"),
        ("[]", "must hold a JSON object"),
        ('{"IsEncrypted": true}', "is encrypted"),
        ('{"Values": {"GEOFORGE_HTTP_PORT": 7071}}', "values are strings"),
    ],
)
def test_a_file_that_core_tools_would_refuse(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "local.settings.json").write_text(content)
    with pytest.raises(StackError, match=reason):
        StackSettings.load({}, tmp_path)


def test_a_setting_for_azure_only_is_not_passed_over(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="set AZURE_STORAGE_CONNECTION_STRING"):
        StackSettings.load({"AZURE_STORAGE_CONNECTION_STRING__accountUrl": "https://x"}, tmp_path)


def test_a_part_is_asked_for_by_name(tmp_path: Path) -> None:
    settings = load(tmp_path, {}, DATABASE_URL="postgresql://elsewhere/db")
    assert select(settings, ["host", "azurite"]) == ["azurite", "host"]
    with pytest.raises(StackError, match="postgres is not started here"):
        select(settings, ["postgres"])
    with pytest.raises(StackError, match="no part 'redis'"):
        select(settings, ["redis"])


def test_the_fingerprint_follows_the_settings_and_not_the_shell(tmp_path: Path) -> None:
    plain = StackSettings.load({}, tmp_path).fingerprint()
    assert StackSettings.load({"TERM": "xterm", "PWD": "/"}, tmp_path).fingerprint() == plain
    changed = ({"GEOFORGE_HTTP_PORT": "7001"}, {"METRICS_ENABLED": "false"}, {"DATABASE_URL": "x"})
    assert plain not in {StackSettings.load(more, tmp_path).fingerprint() for more in changed}


def example() -> dict[str, str]:
    document = json.loads((CHECKOUT / "local.settings.example.json").read_text())
    assert document["IsEncrypted"] is False
    values: dict[str, str] = document["Values"]
    return values


def defaults() -> dict[str, str]:
    """Every setting of the app, beside its default as it would stand in the file."""

    def text(default: Any, *, required: bool) -> str:
        if required or default is None or default == {}:
            return ""
        return str(default).lower() if isinstance(default, bool) else str(default)

    app = {
        str(field.alias): text(
            field.get_default(call_default_factory=True), required=field.is_required()
        )
        for field in Settings.model_fields.values()
    }
    metrics = {
        f"METRICS_{name.upper()}": text(
            field.get_default(call_default_factory=True), required=field.is_required()
        )
        for name, field in MetricsSettings.model_fields.items()
    }
    return {**app, **metrics}


def test_the_example_file_has_every_setting_with_its_default() -> None:
    shown = example()
    assert {name: shown.get(name) for name in defaults()} == defaults()


def test_the_example_file_has_nothing_else_but_the_hosts_and_the_stacks_own() -> None:
    host = {
        "FUNCTIONS_WORKER_RUNTIME",
        "AzureWebJobsStorage",
        "PYTHON_THREADPOOL_THREAD_COUNT",
        "GEOFORGE_ENFORCE_KEYS",
        "GEOFORGE_HUB_DATABASE_URL",
    }
    stack = {*SETTINGS.values(), "GEOFORGE_STATE_DIR", "GEOFORGE_DATA"}
    assert set(example()) == {*defaults(), *host, *stack}


def test_the_example_file_is_a_stack_of_our_own_with_nothing_filled_in(tmp_path: Path) -> None:
    settings = load(tmp_path, {}, **example())
    assert own_parts(settings) == ALL
    assert settings.ports == StackSettings.load({}, tmp_path).ports
