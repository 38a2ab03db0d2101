"""Programs that measure in a process of their own and answer in JSON."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.errors import BenchmarkError
from local.stack.settings import CHECKOUT

PEERS_PYTHON = CHECKOUT / ".local" / "venv-bench" / "bin" / "python"
"""The Python of the environment that has the peers: `local/setup.sh bench` makes it."""

_PEERS = CHECKOUT / "benchmarks" / "peers"
_SHOWN_LINES = 15


def run_peer(
    program: str, *arguments: str, environment: Mapping[str, str], seconds: float = 900.0
) -> dict[str, Any]:
    """Run a program of benchmarks/peers/ and read the line of JSON that it prints.

    Args:
        program: its file's name without .py.
        arguments: of its command line.
        environment: what is added to our own environment. Passwords go here: other users of
            the machine see command lines.
        seconds: how long it may take.

    Raises:
        BenchmarkError: it failed, or takes too long; shows the end of what it printed.
    """
    command = [str(PEERS_PYTHON), str(_PEERS / f"{program}.py"), *arguments]
    answer: dict[str, Any] = json.loads(run(command, environment, seconds).splitlines()[-1])
    return answer


def run(command: Sequence[str], environment: Mapping[str, str], seconds: float) -> str:
    """Run a command in the checkout to its end; its standard output.

    Raises:
        BenchmarkError: it failed, or takes too long.
    """
    name = " ".join(command[1:3])
    try:
        answer = subprocess.run(
            command,
            cwd=CHECKOUT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError as error:
        raise BenchmarkError(f"{command[0]} is missing: run local/setup.sh bench") from error
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(f"{name} has not ended after {seconds:.0f} s") from error
    if answer.returncode != 0:
        lines = (answer.stderr or answer.stdout).splitlines()[-_SHOWN_LINES:]
        raise BenchmarkError(f"{name} failed:\n" + "\n".join(f"    {line}" for line in lines))
    return answer.stdout
