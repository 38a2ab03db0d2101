"""From settings to parts: which servers of our own a stack consists of."""

from __future__ import annotations

from collections.abc import Collection

from local.functions_host.keys import Keys
from local.stack import azurite, functions_host, service_bus
from local.stack.errors import StackError
from local.stack.part import Part
from local.stack.ports import SETTINGS
from local.stack.postgres import Cluster, wait_for_database
from local.stack.settings import DATABASE_URL, SERVICE_BUS, STORAGE, StackSettings

NAMES = ("postgres", "azurite", "service-bus", "host")
"""The parts, in the order in which they are started."""

FUNCTION_KEY = "GEOFORGE_FUNCTION_KEY"
"""What `make env` calls the key that opens the API, where keys are asked for."""

_EXISTING_DATABASE_SECONDS = 5.0


def own_parts(settings: StackSettings) -> list[str]:
    """The parts that the stack starts itself: all but those for which a server is named."""
    existing = {
        "postgres": settings.existing_database_url,
        "azurite": settings.existing_storage,
        "service-bus": settings.existing_service_bus,
    }
    return [name for name in NAMES if not existing.get(name)]


def wanted_ports(settings: StackSettings, names: Collection[str]) -> dict[str, tuple[str, int]]:
    """For each part its port, beside the name of the setting that moves it."""
    fields = {
        "postgres": "postgres",
        "azurite": "blob",
        "service-bus": "service_bus",
        "host": "http",
    }
    return {
        name: (SETTINGS[field], getattr(settings.ports, field))
        for name, field in fields.items()
        if name in names
    }


def select(settings: StackSettings, asked: Collection[str]) -> list[str]:
    """The parts to start: those that were asked for, or all.

    Raises:
        StackError: a part is unknown, or is not ours to start.
    """
    own = own_parts(settings)
    for name in asked:
        if name not in NAMES:
            raise StackError(f"There is no part {name!r}: the parts are {', '.join(NAMES)}.")
        if name not in own:
            raise StackError(f"{name} is not started here: the settings name an existing server.")
    return [name for name in own if not asked or name in asked]


def environment(settings: StackSettings) -> dict[str, str]:
    """The environment of the app on this stack. Our own cluster is created where it is missing."""
    if settings.existing_database_url:
        return settings.host_environment(settings.existing_database_url)
    cluster = Cluster.under(settings.state, settings.ports.postgres)
    cluster.create()
    return settings.host_environment(cluster.url())


def published(settings: StackSettings) -> dict[str, str]:
    """What `make env` prints: where scripts find the stack's servers, and the API's key."""
    app = environment(settings)
    return {
        "GEOFORGE_URL": settings.url,
        **_function_key(settings),
        **{name: app[name] for name in (DATABASE_URL, STORAGE, SERVICE_BUS)},
    }


def _function_key(settings: StackSettings) -> dict[str, str]:
    if not settings.enforces_keys:
        return {}
    settings.host_state.mkdir(parents=True, exist_ok=True)
    return {FUNCTION_KEY: Keys.load_or_create(settings.host_state).default}


def build(settings: StackSettings, names: Collection[str]) -> list[Part]:
    """Make the parts of these names, in the order in which they are to be started.

    Raises:
        StackError: something that a part needs is not installed, or an existing database that is
            to be used does not answer.
    """
    parts: list[Part] = []
    if "postgres" in names:
        cluster = Cluster.under(settings.state, settings.ports.postgres)
        parts.append(cluster.part(settings.logs / "postgres.log"))
    if "azurite" in names:
        parts.append(
            azurite.part(
                settings.state / "azurite", settings.ports.blob, settings.logs / "azurite.log"
            )
        )
    if "service-bus" in names:
        parts.append(
            service_bus.part(
                settings.state / "service_bus",
                settings.ports.service_bus,
                settings.logs / "service-bus.log",
                settings.values,
            )
        )
    if "host" in names:
        if settings.existing_database_url:
            wait_for_database(settings.existing_database_url, _EXISTING_DATABASE_SECONDS)
        parts.append(
            functions_host.part(
                settings.host_state,
                settings.ports.http,
                settings.logs,
                environment(settings),
                requires=tuple(part.name for part in parts),
            )
        )
    return parts
