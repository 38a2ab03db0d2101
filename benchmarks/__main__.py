"""`python -m benchmarks`, which `make bench` calls: measure, print, and write what was measured."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import FrameType
from urllib.parse import urlsplit

from benchmarks import events, facts, report
from benchmarks.rounds import CONTENDERS, Plan, Rounds
from benchmarks.stack import DIRECTORY, running_stack
from local.stack.errors import StackError
from local.stack.settings import CHECKOUT
from local.standins.acled.server import Acled
from local.standins.ibat.server import Ibat


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark.

    Returns:
        0 where everything was measured, whatever the figures say; 1 where something could not be.
    """
    plan = _plan(arguments)
    # As an interrupt does it: what was started is stopped.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with (
            Ibat() as ibat,
            Acled(plan.events if "events" in plan.contenders else 0) as acled,
            running_stack(_settings(ibat, acled)) as stack,
        ):
            found = facts.gather(stack)
            results = Rounds(stack, ibat, acled, plan, _say).measure()
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    file = DIRECTORY / f"{datetime.now(UTC):%Y-%m-%dT%H%M%SZ}.json"
    report.write(results, found, file)
    _say(f"\n{report.text(results, found)}\n\nEvery run: {file.relative_to(CHECKOUT)}")
    return 1 if results.failures else 0


def _plan(arguments: Sequence[str] | None) -> Plan:
    default = Plan()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only",
        nargs="+",
        choices=CONTENDERS,
        default=default.contenders,
        help="measure only these",
    )
    parser.add_argument(
        "--sizes",
        type=_sizes,
        metavar="N,N,...",
        help="tasks of geoforge's jobs; default: " + ",".join(map(str, default.sizes)),
    )
    parser.add_argument(
        "--rounds", type=int, metavar="N", help=f"default: {default.rounds}; the median counts"
    )
    parser.add_argument("--quick", action="store_true", help="small and once: does everything run?")
    options = parser.parse_args(arguments)
    plan = default.quick() if options.quick else default
    given = {
        name: value
        for name, value in {"sizes": options.sizes, "rounds": options.rounds}.items()
        if value is not None
    }
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds must be at least 1")
    return replace(plan, contenders=tuple(options.only), **given)


def _settings(ibat: Ibat, acled: Acled) -> dict[str, str]:
    """What lets the app use the stand-ins, which are on this machine."""
    hosts = {urlsplit(url).hostname or "" for url in (ibat.url, acled.url)}
    return {
        **ibat.settings,
        **acled.settings,
        **events.SETTINGS,
        "GEOFORGE_ALLOWED_HOSTS": ",".join(sorted(hosts)),
    }


def _sizes(text: str) -> tuple[int, ...]:
    sizes = tuple(sorted({int(size) for size in text.split(",")}))
    if sizes[0] < 1:
        raise argparse.ArgumentTypeError("a job must have a task at least")
    return sizes


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _say(line: str) -> None:
    """Print a line at once: standard output may be a pipe or a file."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
