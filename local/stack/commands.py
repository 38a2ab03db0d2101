"""What a person can do with the stack: up, down, status, logs, env."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection
from contextlib import AbstractContextManager
from pathlib import Path

from core.counting import counted
from local.stack.assembly import NAMES, build, select, wanted_ports
from local.stack.errors import StackError
from local.stack.locks import exclusive, is_held
from local.stack.ports import require_free
from local.stack.postgres import Cluster
from local.stack.process import Process, tail
from local.stack.settings import CHECKOUT, StackSettings
from local.stack.state import PartState, StackState
from local.stack.supervisor import lock_file, state_file

# What setup has installed there is not the stack's.
_KEPT = frozenset({"setup", "venv-bench", "venv-worker"})

_POLL_SECONDS = 0.1
_SUPERVISOR_SECONDS = 30.0
_STOP_SECONDS = 120.0


def up(settings: StackSettings, asked: Collection[str] = ()) -> StackState:
    """Start the stack, or what of it does not run, and wait until every part serves.

    Args:
        settings: those of the stack.
        asked: the parts to start; all where none is named.

    Raises:
        StackError: a port is taken, something is not installed, or a part does not start. What
            had been started by this call is stopped again.
    """
    names = select(settings, asked)
    with _one_at_a_time(settings):
        running = running_stack(settings)
        if running is not None and not _serves(running, settings, names):
            say("The settings have changed since the stack was started: restarting it.")
            _stop(settings)
            running = None
        started = running is None
        if started:
            _start_supervisor(settings, names)
        try:
            state = _wait_until_healthy(settings, fresh=started)
        except BaseException:
            if started:
                _stop(settings)
            raise
    if state.part("host") is not None:
        say(f"geoforge is up: {state.environment['GEOFORGE_URL']}")
    return state


def down(settings: StackSettings) -> None:
    """Stop the stack. What it holds stays on disk."""
    with _one_at_a_time(settings):
        if not _stop(settings):
            say("The stack is not running.")


def erase(settings: StackSettings) -> None:
    """Stop the stack and delete all that it holds: databases, blobs, messages and logs."""
    down(settings)
    Cluster.under(settings.state, settings.ports.postgres).remove()
    for path in settings.state.iterdir():
        if path.name in _KEPT:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    say(f"Deleted what the stack held in {settings.state}.")


def status(settings: StackSettings) -> bool:
    """Print one line for each part; whether every one serves."""
    state = running_stack(settings)
    if state is None:
        orphans = [part.title for part in _orphans(settings)]
        say("The stack is not running.")
        if orphans:
            say(f"Its supervisor is gone, {', '.join(orphans)} still run: make up takes them over.")
        return False
    for part in state.parts:
        say(_line(part))
        if part.detail:
            say(f"    {part.detail}")
    return state.is_healthy()


def logs(settings: StackSettings, asked: Collection[str], lines: int, follow: bool) -> None:
    """Print the last lines of the parts' logs, and what is added to them if asked to follow."""
    unknown = set(asked) - {*NAMES, "supervisor", "migrate"}
    if unknown:
        raise StackError(f"There is no log of {', '.join(sorted(unknown))}.")
    names = asked or ("supervisor", "migrate", *NAMES)
    files = [settings.logs / f"{name}.log" for name in names]
    files = [file for file in files if file.exists()]
    if not files:
        raise StackError(f"There are no logs in {settings.logs} yet: the stack has not been up.")
    if follow:
        subprocess.run(["tail", "-n", str(lines), "-F", *files], check=False)
        return
    for file in files:
        print(f"==> {file} <==")
        print("\n".join(tail(file, lines)))


def environment(settings: StackSettings) -> dict[str, str]:
    """What scripts need to reach the running stack.

    Raises:
        StackError: it is not running.
    """
    state = running_stack(settings)
    if state is None:
        raise StackError("The stack is not running: make up starts it.")
    return state.environment


def running_stack(settings: StackSettings) -> StackState | None:
    """What the supervisor says of the stack; None where no supervisor runs."""
    deadline = time.monotonic() + _SUPERVISOR_SECONDS
    while is_held(lock_file(settings)):
        state = StackState.read(state_file(settings))
        if state is not None and state.supervisor.is_alive():
            return state
        # It has just started, or is about to end.
        if time.monotonic() > deadline:
            raise StackError(f"A supervisor holds {lock_file(settings)} but says nothing.")
        time.sleep(_POLL_SECONDS)
    return None


def say(line: str) -> None:
    """Print a line for a person, at once: standard output may be a pipe or a file."""
    print(line, flush=True)


def _one_at_a_time(settings: StackSettings) -> AbstractContextManager[None]:
    """Commands that start or stop something take turns."""
    return exclusive(settings.state / "command.lock", busy="", wait=True)


def _serves(state: StackState, settings: StackSettings, names: Collection[str]) -> bool:
    """Whether a running stack is the one that is wanted."""
    return state.fingerprint == settings.fingerprint() and all(state.part(name) for name in names)


def _start_supervisor(settings: StackSettings, names: Collection[str]) -> None:
    """Start a supervisor that outlives this command and its terminal."""
    ours = {part.name for part in _orphans(settings)}
    ports = wanted_ports(settings, names)
    require_free(ports[name] for name in names if name not in ours)
    cluster = Cluster.under(settings.state, settings.ports.postgres)
    if "postgres" in names and not cluster.exists():
        say(f"Creating a database cluster in {cluster.home}")
    # Here as well as in the supervisor, so that what is missing is said to the person who asks.
    build(settings, names)
    supervisor = Process.start(
        [sys.executable, "-m", "local.stack", "supervise", *names],
        environment=settings.values,
        directory=CHECKOUT,
        log=settings.logs / "supervisor.log",
    )
    deadline = time.monotonic() + _SUPERVISOR_SECONDS
    while not is_held(lock_file(settings)):
        if not supervisor.is_alive() or time.monotonic() > deadline:
            raise StackError(
                f"The supervisor {supervisor.how_it_ended()}: see {settings.logs}/supervisor.log"
            )
        time.sleep(_POLL_SECONDS)


def _wait_until_healthy(settings: StackSettings, *, fresh: bool) -> StackState:
    """Show each part as it comes to serve.

    Args:
        settings: those of the stack.
        fresh: whether the parts have just been started.

    Raises:
        StackError: a part does not start.
    """
    began = time.time()
    shown: set[str] = set()
    while True:
        state = running_stack(settings)
        if state is None:
            raise StackError(f"The supervisor ended: see {settings.logs}/supervisor.log")
        for part in state.parts:
            if part.condition == "failed":
                raise StackError(part.detail)
            if part.condition == "healthy" and part.name not in shown:
                shown.add(part.name)
                news = f"ready after {max(0.0, part.since - began):.1f} s" if fresh else "is up"
                say(f"  {part.title:<22} {part.address:<24} {news}")
        if state.is_healthy():
            return state
        time.sleep(_POLL_SECONDS)


def _stop(settings: StackSettings) -> bool:
    """Stop the supervisor, or what one that was killed left behind; whether there was any."""
    state = running_stack(settings)
    if state is not None:
        say("Stopping the stack ...")
        if not Process(state.supervisor).stop(signal.SIGTERM, _STOP_SECONDS):
            raise StackError(f"The supervisor did not end: see {settings.logs}/supervisor.log")
    orphans = _orphans(settings)
    for part in reversed(orphans):
        process = part.live_process()
        if process is not None:
            say(f"Stopping {part.title}, left by a supervisor that was killed ...")
            process.stop(part.stop_signal)
    state_file(settings).unlink(missing_ok=True)
    return state is not None or bool(orphans)


def _orphans(settings: StackSettings) -> list[PartState]:
    """Parts that run although their supervisor is gone."""
    state = StackState.read(state_file(settings))
    if state is None or state.supervisor.is_alive():
        return []
    return [part for part in state.parts if part.live_process() is not None]


def _line(part: PartState) -> str:
    pid = part.process.pid if part.process else "-"
    restarts = f", restarted {counted(part.restarts, 'time')}" if part.restarts else ""
    age = _duration(time.time() - part.since)
    return (
        f"{part.title:<22} {part.condition:<13} {part.address:<24} "
        f"pid {pid}, for {age}{restarts}, log {_short(part.log)}"
    )


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {seconds:02} s"


def _short(path: str) -> str:
    here = Path.cwd()
    return str(Path(path).relative_to(here)) if Path(path).is_relative_to(here) else path
