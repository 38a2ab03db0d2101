"""Finding out what a source is, through a child process.

Each data set of a source is looked into by its own call: a parser that crashes costs that data
set, or only that driver where another one can read it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from core.counting import counted
from core.errors import PermanentTaskError, TransientTaskError
from infrastructure.sandbox import Limits, Sandbox, SandboxError, SandboxFault
from infrastructure.sandbox_pool import pool
from infrastructure.turns import Turns
from services.vector.child.folders import FILES
from services.vector.formats.gdal_environment import ENVIRONMENT, PRELOAD
from services.vector.model import Note, ReadOptions, SourceLayer
from services.vector.parameters import ProcessVector
from services.vector.source_files import LocalSource

Check = Callable[[], None]

_CHILD = "services.vector.child.inspecting"
_UNPACKED = "archive"
# Each is three tables in one transaction, and PostgreSQL's table of locks has its limits.
_MAX_LAYERS = 200
_SHOWN_REFUSALS = 5
# A child may write no more than an archive may hold; what one task takes is bounded by hours.
_LIMITS = Limits(
    memory_bytes=1 << 30,
    cpu_seconds=2 * 3600,
    wall_seconds=2 * 3600.0,
    written_file_bytes=64 << 30,
    open_files=1024,
)


_turns = Turns(max(2, os.cpu_count() or 1))


@dataclass(slots=True)
class Found:
    """What is in a source: the layers that will be read, notes on all else."""

    layers: list[SourceLayer] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)


@contextmanager
def child_of(job_id: str, source: LocalSource, check: Check) -> Iterator[Sandbox]:
    """A child process for this job and no other, which can reach the source's files only.

    Waits while as many children are at work in this process as there are processors: more
    would take memory and win nothing.
    """
    reachable = [source.entry.folder]
    with (
        _turns.one(check),
        pool().borrow(
            job_id,
            limits=_LIMITS,
            environment=ENVIRONMENT,
            preload=PRELOAD,
            readable=reachable,
            writable=reachable,
        ) as child,
    ):
        yield child


@contextmanager
def brief_child(source: LocalSource, seconds: float) -> Iterator[Sandbox]:
    """A child process for one quick look into a source."""
    limits = replace(_LIMITS, wall_seconds=seconds, cpu_seconds=math.ceil(seconds))
    reachable = [source.entry.folder]
    with Sandbox(
        limits, environment=ENVIRONMENT, preload=PRELOAD, readable=reachable, writable=reachable
    ) as child:
        yield child


def read_options(parameters: ProcessVector, *, sample: bool = False) -> ReadOptions:
    """What the readers are told of the job's parameters."""
    return ReadOptions(
        layer=parameters.layer,
        x_column=parameters.x_column,
        y_column=parameters.y_column,
        wkt_column=parameters.wkt_column,
        encoding=parameters.encoding,
        chunk_rows=parameters.chunk_rows,
        sample=sample,
    )


def root_of(source: LocalSource, child: Sandbox, check: Check | None = None) -> Path:
    """The folder with the source's data sets: of an archive, what is unpacked from it.

    Raises `PermanentTaskError` for an archive that cannot be unpacked.
    """
    archive = source.files[0]

    def unpack(into: Path) -> None:
        _call(child, "unpack", {"path": str(archive), "into": str(into)}, check)

    try:
        if len(source.files) > 1 or not _call(child, "is_archive", {"path": str(archive)}, check):
            return source.root
        return source.derived(_UNPACKED, unpack) / FILES
    except SandboxError as error:
        raise PermanentTaskError(
            f"The file cannot be unpacked. {error.message}",
            code="unreadable_file",
            field="blob_name",
        ) from error


def look(
    child: Sandbox,
    source: LocalSource,
    parameters: ProcessVector,
    check: Check | None = None,
    *,
    sample: bool = False,
) -> Found:
    """The layers of a source that are wanted.

    Raises `PermanentTaskError`: unreadable_file where nothing can be read, with what was seen;
    crs_unknown, unknown_layer, too_many_layers; partly_unreadable if strict.
    """
    survey = _Survey(child, root_of(source, child, check), parameters, check, sample=sample)
    found = _chosen(survey.found(), parameters.layer)
    if parameters.strict and found.refusals:
        raise PermanentTaskError(
            f"strict: a part of the source cannot be read. {_refusal(found.refusals)}",
            code="partly_unreadable",
            field="strict",
        )
    return found


class _Survey:
    """One look into a folder of data sets."""

    def __init__(
        self,
        child: Sandbox,
        root: Path,
        parameters: ProcessVector,
        check: Check | None,
        *,
        sample: bool,
    ) -> None:
        self._child = child
        self._root = root
        self._source_crs = parameters.source_crs
        self._options = read_options(parameters, sample=sample)
        self._check = check

    def found(self) -> Found:
        """All layers of all data sets."""
        found = Found()
        try:
            answer = self._call("survey", {"root": str(self._root)})
        except SandboxError as error:
            raise PermanentTaskError(
                f"It cannot be told what the source is. {error.message}",
                code="unreadable_file",
                field="blob_name",
            ) from error
        found.notes += [Note.model_validate(note) for note in answer["notes"]]
        found.refusals += answer["refused"]
        for dataset in answer["found"]:
            self._look_into(found, dataset["member"], dataset["kind"], dataset["drivers"])
        return found

    def _look_into(self, found: Found, member: str, kind: str, drivers: list[str]) -> None:
        """The layers of one data set, by the first driver that finds a record in it."""
        failures: list[str] = []
        empty: list[SourceLayer] = []
        for driver in drivers:
            try:
                layers = self._inspect(member, kind, driver)
            except SandboxError as error:
                failures.append(error.message)
                continue
            if any(layer.chunks for layer in layers):
                if failures:
                    message = f"{member} is read by the driver {driver}: {failures[0]}"
                    found.notes.append(Note(code="read_by_another_driver", message=message))
                found.layers += layers
                return
            empty = empty or layers
        if empty:
            found.layers += empty
        else:
            why = failures[0] if failures else "there is no layer in it"
            found.refusals.append(f"{member}: {why}")

    def _inspect(self, member: str, kind: str, driver: str) -> list[SourceLayer]:
        answer = self._call(
            "inspect",
            {
                "root": str(self._root),
                "member": member,
                "kind": kind,
                "driver": driver,
                "options": self._options.model_dump(),
                "source_crs": self._source_crs,
            },
        )
        return [SourceLayer.model_validate(layer) for layer in answer]

    def _call(self, function: str, arguments: Mapping[str, Any]) -> Any:
        return _call(self._child, function, arguments, self._check)


def _call(child: Sandbox, function: str, arguments: Mapping[str, Any], check: Check | None) -> Any:
    """What a function of the child's returns. A child that was killed says nothing of the
    file: that is worth another attempt."""
    try:
        return child.call(f"{_CHILD}:{function}", arguments, check=check)
    except SandboxError as error:
        if error.fault is SandboxFault.KILLED:
            raise TransientTaskError(error.message, code=error.error_code) from error
        raise


def _chosen(found: Found, wanted: str | None) -> Found:
    """Only the layers that are asked for and that can be placed on the Earth."""
    if wanted is not None and found.layers:
        chosen = [layer for layer in found.layers if layer.name == wanted]
        if not chosen:
            names = ", ".join(repr(layer.name) for layer in found.layers[:20])
            raise PermanentTaskError(
                f"layer: there is no layer {wanted!r}. The source has {names}.",
                code="unknown_layer",
                field="layer",
            )
        found.layers = chosen
    lost = [layer for layer in found.layers if layer.spatial and layer.crs.value is None]
    found.layers = [layer for layer in found.layers if layer not in lost]
    found.refusals += [
        f"{layer.name}: the CRS of its coordinates is not known. {' '.join(layer.crs.evidence)}"
        for layer in lost
    ]
    if not found.layers:
        raise PermanentTaskError(
            _refusal(found.refusals),
            code="crs_unknown" if lost else "unreadable_file",
            field="source_crs" if lost else "blob_name",
        )
    if len(found.layers) > _MAX_LAYERS:
        raise PermanentTaskError(
            f"The source has {counted(len(found.layers), 'layer')}, more than {_MAX_LAYERS}: "
            "name one with the parameter layer.",
            code="too_many_layers",
        )
    found.notes += [Note(code="refused", message=f"{reason}.") for reason in found.refusals]
    return found


def _refusal(refusals: list[str]) -> str:
    if not refusals:
        return "There is nothing in the source that can be read."
    shown = " ".join(reason.rstrip(".") + "." for reason in refusals[:_SHOWN_REFUSALS])
    more = len(refusals) - _SHOWN_REFUSALS
    return f"{shown} And {more} more." if more > 0 else shown
