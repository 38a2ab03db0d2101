"""`python -m local.stack`: the commands behind `make up`, `make down` and the others."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from local.stack import commands
from local.stack.assembly import NAMES
from local.stack.errors import StackError
from local.stack.settings import StackSettings
from local.stack.supervisor import supervise


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.stack", description=__doc__)
    command = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    names = ", ".join(NAMES)

    up = command.add_parser("up", help="start the stack and wait until it serves")
    up.add_argument("parts", nargs="*", metavar="PART", help=f"only these: {names}")
    command.add_parser("demo", help="start the stack, ingest a collection, show what came of it")
    command.add_parser("down", help="stop the stack; its data stays on disk")
    command.add_parser("erase", help="stop the stack and delete all that it holds")
    command.add_parser("status", help="show each part; exit code 1 unless every one serves")
    logs = command.add_parser("logs", help="show the last lines of the logs")
    logs.add_argument("parts", nargs="*", metavar="PART", help=f"{names}, supervisor, migrate")
    logs.add_argument("-n", "--lines", type=int, default=20, help="of each log; default 20")
    logs.add_argument("-f", "--follow", action="store_true", help="go on until interrupted")
    command.add_parser("env", help="print KEY=VALUE lines of the running stack")
    supervise = command.add_parser("supervise", help="keep the parts running, in the foreground")
    supervise.add_argument("parts", nargs="+", metavar="PART")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    chosen = _parser().parse_args(arguments)
    try:
        settings = StackSettings.load()
        match chosen.command:
            case "up":
                commands.up(settings, chosen.parts)
            case "demo":
                # Here, because the other commands need none of what it imports.
                from local.demo import run

                run.run(settings)
            case "down":
                commands.down(settings)
            case "erase":
                commands.erase(settings)
            case "status":
                return 0 if commands.status(settings) else 1
            case "logs":
                commands.logs(settings, chosen.parts, chosen.lines, chosen.follow)
            case "env":
                for key, text in commands.environment(settings).items():
                    print(f"{key}={text}")
            case "supervise":
                supervise(settings, chosen.parts)
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
