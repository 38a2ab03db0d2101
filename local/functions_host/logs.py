"""The host's log: one line an entry, on standard error."""

from __future__ import annotations

import logging
import os
import sys
import time

_QUIET = ("azure", "aiohttp.access", "asyncio", "psycopg.pool")


def configure_logging() -> None:
    """Send everything from GEOFORGE_LOG_LEVEL (INFO) up to standard error.

    A level that does not exist counts as INFO: no reason not to start.
    """
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter(
        "%(asctime)s.%(msecs)03dZ %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    wanted = os.environ.get("GEOFORGE_LOG_LEVEL", "INFO").upper()
    level = logging.getLevelNamesMapping().get(wanted, logging.INFO)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    # Libraries that narrate every connection; the host logs the changes that matter.
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("azure.servicebus").setLevel(logging.CRITICAL)
