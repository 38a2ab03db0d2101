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
from local.functions_host.logs import configure_logging
from local.functions_host.settings import (
    HostSettings,
    SettingsError,
    apply_local_settings,
    load_host_settings,
)
from local.functions_host.worker import AppLoadError, Worker
from local.task_hub.database import HubNameMismatch

log = logging.getLogger("local.functions_host")

EXIT_PORT_TAKEN = 2
EXIT_APP_ERROR = 3
_DEFAULT_THREADS = 32


def main() -> int:
    """Run the host until SIGTERM or SIGINT. Exit code 2: port taken; 3: the app cannot run."""
    options = _parse_arguments()
    configure_logging()
    try:
        apply_local_settings(options.app_dir, os.environ)
        settings = load_host_settings(options.app_dir)
        os.chdir(options.app_dir)
        worker = Worker.load(
            options.app_dir,
            threads=int(os.environ.get("PYTHON_THREADPOOL_THREAD_COUNT") or _DEFAULT_THREADS),
            timeout=settings.function_timeout_seconds,
        )
        code = asyncio.run(_serve(options, settings, worker))
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
    # Threads of functions that do not end would hold the interpreter's exit.
    sys.stderr.flush()
    os._exit(code)


async def _serve(options: HostOptions, settings: HostSettings, worker: Worker) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    host = FunctionsHost(options, settings, worker, os.environ)
    starting = asyncio.create_task(host.start())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if starting.done():
        await starting
        log.info("ready on http://%s:%d", options.host, options.port)
        await stopping
    else:
        starting.cancel()
    log.info("stopping")
    await host.stop()
    log.info("stopped")
    return 0


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
    sys.exit(main())
