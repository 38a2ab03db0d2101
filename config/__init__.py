"""Settings, read from the environment only."""

from config.metrics_config import MetricsSettings, get_metrics_settings
from config.settings import DatabaseSettings, Settings, get_settings

__all__ = [
    "DatabaseSettings",
    "MetricsSettings",
    "Settings",
    "get_metrics_settings",
    "get_settings",
]
