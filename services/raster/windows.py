"""Large rasters: encoded in strips by many tasks, and put together without encoding them anew.

A strip is some rows of the COG, as many as make whole tiles. The result is that of a single pass,
pixel by pixel, in the full image and in every overview; see docs/raster-windows.md.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from core.job_definition import JsonObject
from infrastructure.sandbox import Sandbox
from services.raster import children
from services.raster.encoding import Progress, bytes_of, threads
from services.raster.model import CogPlan, Encoded, Facts, Nodata

Check = Callable[[], None]

_ENCODE_STRIP = "services.raster.child.windows:encode_strip"
_ASSEMBLE = "services.raster.child.assembling:assemble"

_GIGABYTE = 1_000_000_000
# Strips of a raster that is just too large for one pass: as many as workers have use for.
_STRIPS_IN_A_WINDOW = 4


def split(
    facts: Facts, plan: CogPlan, window_gb: float, grid: tuple[int, int]
) -> list[tuple[int, int]]:
    """The strips in which the COG of a raster is encoded: (first row, rows) of each.

    None for one that takes a single pass: of at most `window_gb` decoded gigabytes, with a mask
    beside its bands, or of complex values, whose overviews GDAL computes otherwise. `grid` is the
    (width, height) of the COG, in pixels.
    """
    width, height = grid
    row_bytes = _pixel_bytes(facts) * width
    masked = plan.nodata is Nodata.MASK or facts.mask == "dataset"
    is_complex = any(band.dtype.startswith("complex") for band in facts.bands)
    if masked or is_complex or row_bytes * height <= window_gb * _GIGABYTE:
        return []
    wanted = window_gb * _GIGABYTE / _STRIPS_IN_A_WINDOW
    rows = max(1, int(wanted // (row_bytes * plan.block_size))) * plan.block_size
    strips = [(first, min(rows, height - first)) for first in range(0, height, rows)]
    return strips if len(strips) > 1 else []


def encode_strip(
    sandbox: Sandbox,
    source: Path,
    target: Path,
    plan: CogPlan,
    rows: tuple[int, int],
    memory_mb: int,
    *,
    check: Check,
) -> JsonObject:
    """Encode one strip of `source`, as `split` has named it. Returns {bytes, seconds}.

    Raises `PermanentTaskError` and `TransientTaskError`, as `children.call` does.
    """
    first, count = rows
    arguments = {"first": first, "rows": count, **_arguments(source, target, plan, memory_mb)}
    answer: JsonObject = children.call(
        sandbox, _ENCODE_STRIP, arguments, check=check, what=source.name
    )
    return answer


def assemble(
    sandbox: Sandbox,
    source: Path,
    strips: Sequence[Path],
    target: Path,
    plan: CogPlan,
    memory_mb: int,
    *,
    check: Check,
    progress: Progress,
    statistics: bool = False,
) -> Encoded:
    """Put the COG of `source` together of all its strips, which are removed on the way.

    `progress` is given `bytes_written` as files grow. With `statistics` the COG has places for
    them, for `encoding.verify` to fill. Beside the target there is, for as long as this runs, a
    folder with the raster's overviews: a quarter of the decoded raster, packed, and the encoded
    overviews. Raises `PermanentTaskError` (strips_do_not_fit, cog_failed, and what
    `children.call` raises) and `TransientTaskError`; then there is no file at `target`.
    """
    folder = target.with_name(f"{target.name}.overviews")
    folder.mkdir()

    def look() -> None:
        check()
        progress(bytes_written=bytes_of(target) + sum(map(bytes_of, folder.glob("*"))))

    arguments = {
        "strips": [str(strip) for strip in strips],
        "folder": str(folder),
        "statistics": statistics,
        **_arguments(source, target, plan, memory_mb),
    }
    try:
        answer = children.call(sandbox, _ASSEMBLE, arguments, check=look, what=source.name)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    finally:
        shutil.rmtree(folder)
    return Encoded.model_validate(answer)


def _arguments(source: Path, target: Path, plan: CogPlan, memory_mb: int) -> dict[str, Any]:
    return {
        "source": str(source),
        "target": str(target),
        "plan": plan.model_dump(mode="json"),
        "memory_mb": memory_mb,
        "threads": threads(),
    }


def _pixel_bytes(facts: Facts) -> float:
    """Bytes of one pixel of all bands."""
    return facts.decoded_bytes / (facts.width * facts.height)
