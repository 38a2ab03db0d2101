"""`python -m local.standins.ibat`: IBAT with made-up data, for a demo or for trying things out.

It prints the settings with which geoforge uses it, and serves until it is stopped.
"""

from __future__ import annotations

import argparse
import signal
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from local.standins.archives import Form
from local.standins.ibat.control import control
from local.standins.ibat.library import DATASETS, Library
from local.standins.ibat.server import Ibat
from local.standins.key_biodiversity_areas import KeyBiodiversityAreas
from local.standins.protected_area_columns import Columns
from local.standins.protected_areas import ProtectedAreas


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM."""
    options = _parser().parse_args(arguments)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with ExitStack() as stack:
        folder = options.folder
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ibat-")))
        library = Library(
            folder,
            ProtectedAreas(options.polygons, options.points, first=options.version),
            KeyBiodiversityAreas(options.kbas, first=options.version),
            Form(options.form),
            Columns(options.columns),
        )
        ibat = Ibat(
            key=options.key,
            token=options.token,
            port=options.port,
            download_port=options.download_port,
            link_seconds=options.link_seconds,
        )
        ibat.control = control(ibat, library)
        for name in DATASETS:
            update_date = library.offer(ibat, name, options.release)
            print(f"# {name}: {update_date}", flush=True)
        stack.enter_context(ibat)
        for name, value in ibat.settings.items():
            print(f"{name}={value}", flush=True)
        stopped.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.standins.ibat", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port of IBAT; default: a free one")
    parser.add_argument("--download-port", type=int, default=0, help="port of the downloads")
    parser.add_argument("--key", default="standin-key", help="the key that it takes")
    parser.add_argument("--token", default="standin-token", help="the token that it takes")
    parser.add_argument("--link-seconds", type=float, default=3600.0, help="life of an address")
    parser.add_argument("--version", default="May 2023", help="month of release 1")
    parser.add_argument("--release", type=int, default=1, help="release to begin with")
    parser.add_argument("--polygons", type=int, default=2000, help="protected areas, polygons")
    parser.add_argument("--points", type=int, default=150, help="protected areas, points")
    parser.add_argument("--kbas", type=int, default=1600, help="Key Biodiversity Areas")
    parser.add_argument(
        "--form", default="gdb", choices=[str(form) for form in Form], help="format of the archives"
    )
    parser.add_argument(
        "--columns",
        default=Columns.SINCE_2025.value,
        choices=[columns.value for columns in Columns],
        help="columns of the protected areas",
    )
    parser.add_argument("--folder", type=Path, help="where archives are kept; default: nowhere")
    return parser


if __name__ == "__main__":
    main()
