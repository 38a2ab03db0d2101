"""Stage inventory: which files a collection is made of, each pinned in its present version."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from config import get_settings
from core.counting import counted
from core.errors import NotFound, PermanentTaskError
from core.job_definition import JsonObject, TaskContext
from infrastructure import blob_lookup, blob_storage
from infrastructure.blob_lookup import BlobVersion
from infrastructure.job_progress_contexts import RasterCollectionTracker
from services import previews
from services.raster import files, refusals, sidecars
from services.raster.files import RasterFile
from services.raster.item_ids import item_ids, shared
from services.raster.parameters import ProcessRasterCollection
from services.raster.refusals import Refused
from services.raster.selecting import Selected, Selection, Skip, select, sidecar_names
from services.raster.validating import item_id_of
from services.vector import source_files
from services.vector.source_files import SourceRef

Context = TaskContext[ProcessRasterCollection]
Check = Callable[[], None]

STAGE = "inventory"

MAX_FILES = 100_000
_MAX_BLOBS = 1_000_000
_CHECK_EVERY = 1000
_PREVIEW_SECONDS = 20.0
_PREVIEWED = 20

_SAID: dict[Skip, str] = {
    Skip.NOT_A_RASTER: "have names of no raster format",
    Skip.SIDECAR: "belong to rasters that are not there",
    Skip.PREVIEW: "are pictures of other rasters",
    Skip.HIDDEN: "are hidden",
    Skip.OWN_OUTPUT: "were made by an earlier run",
}


def list_files(context: Context) -> JsonObject:
    """Find the files of the collection and keep the list in the workspace.

    Returns {files, refused, refusals, bytes, skipped, skipped_examples}: `files` go on to be
    validated, `refused` were named but cannot be (their list is the file `refusals` of the
    workspace), `skipped` says how many blobs were passed over, and why. Raises
    `PermanentTaskError` where nothing is left to be validated.
    """
    listing = _look(
        context.parameters,
        context.check,
        lambda count: context.progress(blobs_listed=count),
    )
    context.check()
    name = f"listing/{context.attempt}.ndjson"
    files.write_files(context.workspace, listing.files)
    refusals.write(context.workspace, name, listing.refused)
    progress = RasterCollectionTracker(context.job_id)
    progress.begin(listing.total)
    progress.refused(STAGE, files=len(listing.refused))
    return {**listing.as_json(), "refused": len(listing.refused), "refusals": name}


def preview(parameters: ProcessRasterCollection) -> JsonObject:
    """What a job would find, for a dry run: {listed, files, bytes, refused, skipped,
    skipped_examples, first}. Nothing is written, and no file is opened.

    Raises what `list_files` raises.
    """
    check = previews.deadline(f"{_where(parameters)} cannot be listed", _PREVIEW_SECONDS)
    listing = _look(parameters, check, lambda _: None)
    return {
        "listed": True,
        **listing.as_json(),
        "refused": [each.model_dump(mode="json") for each in listing.refused[:_PREVIEWED]],
        "first": [
            {"path": each.name, "item_id": each.item_id, "bytes": each.ref.size}
            for each in listing.files[:_PREVIEWED]
        ],
    }


@dataclass(frozen=True, slots=True)
class _Listing:
    """The files of a collection, and what was left out of it."""

    files: list[RasterFile]
    refused: list[Refused]
    selection: Selection

    @property
    def total(self) -> int:
        return len(self.files) + len(self.refused)

    def as_json(self) -> JsonObject:
        return {
            "files": len(self.files),
            "bytes": sum(each.ref.size for each in self.files),
            "skipped": {
                reason.value: count for reason, count in sorted(self.selection.skipped.items())
            },
            "skipped_examples": [
                {"path": path, "reason": reason.value} for path, reason in self.selection.examples
            ],
        }


def _look(
    parameters: ProcessRasterCollection, check: Check, progress: Callable[[int], None]
) -> _Listing:
    try:
        selection = _selection(parameters, check, progress)
    except NotFound as error:
        raise PermanentTaskError(error.message, code=error.error_code) from error
    if len(selection.rasters) > MAX_FILES:
        raise PermanentTaskError(
            f"{_where(parameters)}: there are {len(selection.rasters):,} rasters, more than the "
            f"{MAX_FILES:,} that one job takes. Give a longer prefix.",
            code="too_many_files",
        )
    found, refused = _pinned(selection.rasters)
    present = {each.raster.path for each in selection.rasters}
    refused += [_missing(parameters, name) for name in _names(parameters) if name not in present]
    if not found:
        raise _nothing(parameters, selection, refused)
    return _Listing(found, refused, selection)


def _selection(
    parameters: ProcessRasterCollection, check: Check, progress: Callable[[int], None]
) -> Selection:
    container = parameters.container_name
    if parameters.prefix is not None:
        blobs = _listed(container, parameters.prefix, check, progress)
        return select(blobs, own=_made_before(parameters))
    names = frozenset(parameters.blob_names)
    wanted = names.union(*(sidecar_names(name) for name in names))
    found = blob_lookup.find(container, wanted, check=check)
    return select(found.values(), named=names)


def _listed(
    container: str, prefix: str, check: Check, progress: Callable[[int], None]
) -> Iterator[BlobVersion]:
    with blob_storage.faults(container):
        blobs = blob_storage.container_client(container).list_blobs(
            name_starts_with=prefix or None, include=["metadata"]
        )
        for count, blob in enumerate(islice(blobs, _MAX_BLOBS + 1)):
            if count == _MAX_BLOBS:
                raise PermanentTaskError(
                    f"There are more than {_MAX_BLOBS:,} blobs under {container}/{prefix}. Give a "
                    "longer prefix.",
                    code="too_many_files",
                )
            if count % _CHECK_EVERY == 0:
                check()
                progress(count)
            yield BlobVersion.of(container, blob)


def _made_before(parameters: ProcessRasterCollection) -> re.Pattern[str] | None:
    """What this collection's COGs and pictures are called where they lie among the sources."""
    if parameters.container_name != parameters.target_container:
        return None
    return re.compile(rf"{re.escape(parameters.collection_id)}/[^/]+/[0-9a-f]{{12}}/")


def _pinned(rasters: Iterable[Selected]) -> tuple[list[RasterFile], list[Refused]]:
    """The files with their numbers and ids, and those that are too large or share an id."""
    limit = get_settings().max_source_bytes
    refused: list[Refused] = []
    refs = []
    for each in rasters:
        ref = _ref(each)
        if ref.size > limit:
            refused.append(
                Refused(
                    path=ref.path,
                    code="source_too_large",
                    message=f"{ref.path} has {ref.size:,} bytes, more than the {limit:,} that a "
                    "source may have (GEOFORGE_MAX_SOURCE_BYTES).",
                )
            )
        else:
            refs.append(ref)
    ids = item_ids([ref.path for ref in refs], item_id_of)
    repeated = shared(ids)
    for place, first in repeated.items():
        refused.append(
            Refused(
                path=refs[place].path,
                code="duplicate_item_id",
                message=f"{refs[place].path} would become item {ids[place]!r}, as "
                f"{refs[first].path} does: rename one of the two.",
            )
        )
    kept = [place for place in range(len(refs)) if place not in repeated]
    found = [
        RasterFile(index=number, ref=refs[place], item_id=ids[place])
        for number, place in enumerate(kept)
    ]
    return found, refused


def _ref(selected: Selected) -> SourceRef:
    """The raster and what belongs to it, by the names under which GDAL looks for them."""
    raster = selected.raster
    path, own = raster.path, posixpath.basename(raster.path)
    name = source_files.safe_name(own)
    beside: dict[str, BlobVersion] = {}
    for version in selected.beside:
        suffix = sidecars.suffix_of(posixpath.basename(version.path), own)
        if suffix is not None:
            beside.setdefault(sidecars.beside(name, suffix), version)
    return source_files.pinned([raster, *beside.values()], path, [name, *beside])


def _names(parameters: ProcessRasterCollection) -> list[str]:
    """The names that were given, each once."""
    return list(dict.fromkeys(parameters.blob_names))


def _missing(parameters: ProcessRasterCollection, name: str) -> Refused:
    return Refused(
        path=name,
        code="blob_not_found",
        message=f"There is no blob {name!r} in container {parameters.container_name!r}.",
    )


def _nothing(
    parameters: ProcessRasterCollection, selection: Selection, refused: list[Refused]
) -> PermanentTaskError:
    if refused:
        return PermanentTaskError(
            f"Of {counted(len(refused), 'file')}, none can be read: {refusals.first_few(refused)}.",
            code="nothing_to_publish",
            refused_by_reason=refusals.by_code(refused),
        )
    passed = "; ".join(
        f"{count:,} {_SAID[reason]}" for reason, count in selection.skipped.most_common()
    )
    return PermanentTaskError(
        f"There is no raster under {_where(parameters)}"
        + (f": of the files there, {passed}." if passed else ", and nothing else."),
        code="no_rasters",
        skipped={reason.value: count for reason, count in selection.skipped.items()},
    )


def _where(parameters: ProcessRasterCollection) -> str:
    return f"{parameters.container_name}/{parameters.prefix or ''}"
