"""Encode a strip of a raster, in the sandboxed child: a COG without overviews.

GDAL's COG driver makes it, with the very options of the whole raster's: so a strip's tiles are
those that a single pass makes of the same rows.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.raster.child.encoding import bounded, creation_options, write_cog
from services.raster.child.outlines import Outline, Piece
from services.raster.child.wrapping import wrapped
from services.raster.model import CogPlan


def encode_strip(
    source: str,
    target: str,
    plan: dict[str, Any],
    first: int,
    rows: int,
    memory_mb: int,
    threads: int,
) -> dict[str, Any]:
    """Write rows of the COG of `source` to `target`. Returns {bytes, seconds}.

    `first` is a row of the COG where a tile begins. Raises `PermanentTaskError` with the code
    `cog_failed` where GDAL cannot make it, and what `wrapped` raises.
    """
    began = time.monotonic()
    cog_plan = CogPlan.model_validate(plan)
    with bounded(memory_mb, threads), wrapped(source, cog_plan) as whole:
        options = creation_options(cog_plan, whole.width, whole.height, threads)
        with Outline(whole).opened(whole.width, rows, Piece(whole.name, 0, rows, first)) as strip:
            write_cog(strip, target, without_overviews(options))
    return {"bytes": Path(target).stat().st_size, "seconds": time.monotonic() - began}


def without_overviews(options: Mapping[str, str]) -> dict[str, str]:
    """The COG driver's options for a file that has the full image only."""
    kept = {key: value for key, value in options.items() if not key.startswith("OVERVIEW")}
    return {**kept, "OVERVIEWS": "NONE"}
