"""What the figures depend on: machine, versions, settings, and how busy the machine was."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.programs import PEERS_PYTHON
from benchmarks.stack import BenchStack
from local.stack.settings import CHECKOUT

_PEER_VERSIONS = """
from importlib.metadata import version
print(", ".join(f"{name} {version(name)}" for name in ("procrastinate", "prefect")))
"""


def gather(stack: BenchStack) -> dict[str, str]:
    """Facts in the order in which they are shown."""
    return {
        "Date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "Commit": _commit(),
        "Machine": f"{_processor()}, {os.cpu_count()} CPUs, {_memory_gb():.0f} GB, "
        f"{platform.system()} {platform.release()}",
        # Others at work on the machine take from every figure.
        "Load average": ", ".join(f"{load:.1f}" for load in os.getloadavg()),
        "Python": f"{platform.python_version()}, azure-functions {version('azure-functions')}, "
        f"azure-servicebus {version('azure-servicebus')}, pypgstac {version('pypgstac')}",
        "Peers": _output(str(PEERS_PYTHON), "-c", _PEER_VERSIONS) or "not installed",
        "ogr2ogr": _output("ogr2ogr", "--version") or "not installed",
        "PostgreSQL": ", ".join(f"{name} {text}" for name, text in stack.server_facts().items()),
    }


def _commit() -> str:
    commit = _output("git", "rev-parse", "--short=12", "HEAD")
    changed = _output("git", "status", "--porcelain", "--untracked-files=no")
    return f"{commit or 'not a git checkout'}{', with changes' if changed else ''}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, text = line.partition(":")
        if name.strip() == "model name":
            return text.strip()
    return platform.machine()


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9


def _output(*command: str) -> str:
    """What a command prints; nothing where it is missing or fails."""
    try:
        answer = subprocess.run(
            command, cwd=CHECKOUT, capture_output=True, text=True, timeout=30, check=False
        )
    except FileNotFoundError:
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
