"""Every setting of the function app, in one place, from environment variables.

On Azure these are app settings; on a laptop they come from `local.settings.json`
(`func start`) or from the embedded stack (`make up`). A service that is reached with a
managed identity takes `<NAME>__fullyQualifiedNamespace` or `<NAME>__accountUrl` in place
of a connection string.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PostgresDsn,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

# Scheme, host and port, and nothing after them.
_ORIGIN = r"^https?://[A-Za-z0-9.\-\[\]:]+$"
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


class DatabaseSettings(BaseSettings):
    """What it takes to reach the database: all that `infrastructure.migrate` needs.

    Here and in `Settings`, values that can hold a password are `SecretStr`, never logged, and
    errors do not repeat the values that they are about.
    """

    model_config = SettingsConfigDict(
        extra="ignore",
        populate_by_name=True,
        env_ignore_empty=True,
        frozen=True,
        hide_input_in_errors=True,
    )

    database_url: SecretStr = Field(
        alias="DATABASE_URL",
        description="PostgreSQL with PostGIS: postgresql://user:password@host:port/database",
    )
    database_pool_max: int = Field(
        default=16,
        ge=2,
        le=200,
        alias="GEOFORGE_DATABASE_POOL_MAX",
        description="Connections that one worker process may hold",
    )
    database_timeout_seconds: float = Field(
        default=10,
        gt=0,
        le=120,
        alias="GEOFORGE_DATABASE_TIMEOUT_SECONDS",
        description="Wait for a connection before the database counts as unavailable",
    )

    @field_validator("database_url")
    @classmethod
    def _is_a_url(cls, url: SecretStr) -> SecretStr:
        """Refuse here what libpq would refuse later, with the password in its message."""
        text = url.get_secret_value()
        try:
            # pydantic also knows the schemes of SQLAlchemy, which libpq does not.
            is_url = PostgresDsn(text).scheme in ("postgresql", "postgres")
        except ValidationError:
            is_url = False
        if not is_url:
            raise ValueError("must be a URL: postgresql://user:password@host:port/database")
        if _STRAY_PERCENT.search(text):
            raise ValueError("a % in the user, password or database is written %25")
        return url


class BoundToken(BaseModel):
    """A bearer token, and the origin that it is for."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    origin: str = Field(pattern=_ORIGIN)
    token: SecretStr = Field(min_length=1)


class Settings(DatabaseSettings):
    """The app's settings."""

    storage_connection_string: SecretStr | None = Field(
        default=None,
        alias="AZURE_STORAGE_CONNECTION_STRING",
        description="Blob storage of the data (bronze, silver, work files)",
    )
    storage_account_url: str | None = Field(
        default=None,
        alias="AZURE_STORAGE_CONNECTION_STRING__accountUrl",
        description="https://ACCOUNT.blob.core.windows.net, reached with the managed identity",
    )
    work_container: str = Field(
        default="geoforge-work",
        alias="GEOFORGE_WORK_CONTAINER",
        description="Container that holds the files between stages, under work/<job_id>/",
    )

    service_bus_connection_string: SecretStr | None = Field(
        default=None,
        alias="SERVICE_BUS_CONNECTION_STRING",
        description="Service Bus namespace of the task queues",
    )
    service_bus_namespace: str | None = Field(
        default=None,
        alias="SERVICE_BUS_CONNECTION_STRING__fullyQualifiedNamespace",
        description="NAMESPACE.servicebus.windows.net, reached with the managed identity",
    )
    light_queue: str = Field(
        default="geoforge-light",
        alias="GEOFORGE_LIGHT_QUEUE",
        description="Queue of short tasks, received and completed in batches",
    )
    heavy_queue: str = Field(
        default="geoforge-heavy",
        alias="GEOFORGE_HEAVY_QUEUE",
        description="Queue of long tasks, received one at a time",
    )

    source_cache_dir: str | None = Field(
        default=None,
        alias="GEOFORGE_SOURCE_CACHE_DIR",
        description="Folder for local copies of source files; default: geoforge-sources in the "
        "system's folder for temporary files",
    )
    source_cache_bytes: int = Field(
        default=20_000_000_000,
        ge=0,
        alias="GEOFORGE_SOURCE_CACHE_BYTES",
        description="Bytes of local copies that are kept for later tasks; those in use stay",
    )
    max_source_bytes: int = Field(
        default=20_000_000_000,
        ge=1,
        alias="GEOFORGE_MAX_SOURCE_BYTES",
        description="Largest source file that a job reads, in bytes",
    )
    max_raster_pixels: int = Field(
        default=200_000_000_000,
        ge=1,
        alias="GEOFORGE_MAX_RASTER_PIXELS",
        description="Most values (width x height x bands) that a raster may declare",
    )
    allowed_hosts: str = Field(
        default="",
        alias="GEOFORGE_ALLOWED_HOSTS",
        description="Hosts (host or host:port, separated by commas) that users may name in "
        "addresses although they are on a private network",
    )

    curated_container: str = Field(
        default="geoforge-curated",
        alias="GEOFORGE_CURATED_CONTAINER",
        description="Container of the files that were fetched for curated datasets, under "
        "<dataset_id>/<version>/",
    )
    credentials: Annotated[dict[str, BoundToken], NoDecode] = Field(
        default_factory=dict,
        alias="GEOFORGE_CREDENTIALS",
        description="Bearer tokens of sources, each bound to one origin, as JSON: "
        '{"MY_KEY": {"origin": "https://data.example.org", "token": "..."}}',
    )
    ibat_url: str = Field(
        default="https://app.ibat-alliance.org",
        pattern=_ORIGIN,
        alias="IBAT_URL",
        description="Origin of IBAT's API: the only place where its credentials are sent",
    )
    ibat_auth_key: SecretStr | None = Field(
        default=None, alias="IBAT_AUTH_KEY", description="Key of the IBAT account"
    )
    ibat_auth_token: SecretStr | None = Field(
        default=None, alias="IBAT_AUTH_TOKEN", description="Token of the IBAT account"
    )
    acled_url: str = Field(
        default="https://acleddata.com",
        pattern=_ORIGIN,
        alias="ACLED_URL",
        description="Origin of ACLED's API: the only place where its credentials are sent",
    )
    acled_auth: Literal["oauth", "key"] = Field(
        default="oauth",
        alias="ACLED_AUTH",
        description="How ACLED is asked: with ACLED_USERNAME and ACLED_PASSWORD (oauth), or by "
        "the older scheme with ACLED_EMAIL and ACLED_API_KEY (key)",
    )
    acled_username: SecretStr | None = Field(
        default=None, alias="ACLED_USERNAME", description="E-mail address of the myACLED account"
    )
    acled_password: SecretStr | None = Field(
        default=None, alias="ACLED_PASSWORD", description="Password of the myACLED account"
    )
    acled_email: SecretStr | None = Field(
        default=None, alias="ACLED_EMAIL", description="E-mail address of the key's account"
    )
    acled_api_key: SecretStr | None = Field(
        default=None, alias="ACLED_API_KEY", description="Key of ACLED's older scheme"
    )
    acled_requests_per_minute: float = Field(
        default=60,
        ge=1,
        le=60_000,
        alias="ACLED_REQUESTS_PER_MINUTE",
        description="Requests that all workers together send to ACLED in a minute",
    )

    resend_after_seconds: float = Field(
        default=60,
        ge=1,
        le=3600,
        alias="GEOFORGE_RESEND_AFTER_SECONDS",
        description="A queued task that nobody has claimed for this long is sent again",
    )
    reconcile_schedule: str = Field(
        default="*/30 * * * * *",
        alias="GEOFORGE_RECONCILE_SCHEDULE",
        description="NCRONTAB of the reconciler, which repairs what a crash left behind",
    )
    housekeeping_schedule: str = Field(
        default="0 */10 * * * *",
        alias="GEOFORGE_HOUSEKEEPING_SCHEDULE",
        description="NCRONTAB of the timer that removes old metrics and orphaned work files",
    )
    curated_schedule: str = Field(
        default="0 0 2 * * *",
        alias="GEOFORGE_CURATED_SCHEDULE",
        description="NCRONTAB of the nightly round over the curated datasets, in UTC",
    )
    curated_due_check: str = Field(
        default="0 */5 * * * *",
        alias="GEOFORGE_CURATED_DUE_CHECK",
        description="NCRONTAB of the check for curated datasets that are due by schedules of "
        "their own, and for what was missed",
    )
    light_threads: int = Field(
        default=16,
        ge=1,
        le=256,
        alias="GEOFORGE_LIGHT_THREADS",
        description="Threads that run the messages of one batch of light tasks",
    )

    public_url: str | None = Field(
        default=None,
        alias="GEOFORGE_URL",
        description="Address under which users reach the app, for links; default: the request's",
    )
    pages_auth: Literal["function", "anonymous"] = Field(
        default="function",
        alias="GEOFORGE_PAGES_AUTH",
        description="Who may open the pages: holders of a function key, or everyone whom "
        "App Service Authentication lets through",
    )
    show_restricted: bool = Field(
        default=False,
        alias="GEOFORGE_SHOW_RESTRICTED",
        description="Whether everyone may read the rows of tables that are marked restricted",
    )
    restricted_keys: SecretStr | None = Field(
        default=None,
        alias="GEOFORGE_RESTRICTED_KEYS",
        description="Function keys, separated by commas, whose holders may read what is restricted "
        "also where the host asks for no key; the local host adds its own",
    )
    features_timeout_seconds: float = Field(
        default=30,
        gt=0,
        le=600,
        alias="GEOFORGE_FEATURES_TIMEOUT_SECONDS",
        description="Longest that one request may keep the database at reading features or cells",
    )
    tile_max_bytes: int = Field(
        default=1_000_000,
        ge=20_000,
        le=50_000_000,
        alias="GEOFORGE_TILE_MAX_BYTES",
        description="Largest vector tile, in bytes before compression; a fuller one is thinned out",
    )
    tile_max_features: int = Field(
        default=20_000,
        ge=100,
        le=1_000_000,
        alias="GEOFORGE_TILE_MAX_FEATURES",
        description="Most features of a vector tile; of more the largest are shown",
    )
    tile_timeout_seconds: float = Field(
        default=10,
        gt=0,
        le=600,
        alias="GEOFORGE_TILE_TIMEOUT_SECONDS",
        description="Longest that one vector tile may keep the database",
    )
    max_request_bytes: int = Field(
        default=1_048_576,
        ge=1024,
        alias="GEOFORGE_MAX_REQUEST_BYTES",
        description="Largest request body that the API accepts, in bytes",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", alias="GEOFORGE_LOG_LEVEL", description="Threshold of the app's logs"
    )
    application_insights: SecretStr | None = Field(
        default=None,
        alias="APPLICATIONINSIGHTS_CONNECTION_STRING",
        description="Application Insights; telemetry is off without it",
    )

    @field_validator("credentials", mode="before")
    @classmethod
    def _is_json(cls, given: Any) -> Any:
        if not isinstance(given, str):
            return given
        try:
            return json.loads(given)
        except ValueError:
            raise ValueError('must be JSON: {"NAME": {"origin": "...", "token": "..."}}') from None

    @model_validator(mode="after")
    def _one_way_to_each_service(self) -> Settings:
        """A missing service is named at start, not at the first task."""
        if not (self.storage_connection_string or self.storage_account_url):
            raise ValueError(
                "AZURE_STORAGE_CONNECTION_STRING or AZURE_STORAGE_CONNECTION_STRING__accountUrl "
                "must be set"
            )
        if not (self.service_bus_connection_string or self.service_bus_namespace):
            raise ValueError(
                "SERVICE_BUS_CONNECTION_STRING or "
                "SERVICE_BUS_CONNECTION_STRING__fullyQualifiedNamespace must be set"
            )
        return self


@lru_cache
def get_settings() -> Settings:
    """The process's settings, read once. Tests call `get_settings.cache_clear()`."""
    return Settings()  # type: ignore[call-arg]  # its fields come from the environment
