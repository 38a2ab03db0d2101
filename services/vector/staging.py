"""Stage 2: read a chunk, clean it, and stage it with its repairs and its quarantine.

The child reads and cleans and sends rows as binary COPY; this side passes them to PostgreSQL.
Rows, repairs, quarantine and the chunk's counts are one transaction: an attempt that comes
after a crash finds all of it or nothing.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import IO, Any, LiteralString

from core.errors import PermanentTaskError, TransientTaskError
from core.job_definition import JobContext, JsonObject, TaskContext, TaskSpec
from core.models.vector_report import RecordCounts
from infrastructure import copy_binary, database, vector_report_repository
from infrastructure.database import Connection
from infrastructure.sandbox import Sandbox, SandboxError, SandboxFault
from services.publishing import staging
from services.vector import source_files
from services.vector.inspecting import read_plan
from services.vector.plan import LayerPlan
from services.vector.planning import Plan
from services.vector.survey import child_of, root_of

Context = TaskContext[Any]

_CHILD = "services.vector.child.cleaning:clean"
# Repairs and quarantine are small as a rule; what is more goes to disk.
_SPOOL_BYTES = 4 << 20
_COPY_BYTES = 1 << 20


def plan_chunks(context: JobContext[Any]) -> Iterator[TaskSpec]:
    """One task for each chunk of each layer."""
    for layer in read_plan(context).layers:
        for chunk in range(len(layer.layer.chunks)):
            yield TaskSpec({"layer": layer.index, "chunk": chunk})


def plan_chunks_of(parts: Sequence[Plan]) -> Iterator[TaskSpec]:
    """One task for each chunk of each part of a layer that comes in parts."""
    for number, part in enumerate(parts):
        [layer] = part.layers
        for chunk in range(len(layer.layer.chunks)):
            yield TaskSpec(
                {"layer": layer.index, "part": number, "chunk": part.first_chunk + chunk}
            )


def stage_chunk(context: Context) -> JsonObject:
    """Stage one chunk. Returns {read, loaded, quarantined}."""
    layer_index, chunk_index = context.task["layer"], context.task["chunk"]
    with database.transaction() as connection:
        counts = vector_report_repository.chunk_done(
            connection, context.job_id, layer_index, chunk_index
        )
    if counts is None:
        plan = read_plan(context, context.task.get("part"))
        [layer] = [each for each in plan.layers if each.index == layer_index]
        counts = _stage(context, plan, layer, chunk_index)
    return {"read": counts.read, "loaded": counts.loaded, "quarantined": counts.set_aside}


def _stage(context: Context, plan: Plan, layer: LayerPlan, chunk_index: int) -> RecordCounts:
    with (
        source_files.local_copy(
            plan.source, check=context.check, progress=context.progress
        ) as source,
        child_of(context.job_id, source, context.check) as sandbox,
    ):
        root = root_of(source, sandbox, context.check)
        arguments = {
            "root": str(root),
            "plan": layer.model_dump(mode="json"),
            "chunk": chunk_index - plan.first_chunk,
            "options": plan.read.model_dump(),
        }
        with database.transaction() as connection, _Streams(context, connection, layer) as streams:
            # Durable at once: an outcome outlives a restart of the server (the worker waits for
            # it with what it has to settle), so what the outcome says must outlive it as well.
            counts = streams.fill(sandbox, arguments)
            vector_report_repository.record_chunk(
                connection, context.job_id, layer.index, chunk_index, counts
            )
    return counts


class _Streams:
    """Where the child's output goes.

    One COPY at a time fits on a connection. The rows of the main table go straight to
    PostgreSQL; the rest is little as a rule, and waits in spools for its turn.
    """

    def __init__(self, context: Context, connection: Connection, layer: LayerPlan) -> None:
        self._context = context
        self._connection = connection
        self._layer = layer
        self._stack = ExitStack()
        self._rows = 0

    def __enter__(self) -> _Streams:
        return self

    def __exit__(self, *_details: object) -> None:
        self._stack.close()

    def fill(self, sandbox: Sandbox, arguments: JsonObject) -> RecordCounts:
        """Run the child on the chunk and write what it sends; the counts that it returns."""
        spools = {
            name: self._spool()
            for name in (
                "repairs",
                "quarantine",
                *(f"rows:{number}" for number in range(1, len(self._layer.tables))),
            )
        }
        main = self._layer.tables[0]
        with staging.copy_into(self._connection, main.staged, main.shape) as write:
            sinks = {name: spool.write for name, spool in spools.items()}
            answer = self._call(
                sandbox, arguments, {**sinks, "rows:0": write, "progress": self._progress}
            )
        self._store(spools)
        counts = RecordCounts.model_validate(answer)
        if not counts.balanced:
            raise PermanentTaskError(
                f"The counts of a chunk do not add up: {counts.read:,} read, {counts.loaded:,} "
                f"loaded, {counts.set_aside:,} quarantined.",
                code="counts_do_not_add_up",
            )
        return counts

    def _call(self, sandbox: Sandbox, arguments: JsonObject, sinks: object) -> JsonObject:
        try:
            answer: JsonObject = sandbox.call(
                _CHILD,
                arguments,
                sinks=sinks,  # type: ignore[arg-type]
                check=self._context.check,
            )
        except SandboxError as error:
            if error.fault is SandboxFault.KILLED:
                raise TransientTaskError(error.message, code=error.error_code) from error
            layer = self._layer.layer
            raise PermanentTaskError(
                f"{layer.member}: layer {layer.name!r} cannot be read to its end: {error.message}",
                code=error.error_code,
            ) from error
        return answer

    def _spool(self) -> IO[bytes]:
        return self._stack.enter_context(tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES))

    def _progress(self, message: bytes) -> None:
        self._context.progress(**json.loads(message))

    def _store(self, spools: dict[str, IO[bytes]]) -> None:
        for number, table in enumerate(self._layer.tables[1:], start=1):
            spool = spools[f"rows:{number}"]
            if spool.tell():
                with staging.copy_into(self._connection, table.staged, table.shape) as write:
                    spool.seek(0)
                    while part := spool.read(_COPY_BYTES):
                        write(part)
        reports = vector_report_repository
        job_id, layer = self._context.job_id, self._layer.index
        if spools["repairs"].tell():
            self._copy(reports.repairs_in(self._connection), spools["repairs"])
            reports.keep_repairs(self._connection, job_id, layer)
        if spools["quarantine"].tell():
            self._copy(reports.quarantine_in(self._connection), spools["quarantine"])
            reports.keep_quarantine(self._connection, job_id, layer)

    def _copy(self, statement: LiteralString, spool: IO[bytes]) -> None:
        spool.seek(0)
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.write(copy_binary.HEADER)
            while part := spool.read(_COPY_BYTES):
                copy.write(part)
            copy.write(copy_binary.TRAILER)
