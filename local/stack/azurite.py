"""Azurite, Microsoft's emulator of Blob Storage, from npm."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from local.stack.errors import StackError
from local.stack.health import azurite_answers
from local.stack.part import Part
from local.stack.ports import HOST
from local.stack.settings import CHECKOUT

_PROGRAM = CHECKOUT / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"
_JOURNAL = Path(__file__).with_name("azurite_journal.js")


def part(data: Path, port: int, log: Path) -> Part:
    """The blob service as a part of the stack.

    Args:
        data: where blobs and their metadata are kept.
        port: where it listens.
        log: its log file.

    Raises:
        StackError: Node.js or Azurite is not installed.
    """
    node = shutil.which("node")
    if node is None or not _PROGRAM.exists():
        missing = "Node.js" if node is None else "Azurite"
        raise StackError(f"{missing} is not installed: run `make setup`.")
    data.mkdir(parents=True, exist_ok=True)
    return Part(
        name="azurite",
        title="Azurite",
        address=f"{HOST}:{port}",
        command=(
            *(node, "--require", str(_JOURNAL), str(_PROGRAM)),
            *("--blobHost", HOST, "--blobPort", str(port), "--location", str(data)),
            # The SDK speaks newer versions of the protocol than a pinned Azurite knows of.
            *("--skipApiVersionCheck", "--disableTelemetry", "--silent"),
        ),
        environment={"PATH": os.environ.get("PATH", os.defpath), "NODE_ENV": "production"},
        directory=data,
        log=log,
        alive=lambda: azurite_answers(port),
    )
