"""What the environment tells of the Functions host."""

from __future__ import annotations

import pytest

from config.hosting import is_azure


@pytest.mark.parametrize(
    "environment",
    [
        {"WEBSITE_INSTANCE_ID": "0f3a"},
        {"WEBSITE_SITE_NAME": "events", "CONTAINER_NAME": "c-1"},
        {"WEBSITE_SITE_NAME": "events", "WEBSITE_POD_NAME": "p-1"},
    ],
)
def test_every_plan_of_azure_is_known(environment: dict[str, str]) -> None:
    assert is_azure(environment)
    assert not is_azure({**environment, "FUNCTIONS_CORETOOLS_ENVIRONMENT": "true"})


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WEBSITE_INSTANCE_ID": ""},
        {"CONTAINER_NAME": "mine"},
        {"WEBSITE_SITE_NAME": "events"},
        {"GEOFORGE_ENFORCE_KEYS": "1"},
    ],
)
def test_any_other_machine_is_not_azure(environment: dict[str, str]) -> None:
    assert not is_azure(environment)
