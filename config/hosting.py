"""What the environment tells of the Functions host that runs the app."""

from __future__ import annotations

import os
from collections.abc import Mapping


def is_azure(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether this is Azure, whose host asks for the keys that a function's level demands.

    Core Tools run the same host without asking for keys. The variables are those by which the
    host itself tells where it is (EnvironmentExtensions.cs of Azure/azure-functions-host): all
    App Service plans have an instance id, Consumption and Flex Consumption a container or pod.
    """
    if environment.get("FUNCTIONS_CORETOOLS_ENVIRONMENT"):
        return False
    if environment.get("WEBSITE_INSTANCE_ID"):
        return True
    # Others name containers too, but not sites.
    contained = environment.get("CONTAINER_NAME") or environment.get("WEBSITE_POD_NAME")
    return bool(contained and environment.get("WEBSITE_SITE_NAME"))
