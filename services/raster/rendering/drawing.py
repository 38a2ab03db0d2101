"""Pictures of a COG on this machine, before it is published: its thumbnail and its preview."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from infrastructure.sandbox import Sandbox
from services.raster import children
from services.raster.model import RasterModel
from services.raster.rendering.model import RenderStyle


class Picture(RasterModel):
    """A PNG that was drawn: its size in pixels, and of its file."""

    width: int
    height: int
    bytes: int


def draw(
    child: Sandbox,
    cog: Path,
    target: Path,
    style: RenderStyle,
    size: int,
    *,
    check: Callable[[], None],
) -> Picture:
    """Draw the COG into the PNG file `target`, its longer side of at most `size` pixels.

    Raises `PermanentTaskError` where the child cannot draw it.
    """
    png: list[bytes] = []
    drawn = children.call(
        child,
        "services.raster.child.rendering:image",
        {"path": str(cog), "style": style.model_dump(mode="json"), "size": size},
        check=check,
        what=cog.name,
        sinks={"image": png.append},
    )
    target.write_bytes(b"".join(png))
    return Picture.model_validate(drawn)
