"""Stages encode_windows and create_cog: the COG of one raster, verified, described and drawn.

All that is made goes into the job's workspace; nothing of it can be seen from outside.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config import get_settings
from core.errors import TransientTaskError
from core.job_definition import JsonObject, TaskContext
from infrastructure.blob_download import download
from infrastructure.blob_lookup import BlobVersion, head
from infrastructure.blob_upload import sha256_of, upload_file
from infrastructure.sandbox import Sandbox
from services.raster import children, encoding, files, items, room, sources, windows
from services.raster.description import Description
from services.raster.files import Image, Made, RasterFile, Settled, Stored
from services.raster.model import Encoded, Facts, Verification
from services.raster.parameters import RasterOptions
from services.raster.rendering import drawing, styles
from services.raster.rendering.model import RenderStyle
from services.vector.source_files import LocalSource

_THUMBNAIL_PIXELS = 256
_PREVIEW_PIXELS = 1024
_SCRATCH = "made-"

# Of a job of either kind, whose parameters are `RasterOptions`.
Context = TaskContext[Any]


@dataclass(frozen=True, slots=True)
class _Desk:
    """Where one task works: the raster on this machine, a child that reaches it, and a folder
    for what it makes."""

    file: RasterFile
    facts: Facts
    settled: Settled
    copy: LocalSource
    source: Path
    child: Sandbox
    folder: Path


def encode_strip(context: Context) -> JsonObject:
    """Encode one strip of a large raster. Returns {file, strip, bytes}."""
    strip: int = context.task["strip"]
    with _desk(context) as desk:
        target = desk.folder / "strip.tif"
        rows = desk.settled.strips[strip]
        sources.make_room(desk.copy, room.for_strip(desk.facts, desk.settled, rows[1]))
        windows.encode_strip(
            desk.child,
            desk.source,
            target,
            desk.settled.plan,
            rows,
            context.parameters.memory_mb,
            check=context.check,
        )
        blob = _upload(context, target, _strip_name(desk.file.index, strip), items.COG)
    return {"file": desk.file.index, "strip": strip, "bytes": blob.size}


def create_cog(context: Context) -> JsonObject:
    """Make the COG of one raster, its thumbnail and its preview.

    Returns {file, name, bytes_in, bytes_out, seconds, sha256}. Raises `PermanentTaskError`
    where the COG is not what it must be.
    """
    with _desk(context) as desk:
        target = desk.folder / "cog.tif"
        encoded, verification = _encoded(context, desk, target)
        made = _described(context, desk, target, encoded, verification)
    files.keep(context.workspace, desk.file.index, made)
    return {
        "file": desk.file.index,
        "name": desk.file.name,
        "bytes_in": desk.file.ref.size,
        "bytes_out": made.cog.bytes,
        "seconds": round(encoded.seconds, 3),
        "sha256": made.sha256,
    }


@contextmanager
def _desk(context: Context) -> Iterator[_Desk]:
    file = files.read_file(context.workspace, context.task["file"])
    facts = files.survey(context.workspace, file.index).facts
    settled = files.settled(context.workspace, file.index)
    with (
        room.told(file.name),
        sources.local_copy(file.ref, check=context.check, progress=context.progress) as source,
        # Inside of the cache's entry, where the child may write, and which goes with it.
        source.entry.scratch(_SCRATCH) as folder,
        children.child_of(
            context.job_id, source, context.check, memory_mb=context.parameters.memory_mb
        ) as child,
    ):
        path = sources.raster_path(source, child, context.check)
        yield _Desk(file, facts, settled, source, path, child, folder)


def _encoded(context: Context, desk: _Desk, target: Path) -> tuple[Encoded, Verification | None]:
    parameters: RasterOptions = context.parameters
    plan = desk.settled.plan
    if not desk.settled.strips:
        sources.make_room(desk.copy, room.for_cog(desk.facts, desk.settled))
        return encoding.make_cog(
            desk.child,
            desk.source,
            target,
            plan,
            parameters,
            check=context.check,
            progress=context.progress,
        )
    encoded = windows.assemble(
        desk.child,
        desk.source,
        _fetched_strips(context, desk),
        target,
        plan,
        parameters.memory_mb,
        statistics=parameters.verify,
        check=context.check,
        progress=context.progress,
    )
    if not parameters.verify:
        return encoded, None
    return encoded, encoding.verify(
        desk.child,
        desk.source,
        target,
        plan,
        memory_mb=parameters.memory_mb,
        check=context.check,
    )


def _fetched_strips(context: Context, desk: _Desk) -> Sequence[Path]:
    """The strips that the stage before has made, on this machine."""
    container = get_settings().work_container
    versions = []
    for strip in range(len(desk.settled.strips)):
        name = _blob_name(context.job_id, _strip_name(desk.file.index, strip))
        version = head(container, name)
        if version is None:
            raise TransientTaskError(
                f"{desk.file.name}: strip {strip} is not in the job's files.", code="strip_missing"
            )
        versions.append(version)
    sources.make_room(desk.copy, room.for_assembly(sum(each.size for each in versions)))
    found = []
    for strip, version in enumerate(versions):
        local = desk.folder / f"strip-{strip}.tif"
        download(version, local, check=context.check, arrived=lambda _: None)
        found.append(local)
    return found


def _described(
    context: Context,
    desk: _Desk,
    cog: Path,
    encoded: Encoded,
    verification: Verification | None,
) -> Made:
    survey = files.survey(context.workspace, desk.file.index)
    plan = desk.settled.plan
    style = styles.style_for(plan.type, plan.subtype, survey.statistics, survey.facts)
    return finished(
        context, desk.child, cog, (desk.file.index, desk.file.name), encoded, verification, style
    )


def finished(
    context: Context,
    child: Sandbox,
    cog: Path,
    which: tuple[int, str],
    encoded: Encoded,
    verification: Verification | None,
    style: RenderStyle,
) -> Made:
    """Describe and draw a COG, and store it with its pictures among the job's files.

    `which` is its number and its name; the pictures are drawn beside the COG, where the child may
    write. Raises what `children.call` raises.
    """
    index, name = which
    description = Description.model_validate(
        children.call(
            child,
            "services.raster.child.describing:describe",
            {"path": str(cog), "memory_mb": context.parameters.memory_mb},
            check=context.check,
            what=name,
        )
    )
    # Of this attempt: a late one writes over nothing that another has proved.
    folder = f"{files.folder(index)}/{context.attempt}"
    images = {}
    for picture, size in (("thumbnail", _THUMBNAIL_PIXELS), ("preview", _PREVIEW_PIXELS)):
        png = cog.with_name(f"{picture}.png")
        drawn = drawing.draw(child, cog, png, style, size, check=context.check)
        stored = _stored(context, png, f"{folder}/{picture}.png", items.PNG)
        images[picture] = Image(
            **stored.model_dump(mode="json"), width=drawn.width, height=drawn.height
        )
    return Made(
        index=index,
        cog=_stored(context, cog, f"{folder}/cog.tif", items.COG),
        sha256=sha256_of(cog, check=context.check),
        encoded=encoded,
        verification=verification,
        description=description,
        style=style,
        thumbnail=images["thumbnail"],
        preview=images["preview"],
    )


def _stored(context: Context, file: Path, name: str, content_type: str) -> Stored:
    blob = _upload(context, file, name, content_type)
    return Stored(path=name, etag=blob.etag, bytes=blob.size)


def _upload(context: Context, file: Path, name: str, content_type: str) -> BlobVersion:
    return upload_file(
        file,
        get_settings().work_container,
        _blob_name(context.job_id, name),
        content_type=content_type,
        check=context.check,
    )


def _strip_name(index: int, strip: int) -> str:
    return f"{files.folder(index)}/strips/{strip}.tif"


def _blob_name(job_id: str, name: str) -> str:
    return f"work/{job_id}/{name}"
