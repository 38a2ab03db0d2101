"""Have the child make a COG, prove it, and tell how far it is."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from infrastructure.sandbox import Sandbox
from services.raster import children
from services.raster.model import CogPlan, Encoded, Verification
from services.raster.parameters import RasterOptions

_ENCODE = "services.raster.child.encoding:encode"
_VERIFY = "services.raster.child.verifying:verify"

# Each thread holds a tile as it was and as it becomes; more than a few only wait for the disk.
_MOST_THREADS = 4


class Progress(Protocol):
    """Takes what is known of the progress, by name."""

    def __call__(self, **facts: int) -> None: ...


def make_cog(
    child: Sandbox,
    source: Path,
    target: Path,
    plan: CogPlan,
    parameters: RasterOptions,
    *,
    check: Callable[[], None],
    progress: Progress,
) -> tuple[Encoded, Verification | None]:
    """Make the COG of `source` at `target`, and compare it with the source unless told not to.

    `progress` is given `bytes_written` as the file grows. Raises `PermanentTaskError`
    (cog_failed, verification_failed, and what `children.call` raises) and `TransientTaskError`;
    then there is no file at `target`.
    """
    written = Written(target, check, progress)
    arguments = {
        "source": str(source),
        "target": str(target),
        "plan": plan.model_dump(mode="json"),
        "memory_mb": parameters.memory_mb,
        "threads": threads(),
        "statistics": parameters.verify,
    }
    try:
        made = children.call(child, _ENCODE, arguments, check=written, what=source.name)
        written()
        encoded = Encoded.model_validate(made)
        if not parameters.verify:
            return encoded, None
        return encoded, verify(
            child, source, target, plan, memory_mb=parameters.memory_mb, check=check
        )
    except BaseException:
        for left in (target, *_beside(target)):
            left.unlink(missing_ok=True)
        raise


def verify(
    child: Sandbox,
    source: Path,
    target: Path,
    plan: CogPlan,
    *,
    memory_mb: int,
    check: Callable[[], None],
) -> Verification:
    """Compare the COG at `target` with its source, pixel by pixel, and write its statistics.

    Raises `PermanentTaskError` with the code verification_failed where they differ.
    """
    arguments = {
        "source": str(source),
        "target": str(target),
        "plan": plan.model_dump(mode="json"),
        "memory_mb": memory_mb,
    }
    found = children.call(child, _VERIFY, arguments, check=check, what=source.name)
    return Verification.model_validate(found)


def threads() -> int:
    """How many threads compress the tiles of one raster."""
    return min(_MOST_THREADS, os.cpu_count() or 1)


def bytes_of(file: Path) -> int:
    """How large a file is that the child writes, or removes, at this moment; 0 where there is
    none."""
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


class Written:
    """A check that tells how many bytes there are, when their number has changed."""

    def __init__(self, target: Path, check: Callable[[], None], progress: Progress) -> None:
        self._files = (target, *_beside(target))
        self._check = check
        self._progress = progress
        self._told = 0

    def __call__(self) -> None:
        self._check()
        written = sum(map(bytes_of, self._files))
        if written > self._told:
            self._told = written
            self._progress(bytes_written=written)


def _beside(target: Path) -> tuple[Path, ...]:
    """What there is while a COG is made: the pixels of a warp, and the overviews that GDAL's COG
    driver collects before it writes them. (The child's own, were it killed, stay to be removed.)"""
    return tuple(target.with_name(f"{target.name}.{end}") for end in ("warped.tmp", "ovr.tmp"))
