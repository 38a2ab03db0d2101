"""What the host reads: host.json, local.settings.json and the environment.

The names and defaults of host.json are those of the Functions host:
https://learn.microsoft.com/azure/azure-functions/functions-host-json
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_CORES = os.cpu_count() or 1
_DEFAULT_THREADS = 32
_PERCENT_NAME = re.compile(r"%([^%]+)%")
_TIME_SPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})(?:\.(\d{1,7}))?")


class SettingsError(Exception):
    """A setting that is missing or cannot be used; the message names it."""


@dataclass(frozen=True, slots=True)
class ServiceBusSettings:
    """host.json, extensions.serviceBus; times in seconds."""

    prefetch_count: int = 0
    auto_complete_messages: bool = True
    max_auto_lock_renewal_seconds: float = 300.0
    max_concurrent_calls: int = 16 * _CORES
    max_message_batch_size: int = 1000
    min_message_batch_size: int = 1
    max_batch_wait_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class DurableTaskSettings:
    """host.json, extensions.durableTask."""

    hub_name: str = "TestHubName"
    max_concurrent_activities: int = 10 * _CORES
    max_concurrent_orchestrators: int = 10 * _CORES


@dataclass(frozen=True, slots=True)
class HostSettings:
    """host.json. `function_timeout_seconds` None: no limit."""

    route_prefix: str = "api"
    function_timeout_seconds: float | None = 1800.0
    durable_task: DurableTaskSettings = DurableTaskSettings()
    service_bus: ServiceBusSettings = ServiceBusSettings()


def load_host_settings(app_dir: Path) -> HostSettings:
    """host.json of the app. Raises SettingsError."""
    document = _read_json(app_dir / "host.json")
    extensions = _section(document, "extensions")
    http = _section(extensions, "http")
    durable = _section(extensions, "durableTask")
    bus = _section(extensions, "serviceBus")
    storage_limits = DurableTaskSettings()
    defaults = ServiceBusSettings()
    return HostSettings(
        route_prefix=str(http.get("routePrefix", "api")).strip("/"),
        function_timeout_seconds=_timeout(document.get("functionTimeout", "00:30:00")),
        durable_task=DurableTaskSettings(
            hub_name=str(durable.get("hubName", storage_limits.hub_name)),
            max_concurrent_activities=_positive(
                durable,
                "maxConcurrentActivityFunctions",
                storage_limits.max_concurrent_activities,
            ),
            max_concurrent_orchestrators=_positive(
                durable,
                "maxConcurrentOrchestratorFunctions",
                storage_limits.max_concurrent_orchestrators,
            ),
        ),
        service_bus=ServiceBusSettings(
            prefetch_count=_number(bus, "prefetchCount", defaults.prefetch_count, least=0),
            auto_complete_messages=_flag(bus, "autoCompleteMessages", default=True),
            max_auto_lock_renewal_seconds=_seconds(
                bus,
                "maxAutoLockRenewalDuration",
                defaults.max_auto_lock_renewal_seconds,
            ),
            max_concurrent_calls=_positive(
                bus, "maxConcurrentCalls", defaults.max_concurrent_calls
            ),
            max_message_batch_size=_positive(
                bus, "maxMessageBatchSize", defaults.max_message_batch_size
            ),
            min_message_batch_size=_positive(
                bus, "minMessageBatchSize", defaults.min_message_batch_size
            ),
            max_batch_wait_seconds=_seconds(
                bus, "maxBatchWaitTime", defaults.max_batch_wait_seconds
            ),
        ),
    )


def apply_local_settings(app_dir: Path, environment: MutableMapping[str, str]) -> None:
    """Fill from local.settings.json's "Values" what the environment does not set."""
    path = app_dir / "local.settings.json"
    if not path.exists():
        return
    for name, value in _section(_read_json(path), "Values").items():
        environment.setdefault(name, str(value))


def resolve_setting_names(text: str, environment: Mapping[str, str]) -> str:
    """The text with each %NAME% replaced by that setting. Raises SettingsError if it is not set."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in environment:
            raise SettingsError(f"'{text}' refers to the setting {name}, which is not set")
        return environment[name]

    return _PERCENT_NAME.sub(value, text)


def connection_setting(name: str, environment: Mapping[str, str]) -> str:
    """The connection string in the setting of this name, or of AzureWebJobs + the name.

    Raises SettingsError when neither is set.
    """
    for candidate in (name, f"AzureWebJobs{name}"):
        if environment.get(candidate):
            return environment[candidate]
    raise SettingsError(f"the connection setting {name} is not set")


def thread_count(environment: Mapping[str, str]) -> int:
    """Threads for synchronous functions. Raises SettingsError."""
    text = environment.get("PYTHON_THREADPOOL_THREAD_COUNT") or str(_DEFAULT_THREADS)
    if not text.isdigit() or int(text) < 1:
        raise SettingsError(f"PYTHON_THREADPOOL_THREAD_COUNT must be a number, not {text!r}")
    return int(text)


def is_disabled(function: str, environment: Mapping[str, str]) -> bool:
    """Whether AzureWebJobs.<function>.Disabled switches the function off."""
    return environment.get(f"AzureWebJobs.{function}.Disabled", "").lower() in (
        "true",
        "1",
    )


def parse_time_span(text: str) -> float:
    """Seconds of a .NET TimeSpan `[d.]hh:mm:ss[.fff]`. Raises ValueError."""
    match = _TIME_SPAN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a time span like 00:05:00")
    days, hours, minutes, seconds, fraction = match.groups()
    whole = int(days or 0) * 86400 + int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    return whole + float(f"0.{fraction}" if fraction else 0)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise SettingsError(f"{path} does not exist: is this a function app?") from None
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from None
    if not isinstance(document, dict):
        raise SettingsError(f"{path} is not a JSON object")
    return document


def _section(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = document.get(name, {})
    if not isinstance(section, dict):
        raise SettingsError(f"'{name}' is not a JSON object")
    return section


def _number(section: Mapping[str, Any], name: str, default: int, *, least: int) -> int:
    value = section.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise SettingsError(f"host.json: {name} must be a whole number from {least}, not {value!r}")
    return value


def _positive(section: Mapping[str, Any], name: str, default: int) -> int:
    return _number(section, name, default, least=1)


def _flag(section: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = section.get(name, default)
    if not isinstance(value, bool):
        raise SettingsError(f"host.json: {name} must be true or false, not {value!r}")
    return value


def _seconds(section: Mapping[str, Any], name: str, default: float) -> float:
    if name not in section:
        return default
    try:
        return parse_time_span(str(section[name]))
    except ValueError as error:
        raise SettingsError(f"host.json: {name}: {error}") from None


def _timeout(value: object) -> float | None:
    if str(value) == "-1":
        return None
    try:
        return parse_time_span(str(value))
    except ValueError as error:
        raise SettingsError(f"host.json: functionTimeout: {error}") from None
