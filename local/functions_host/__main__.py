"""Command line of the local Functions host."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from local.functions_host.host import FunctionsHost, HostOptions, StateInUse
from local.functions_host.http_server import PortTaken
from local.functions_host.keys import Keys
from local.functions_host.logs import configure_logging
from local.functions_host.settings import (
    HostSettings,
    SettingsError,
    apply_local_settings,
    is_disabled,
    load_host_settings,
    thread_count,
)
from local.functions_host.worker import AppLoadError, Worker
from local.task_hub.database import HubNameMismatch

log = logging.getLogger("local.functions_host")

EXIT_PORT_TAKEN = 2
EXIT_APP_ERROR = 3


def main() -> int:
    """Run the host until SIGTERM or SIGINT. Exit code 2: port taken; 3: the app cannot run."""
    options = _parse_arguments()
    configure_logging()
    try:
        apply_local_settings(options.app_dir, os.environ)
        settings = load_host_settings(options.app_dir)
        Keys.load_or_create(options.state_dir).tell_app(os.environ)
        os.chdir(options.app_dir)
        worker = Worker.load(
            options.app_dir,
            threads=thread_count(os.environ),
            timeout=settings.function_timeout_seconds,
            disabled=lambda name: is_disabled(name, os.environ),
        )
        asyncio.run(_serve(options, settings, worker))
    except AppLoadError as error:
        if error.details:
            log.debug("%s", error.details)
        log.error("the app cannot be loaded: %s", error)
        return EXIT_APP_ERROR
    except (SettingsError, HubNameMismatch) as error:
        log.error("the app cannot run: %s", error)
        return EXIT_APP_ERROR
    except (PortTaken, StateInUse) as error:
        log.error("%s", error)
        return EXIT_PORT_TAKEN
    return 0


async def _serve(options: HostOptions, settings: HostSettings, worker: Worker) -> None:
    """Run the host until a signal. Whatever ends it, it is stopped in good order."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    host = FunctionsHost(options, settings, worker, os.environ)
    starting = asyncio.create_task(host.start())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            await starting
            log.info("ready on http://%s:%d", options.host, options.port)
            await stopping
        log.info("stopping")
    finally:
        starting.cancel()
        stopping.cancel()
        await asyncio.gather(starting, stopping, return_exceptions=True)
        await host.stop()
    log.info("stopped")


def _parse_arguments() -> HostOptions:
    parser = argparse.ArgumentParser(
        prog="python -m local.functions_host",
        description="Run a Python function app on this machine.",
    )
    parser.add_argument("--app", type=Path, default=Path(), help="directory of function_app.py")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=7071, help="port to listen on")
    parser.add_argument(
        "--state", type=Path, default=Path(".local/host"), help="directory of the host's own state"
    )
    arguments = parser.parse_args()
    return HostOptions(
        app_dir=arguments.app.resolve(),
        state_dir=arguments.state.resolve(),
        host=arguments.host,
        port=arguments.port,
    )


if __name__ == "__main__":
    code = main()
    # Threads of functions that do not end would hold the interpreter's own exit.
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)
