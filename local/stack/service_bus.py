"""The Service Bus endpoint, `local.service_bus`, in a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from local.stack.health import amqp_answers
from local.stack.part import Part
from local.stack.ports import HOST
from local.stack.settings import CHECKOUT

LIGHT = "geoforge-light:lock_seconds=30,max_delivery_count=10"
HEAVY = "geoforge-heavy:lock_seconds=300,max_delivery_count=10"
"""The app's queues, as they are made on Azure: see docs/deploy-azure.md."""


def part(
    data: Path,
    port: int,
    log: Path,
    environment: Mapping[str, str],
    queues: tuple[str, ...] = (LIGHT, HEAVY),
) -> Part:
    """The endpoint as a part of the stack.

    Args:
        data: where its journal is kept.
        port: where it listens.
        log: its log file.
        environment: its environment.
        queues: the queues it serves, as `NAME:key=value,...`.
    """
    data.mkdir(parents=True, exist_ok=True)
    named = [argument for queue in queues for argument in ("--queue", queue)]
    return Part(
        name="service-bus",
        title="Service Bus endpoint",
        address=f"{HOST}:{port}",
        command=(
            *(sys.executable, "-m", "local.service_bus"),
            *("--host", HOST, "--port", str(port), "--data-dir", str(data)),
            *named,
        ),
        environment=environment,
        directory=CHECKOUT,
        log=log,
        alive=lambda: amqp_answers(port),
    )
