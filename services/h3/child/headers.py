"""In the child: what a raster says of itself, read without its pixels."""

from __future__ import annotations

from typing import BinaryIO

from core.job_definition import JsonObject
from services.raster.child.facts import read_facts
from services.raster.child.opening import open_ranges


def header(size: int, name: str, raster: BinaryIO) -> JsonObject:
    """The `Facts` of a raster that the parent reads in ranges. Raises `UnreadableRaster`."""
    file_name = name.rsplit("/", 1)[-1] or "raster"
    with open_ranges(raster, file_name, size) as dataset:
        return read_facts(dataset, size).model_dump(mode="json")
