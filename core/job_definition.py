"""What a job is: parameters and stages, declared; nothing here runs anything.

A file in jobs/ holds one `JOB = JobDefinition(...)`. Each stage names a planner, which yields
the stage's tasks, and a handler, which does one of them::

    JOB = JobDefinition(
        name="count_pixels",
        description="Count the valid pixels of every raster in a container.",
        parameters=CountPixels,
        stages=(
            Stage("list", planner=plan_listing, handler=list_rasters),
            Stage("count", planner=plan_counts, handler=count, queue=Queue.HEAVY,
                  max_parallel=8, on_failure=tolerate(0.05)),
        ),
        finalize=summarise,
    )
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from core import jsonb
from core.models.job import JobRecord, JobStatus
from core.models.lineage import Lineage

if TYPE_CHECKING:  # the domain does no I/O: it only hands a job's hooks the transaction
    from psycopg import Connection

JsonObject = dict[str, Any]

_NAME = re.compile(r"[a-z][a-z0-9_]{1,62}")


class JobParameters(BaseModel):
    """Base of all job parameters: unknown names are refused, types are not guessed.

    Every field carries a description with its unit, and an example where one helps; they
    become the API's schema, the builder's form and the documentation.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


class JobOutputs(BaseModel):
    """Base of what jobs result in, and of the objects in it: every name is always there, null
    where there is nothing to be said, so that a step of a pipeline can refer to it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


P = TypeVar("P", bound=JobParameters)
P_co = TypeVar("P_co", bound=JobParameters, covariant=True)


class Queue(StrEnum):
    """Which Service Bus queue carries a stage's tasks.

    LIGHT tasks take well under a second or two and are received, claimed and completed in
    batches. HEAVY tasks (rasters, long I/O) come one at a time and may run for hours.
    """

    LIGHT = "light"
    HEAVY = "heavy"


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """One task as a planner yields it. Its index is its place in the planner's order."""

    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskResult:
    """A task of an earlier stage that completed, as a later planner reads it."""

    task_index: int
    parameters: JsonObject
    result: JsonObject


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Transient failures go again after an exponential delay with full jitter.

    The delay before attempt n + 1 is uniform in [0.5, 1] x min(max, first * 2^(n-1)) seconds.
    `max_attempts` also bounds how often a task may lose its worker.
    """

    max_attempts: int = 4
    first_delay_seconds: float = 2.0
    max_delay_seconds: float = 300.0

    def delay_seconds(self, attempt: int, jitter: float) -> float:
        """Seconds to wait after `attempt` (from 1) failed; `jitter` is uniform in [0, 1)."""
        ceiling = min(self.max_delay_seconds, self.first_delay_seconds * 2 ** (attempt - 1))
        return float(ceiling * (0.5 + jitter / 2))


# Rides out three minutes and more in which storage or database are away.
PATIENT = RetryPolicy(max_attempts=8, first_delay_seconds=5.0, max_delay_seconds=120.0)


@dataclass(frozen=True, slots=True)
class FailurePolicy:
    """What a stage does about failed tasks.

    `max_failed_share` of the tasks may fail before the stage fails. With `stop_early` the
    tasks that have not begun are cancelled as soon as that share is passed.
    """

    max_failed_share: float = 0.0
    stop_early: bool = True

    def tolerates(self, failed: int, total: int) -> bool:
        """Whether so many may fail. 29 of 100 are within a share of 0.29: the division is
        rounded like the literal, and 0.29 * 100 would be 28.999...
        """
        return failed == 0 or failed / total <= self.max_failed_share


FAIL_FAST = FailurePolicy()


def tolerate(share: float) -> FailurePolicy:
    """Continue while at most `share` (0 to 1) of the tasks failed: completed_with_errors."""
    return FailurePolicy(max_failed_share=share)


class Workspace(Protocol):
    """The job's own files between stages: blobs under work/<job_id>/, removed at the end.

    Names may hold slashes. A file is held in memory while it is written or read: keep it to
    some tens of megabytes. Every method raises `Unavailable` where storage does not answer,
    which the engine takes as a reason to try again.
    """

    def write_bytes(self, name: str, data: bytes) -> None:
        """Write a file; one of the same name is replaced."""
        ...

    def read_bytes(self, name: str) -> bytes:
        """The content of a file. Raises `NotFound` where there is none."""
        ...

    def write_json(self, name: str, value: Any) -> None:
        """Write a value as UTF-8 JSON. Raises TypeError for what is not JSON."""
        ...

    def read_json(self, name: str) -> Any:
        """The value of a JSON file. Raises `NotFound`, and ValueError for one that is not JSON."""
        ...

    def exists(self, name: str) -> bool:
        """Whether there is a file of this name."""
        ...


class JobContext(Protocol[P_co]):
    """What planners, handlers and finalizers are given."""

    @property
    def job_id(self) -> str:
        """The job's id: 64 hexadecimal digits."""
        ...

    @property
    def parameters(self) -> P_co:
        """The job's parameters, as they were submitted."""
        ...

    @property
    def workspace(self) -> Workspace:
        """Where the job keeps files between its stages."""
        ...

    def results(self, stage: str) -> Iterator[TaskResult]:
        """The completed tasks of an earlier stage, in order, streamed from the ledger.

        Raises ValueError for a stage that the job does not have, and `Unavailable` where the
        database does not answer.
        """
        ...


class TaskContext(JobContext[P_co], Protocol[P_co]):
    """What a handler is given, beside its task's parameters."""

    @property
    def task(self) -> JsonObject:
        """The parameters of this task, as its planner yielded them."""
        ...

    @property
    def attempt(self) -> int:
        """Which claim of the task this is, from 1. It only grows, also over a resume."""
        ...

    def check(self) -> None:
        """Raise `TaskCancelled` when the job was cancelled or the lease was lost.

        A handler that takes more than a few seconds calls this between its steps.
        """
        ...

    def progress(self, **context: Any) -> None:
        """Show figures of this task on the dashboard (sampled; cheap to call often)."""
        ...


Planner = Callable[[JobContext[P]], Iterable[TaskSpec]]
Handler = Callable[[TaskContext[P]], JsonObject | None]
Finalizer = Callable[[JobContext[P]], JsonObject | None]
Preview = Callable[[P], JsonObject]
LineageOf = Callable[[P, JsonObject | None], Lineage]
EndHook = Callable[["Connection[JsonObject]", JobRecord, JobStatus, JsonObject | None], None]
ResumeHook = Callable[["Connection[JsonObject]", JobRecord], None]


def plan_one_task(_context: JobContext[Any]) -> Iterator[TaskSpec]:
    """The planner of a stage that is a single task without parameters."""
    yield TaskSpec()


@dataclass(frozen=True, slots=True, kw_only=True)
class _StageOptions(Generic[P]):
    queue: Queue | Callable[[P], Queue] = Queue.LIGHT
    max_parallel: int | Callable[[P], int] = 32
    tasks_per_message: int | Callable[[P], int] = 1
    retry: RetryPolicy = RetryPolicy()
    on_failure: FailurePolicy | Callable[[P], FailurePolicy] = FAIL_FAST
    lease_seconds: float = 30.0
    description: str = ""


@dataclass(frozen=True, slots=True)
class Stage(_StageOptions[P], Generic[P]):
    """One stage: its tasks run in parallel, and all end before the next stage is planned.

    `max_parallel` is the window: at most so many tasks are queued, running or waiting for a
    retry. `tasks_per_message` lets one Service Bus message name a run of light tasks. Both,
    `queue` and `on_failure` may be functions of the job's parameters. `lease_seconds` is how long
    a task stays with a worker that no longer renews its lease.
    """

    name: str
    planner: Planner[P]
    handler: Handler[P]

    def queue_for(self, parameters: P) -> Queue:
        return self.queue(parameters) if callable(self.queue) else self.queue

    def max_parallel_for(self, parameters: P) -> int:
        return _resolve(self.max_parallel, parameters)

    def tasks_per_message_for(self, parameters: P) -> int:
        return _resolve(self.tasks_per_message, parameters)

    def failure_policy_for(self, parameters: P) -> FailurePolicy:
        policy = self.on_failure
        return policy(parameters) if callable(policy) else policy


def _resolve(value: int | Callable[[P], int], parameters: P) -> int:
    return value(parameters) if callable(value) else value


@dataclass(frozen=True, slots=True)
class JobDefinition(Generic[P]):
    """A job type. `finalize` makes the job's result from the ledger, after the last stage;
    `preview` says, for a dry run, what a job would find. It writes nothing and is quick.
    `outputs` declares what `finalize` returns, and so what steps of pipelines can refer to;
    `lineage` tells, of parameters and result (None where there is none), what a job has read and
    published. It looks nothing up.

    `on_end` and `on_resume` write what must be true exactly when the job has ended, or goes on.
    They run in the transaction that says so, once for each end and each resume, and are given
    the job as it was before (and how it ends: state and error). They are quick, and touch
    nothing but the database. Where `on_end` raises, the job has not ended, and its end is tried
    again; where `on_resume` raises `Conflict`, the job stays as it was, and the caller is told.
    """

    name: str
    description: str
    parameters: type[P]
    stages: tuple[Stage[P], ...]
    finalize: Finalizer[P] | None = None
    preview: Preview[P] | None = None
    outputs: type[BaseModel] | None = None
    lineage: LineageOf[P] | None = None
    on_end: EndHook | None = None
    on_resume: ResumeHook | None = None

    def __post_init__(self) -> None:
        names = [self.name, *(stage.name for stage in self.stages)]
        for name in names:
            if not _NAME.fullmatch(name):
                raise ValueError(f"job {self.name!r}: {name!r} is not a name like 'copy_tiles'")
        if not self.stages:
            raise ValueError(f"job {self.name!r} has no stages")
        if len(set(names[1:])) != len(self.stages):
            raise ValueError(f"job {self.name!r} has two stages of one name")

    def outputs_schema(self) -> JsonObject | None:
        """The JSON schema of the job's result as it is written; None where it declares none.

        The same one each time: it is not to be changed.
        """
        return None if self.outputs is None else _schema_of(self.outputs)

    def misfits(self, result: JsonObject | None) -> list[str]:
        """What of a result is not as it was declared: `tables.0.rows: Field required`. Without
        the values, which may be anybody's."""
        if self.outputs is None:
            return []
        try:
            self.outputs.model_validate_json(jsonb.encode(result))
        except ValidationError as error:
            return [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        return []

    def task_type(self, stage: int) -> str:
        """The name of a stage's tasks in ledger and logs: `<job>.<stage>`."""
        return f"{self.name}.{self.stages[stage].name}"


@lru_cache(maxsize=256)
def _schema_of(outputs: type[BaseModel]) -> JsonObject:
    """Made once: a pipeline that is being written is checked again and again."""
    return outputs.model_json_schema(mode="serialization")
