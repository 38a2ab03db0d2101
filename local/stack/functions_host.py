"""The Functions host, `local.functions_host`, and the migrations that must come before it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.stack.errors import StackError
from local.stack.health import http_answers
from local.stack.part import Part
from local.stack.ports import HOST
from local.stack.process import tail
from local.stack.settings import CHECKOUT


@dataclass
class Migration:
    """Brings the database to the app's version, once in a supervisor's life.

    A host that is restarted after a crash runs the same code, and must not wait for this.
    """

    environment: Mapping[str, str]
    log: Path
    done: bool = False

    def __call__(self) -> None:
        """Apply what is missing.

        Raises:
            StackError: a migration failed; shows the last lines of its log.
        """
        if self.done:
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            answer = subprocess.run(
                [sys.executable, "-m", "infrastructure.migrate"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=CHECKOUT,
                env=dict(self.environment),
                check=False,
            )
        if answer.returncode != 0:
            shown = "".join(f"\n    {line}" for line in tail(self.log, 15))
            raise StackError(f"The database cannot be migrated. The log, {self.log}, ends:{shown}")
        self.done = True


def part(
    state: Path,
    port: int,
    logs: Path,
    environment: Mapping[str, str],
    requires: tuple[str, ...],
) -> Part:
    """The host as a part of the stack.

    Args:
        state: where the host keeps what is not in the database.
        port: where it serves HTTP.
        logs: the directory of its log and of the migrations'.
        environment: its environment, which holds the app's settings.
        requires: the parts of this stack that it needs.
    """
    state.mkdir(parents=True, exist_ok=True)
    base = f"http://{HOST}:{port}"
    return Part(
        name="host",
        title="Functions host",
        address=base,
        command=(
            *(sys.executable, "-m", "local.functions_host", "--app", str(CHECKOUT)),
            *("--host", HOST, "--port", str(port), "--state", str(state)),
        ),
        environment=environment,
        directory=CHECKOUT,
        log=logs / "host.log",
        prepare=Migration(environment, logs / "migrate.log"),
        alive=lambda: http_answers(f"{base}/api/livez"),
        ready=lambda: http_answers(f"{base}/api/readyz"),
        requires=requires,
        stop_seconds=30.0,
    )
