"""`python -m local.standins.acled`: ACLED's API with made-up events, for a demo or a benchmark.

It prints the settings with which geoforge uses it, and serves until it is stopped.
"""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

from local.standins.acled.access import Account
from local.standins.acled.control import control
from local.standins.acled.server import Acled


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM."""
    options = _parser().parse_args(arguments)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    acled = Acled(
        options.events,
        seed=options.seed,
        at=options.at,
        account=Account(
            username=options.username,
            password=options.password,
            key=options.key,
            embargo_months=options.embargo_months,
        ),
        expires_in=options.expires_in,
        port=options.port,
    )
    acled.rate.requests = options.requests_per_minute
    acled.control = control(acled)
    with acled:
        print(f"# {len(acled.events)} events", flush=True)
        for name, value in acled.settings.items():
            print(f"{name}={value}", flush=True)
        print("# or, by the older scheme:", flush=True)
        for name, value in acled.key_settings.items():
            print(f"# {name}={value}", flush=True)
        stopped.wait()


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _parser() -> argparse.ArgumentParser:
    account = Account()
    parser = argparse.ArgumentParser(prog="python -m local.standins.acled", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--events", type=int, default=20_000, help="how many there are")
    parser.add_argument("--seed", type=int, default=1, help="makes them up")
    parser.add_argument("--at", type=_moment, help="moment at which its clock stands still")
    parser.add_argument("--username", default=account.username, help="of the account")
    parser.add_argument("--password", default=account.password, help="of the account")
    parser.add_argument("--key", default=account.key, help="of the account, in the older scheme")
    parser.add_argument("--expires-in", type=int, default=86_400, help="seconds of a token")
    parser.add_argument("--embargo-months", type=int, help="how old events must be to be seen")
    parser.add_argument("--requests-per-minute", type=int, help="default: as many as come")
    return parser


if __name__ == "__main__":
    main()
