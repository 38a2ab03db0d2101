"""What the stack is to run and where, from the environment and `local.settings.json`.

The environment wins over the file, as it does for the function app itself.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local.stack.errors import StackError
from local.stack.ports import HOST, Ports

CHECKOUT = Path(__file__).resolve().parents[2]
"""The root of the checkout: where function_app.py and host.json are."""

SETTINGS_FILE = "local.settings.json"

DATABASE_URL = "DATABASE_URL"
STORAGE = "AZURE_STORAGE_CONNECTION_STRING"
SERVICE_BUS = "SERVICE_BUS_CONNECTION_STRING"

IDENTITY_SETTINGS = (f"{STORAGE}__accountUrl", f"{SERVICE_BUS}__fullyQualifiedNamespace")

ROLE = "geoforge"
"""The role that owns our own cluster."""

STORAGE_ACCOUNT = "devstoreaccount1"
STORAGE_KEY = (
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
"""The emulator's account and key: public, the same for everyone (Azurite's documentation)."""


@dataclass(frozen=True)
class StackSettings:
    """Everything that decides what is started.

    Attributes:
        values: `local.settings.json` overlaid by the environment.
        ports: where our own servers listen.
        state: the directory that holds state, data and logs.
    """

    values: Mapping[str, str] = field(repr=False)
    ports: Ports
    state: Path

    @classmethod
    def load(
        cls, environment: Mapping[str, str] | None = None, checkout: Path = CHECKOUT
    ) -> StackSettings:
        """Read the settings of a checkout.

        Raises:
            StackError: the file is not what Core Tools would accept, a port is not one, or a
                setting makes sense on Azure only.
        """
        environment = os.environ if environment is None else environment
        merged = {**read_values(checkout / SETTINGS_FILE), **environment}
        # An empty value is no setting: so the environment can undo what the file says.
        values = {key: text for key, text in merged.items() if text}
        for identity in IDENTITY_SETTINGS:
            if identity in values:
                raise StackError(
                    f"{identity} is for managed identities, which the stack does not use: "
                    f"set {identity.partition('__')[0]} to a connection string instead."
                )
        state = values.get("GEOFORGE_STATE_DIR")
        return cls(
            values=values,
            ports=Ports.from_values(values),
            state=Path(state).resolve() if state else checkout / ".local",
        )

    @property
    def logs(self) -> Path:
        """The directory of the parts' logs."""
        return self.state / "logs"

    @property
    def host_state(self) -> Path:
        """The directory in which the Functions host keeps its identity and its keys."""
        return self.state / "host"

    @property
    def enforces_keys(self) -> bool:
        """Whether the Functions host asks for function keys."""
        return self.values.get("GEOFORGE_ENFORCE_KEYS") == "1"

    @property
    def url(self) -> str:
        """Where the app is served."""
        return f"http://{HOST}:{self.ports.http}"

    @property
    def existing_database_url(self) -> str | None:
        """A PostgreSQL server that is to be used instead of one of our own.

        None also where the setting names our own: as it does in a shell that has taken over what
        `make env` printed.
        """
        url = self.values.get(DATABASE_URL, "")
        ours = f"@{HOST}:{self.ports.postgres}/"
        return None if url.startswith(f"postgresql://{ROLE}:") and ours in url else url or None

    @property
    def existing_storage(self) -> str | None:
        """The connection string of a storage account to be used instead of our own Azurite."""
        named = self.values.get(STORAGE)
        return None if named == azurite_connection_string(self.ports.blob) else named

    @property
    def existing_service_bus(self) -> str | None:
        """The connection string of a namespace to be used instead of our own endpoint."""
        named = self.values.get(SERVICE_BUS)
        return None if named == service_bus_connection_string(self.ports.service_bus) else named

    @property
    def storage_connection_string(self) -> str:
        """Blob storage: the existing account, or our own Azurite."""
        return self.existing_storage or azurite_connection_string(self.ports.blob)

    @property
    def service_bus_connection_string(self) -> str:
        """Service Bus: the existing namespace, or our own endpoint."""
        own = service_bus_connection_string(self.ports.service_bus)
        return self.existing_service_bus or own

    def host_environment(self, database_url: str) -> dict[str, str]:
        """The environment of the Functions host and of whatever else runs the app's code."""
        return {
            **self.values,
            DATABASE_URL: database_url,
            STORAGE: self.storage_connection_string,
            "AzureWebJobsStorage": self.storage_connection_string,
            SERVICE_BUS: self.service_bus_connection_string,
            "GEOFORGE_LIGHT_QUEUE": self.values.get("GEOFORGE_LIGHT_QUEUE", "geoforge-light"),
            "GEOFORGE_HEAVY_QUEUE": self.values.get("GEOFORGE_HEAVY_QUEUE", "geoforge-heavy"),
            "GEOFORGE_URL": self.values.get("GEOFORGE_URL", self.url),
            "FUNCTIONS_WORKER_RUNTIME": "python",
        }

    def fingerprint(self) -> str:
        """A digest of the settings that the running parts depend on.

        The shell's own variables are left out: a second terminal is not a changed stack.
        """
        prefixes = ("GEOFORGE_", "AzureWebJobs", "METRICS_", "APPLICATIONINSIGHTS_")
        relevant = {
            key: text
            for key, text in self.values.items()
            # Where the demo finds data concerns no part of the stack.
            if key.startswith(prefixes) and key != "GEOFORGE_DATA"
        }
        servers = (
            self.existing_database_url,
            self.storage_connection_string,
            self.service_bus_connection_string,
        )
        text = json.dumps([relevant, servers, str(self.ports), str(self.state)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def azurite_connection_string(port: int) -> str:
    """The connection string of an Azurite blob service on this machine."""
    return (
        f"DefaultEndpointsProtocol=http;AccountName={STORAGE_ACCOUNT};AccountKey={STORAGE_KEY};"
        f"BlobEndpoint=http://{HOST}:{port}/{STORAGE_ACCOUNT};"
    )


def service_bus_connection_string(port: int) -> str:
    """The connection string of a Service Bus endpoint on this machine.

    The name and value of the key are those of Microsoft's own emulator: public, for development.
    """
    return (
        f"Endpoint=sb://{HOST}:{port};SharedAccessKeyName=RootManageSharedAccessKey;"
        "SharedAccessKey=SAS_KEY_VALUE;UseDevelopmentEmulator=true;"
    )


def read_values(path: Path) -> dict[str, str]:
    """Read the Values of a `local.settings.json`; none where there is no such file.

    Raises:
        StackError: the file is not JSON, is encrypted, or its Values are not strings.
    """
    try:
        document = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise StackError(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise StackError(f"{path} must hold a JSON object with an object named Values.")
    if document.get("IsEncrypted"):
        raise StackError(f"{path} is encrypted: run `func settings decrypt` first.")
    values = document.get("Values", {})
    if not isinstance(values, dict) or not all(isinstance(text, str) for text in values.values()):
        raise StackError(f"{path}: Values must be an object whose values are strings.")
    return values
