"""Programs that measure in a process of their own and answer in JSON."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.errors import BenchmarkError
from benchmarks.memory import MemoryWatch
from local.stack.settings import CHECKOUT

PEERS_PYTHON = CHECKOUT / ".local" / "venv-bench" / "bin" / "python"
"""The Python of the environment that has the peers: `local/setup.sh bench` makes it."""

_PEERS = CHECKOUT / "benchmarks" / "peers"
_SHOWN_LINES = 15


@dataclass(frozen=True)
class Answer:
    """What a program came to.

    Attributes:
        measured: the JSON object in the last line that it printed.
        peak_bytes: the most memory that its process held.
    """

    measured: dict[str, Any]
    peak_bytes: int


def run_peer(
    program: str, *arguments: str, environment: Mapping[str, str], seconds: float = 900.0
) -> Answer:
    """Run a program of benchmarks/peers/ and read what it has measured.

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
    output, peak_bytes = run(command, environment, seconds)
    return Answer(json.loads(output.splitlines()[-1]), peak_bytes)


def run(command: Sequence[str], environment: Mapping[str, str], seconds: float) -> tuple[str, int]:
    """Run a command in the checkout to its end.

    Returns:
        Its standard output, and the most memory that it held, in bytes.

    Raises:
        BenchmarkError: it failed, or takes too long.
    """
    name = " ".join(command[1:3])
    try:
        process = subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    except FileNotFoundError as error:
        raise BenchmarkError(f"{command[0]} is missing: run local/setup.sh bench") from error
    with process, MemoryWatch({name: process.pid}) as watched:
        try:
            output, errors = process.communicate(timeout=seconds)
        except BaseException as error:
            process.kill()
            if isinstance(error, subprocess.TimeoutExpired):
                raise BenchmarkError(f"{name} has not ended after {seconds:.0f} s") from error
            raise
    if process.returncode != 0:
        lines = (errors or output).splitlines()[-_SHOWN_LINES:]
        raise BenchmarkError(f"{name} failed:\n" + "\n".join(f"    {line}" for line in lines))
    return output, watched.peak[name]
