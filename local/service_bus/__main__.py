"""`python -m local.service_bus`: runs the endpoint until SIGTERM or SIGINT.

SIGUSR1 writes the depth of every queue to the log.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from local.service_bus.config import AccessKey, ConfigError, QueueSpec
from local.service_bus.journal import JournalError
from local.service_bus.server import Server

logger = logging.getLogger("local.service_bus")

_FAILED = 1
_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the endpoint; gives the exit code: 0 stopped, 1 failed, 2 could not start."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(
        level=options.log_level.upper(),
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    try:
        queues = [QueueSpec.parse(text) for text in options.queue]
        if len({queue.name for queue in queues}) < len(queues):
            raise ConfigError("a queue is named twice (names are not case-sensitive)")
    except ConfigError as error:
        return _complain(str(error), _USAGE)
    return asyncio.run(_serve(options, queues))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local.service_bus",
        description="A Service Bus endpoint for one machine, with its state on disk.",
        epilog="Clients sign with the key in GEOFORGE_SERVICE_BUS_KEY_NAME and "
        "GEOFORGE_SERVICE_BUS_KEY (RootManageSharedAccessKey and SAS_KEY_VALUE where unset).",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=5672, help="port to listen on (%(default)s)")
    parser.add_argument(
        "--data-dir", type=Path, required=True, metavar="DIR", help="directory of the messages"
    )
    parser.add_argument(
        "--queue",
        action="append",
        required=True,
        metavar="NAME[:KEY=VALUE,...]",
        help="a queue, with lock_seconds (60), max_delivery_count (10), ttl_seconds (none), "
        "dead_letter_on_expiration (true), requires_session (false), max_message_kb (256); "
        "may be given several times",
    )
    parser.add_argument(
        "--synchronous",
        choices=["normal", "full"],
        default="normal",
        help="normal: acknowledged messages survive kill -9; full: a power cut too (%(default)s)",
    )
    parser.add_argument(
        "--log-level",
        choices=["debug", "info", "warning", "error"],
        default="info",
        help="least severe entries of the log (%(default)s)",
    )
    return parser


async def _serve(options: argparse.Namespace, queues: Sequence[QueueSpec]) -> int:
    loop = asyncio.get_running_loop()
    try:
        server = Server(
            queues,
            options.data_dir,
            AccessKey.from_environment(),
            synchronous=options.synchronous,
        )
    except JournalError as error:
        return _complain(str(error), _USAGE)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    loop.add_signal_handler(signal.SIGUSR1, server.log_depths)
    try:
        port = await server.start(options.host, options.port)
    except (OSError, OverflowError) as error:
        await server.close()
        return _complain(f"cannot listen on {options.host}:{options.port}: {_why(error)}", _USAGE)
    server.log_depths()
    logger.info("ready on %s:%d", options.host, port)
    try:
        await server.run()
    except JournalError as error:
        return _complain(str(error), _FAILED)
    logger.info("stopped")
    return 0


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        if error.errno == errno.EADDRINUSE:
            return "the port is taken by another process"
        if error.errno > 0:
            return os.strerror(error.errno)
    return str(error)


def _complain(text: str, code: int) -> int:
    print(f"local.service_bus: {text}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
