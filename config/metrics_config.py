"""Settings of the job metrics (METRICS_*)."""

from __future__ import annotations

from functools import lru_cache

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class MetricsSettings(BaseSettings):
    """How often progress is sampled into app.job_metrics, and how long it is kept."""

    model_config = SettingsConfigDict(env_prefix="METRICS_", env_ignore_empty=True, frozen=True)

    enabled: bool = Field(default=True, description="Write snapshots and events at all")
    debug_mode: bool = Field(default=False, description="Also write rows of type debug")
    sample_interval: int = Field(
        default=5,
        ge=1,
        le=60,
        description="Seconds between two snapshots of one job, and two writes of its figures",
    )
    retention_minutes: int = Field(
        default=60, ge=10, le=1440, description="Minutes for which the rows are kept"
    )
    log_prefix: str = Field(default="[METRICS]", description="Start of the metrics' log lines")


@lru_cache
def get_metrics_settings() -> MetricsSettings:
    """The process's metrics settings, read once."""
    return MetricsSettings()
