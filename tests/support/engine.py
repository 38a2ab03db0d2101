"""The engine as tests drive it: job types made on the spot, real ledger, real messages.

A test plays the host: it plans, dispatches, hands messages to the workers, closes and
finalizes, one step at a time or (`Job.run`) as the orchestrator does. `Job.check` holds the
ledger against the invariants with queries of its own.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from azure.servicebus import ServiceBusReceiveMode
from azure.servicebus.aio import ServiceBusClient
from pydantic import Field

from core.identifiers import job_id
from core.job_definition import (
    Handler,
    JobContext,
    JobDefinition,
    JobParameters,
    JsonObject,
    Queue,
    Stage,
    TaskContext,
    TaskSpec,
)
from core.messages import TaskMessage
from core.models.job import JobRecord
from core.models.task import ClaimedTask, TaskOutcome, TaskStatus
from core.registry import registry
from infrastructure import database, job_repository, task_repository
from infrastructure.database import Row
from infrastructure.task_queue import task_queue
from services.orchestration import closing, planning, submission, window, worker
from services.orchestration.window import Progress
from services.orchestration.worker import StageDone

PATIENCE_SECONDS = 60.0

_names = itertools.count(1)


class Load(JobParameters):
    """What the tests' job types take."""

    n: int = Field(default=1, ge=0, description="Number of tasks")
    label: str = Field(default="", description="Any text")
    share: float = Field(default=0.0, description="Any number")


def plan_n(context: JobContext[Load]) -> Iterator[TaskSpec]:
    """n tasks that know their index."""
    return (TaskSpec({"index": index}) for index in range(context.parameters.n))


def succeed(context: TaskContext[Load]) -> JsonObject | None:
    return {"index": context.task["index"]}


def stage(name: str = "only", handler: Handler[Load] = succeed, **options: Any) -> Stage[Load]:
    """A stage of n tasks, unless `options` name another planner."""
    return Stage(name, **{"planner": plan_n, "handler": handler, **options})


def define(*stages: Stage[Load], **options: Any) -> JobDefinition[Load]:
    """Register a job type that no other test has; its stages, by default, succeed."""
    definition = JobDefinition(
        name=f"test_job_{next(_names)}",
        description="A job of a test.",
        parameters=Load,
        stages=stages or (stage(),),
        **options,
    )
    registry.register(definition)
    return definition


def eventually(
    what: str, condition: Callable[[], object], seconds: float = PATIENCE_SECONDS
) -> None:
    """Wait until the condition holds; an AssertionError naming `what` if it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def run_messages(bodies: Sequence[bytes]) -> list[StageDone]:
    """Work messages off as the trigger does: an error is raised after all of the work."""
    worked = worker.work_off(bodies)
    if worked.error is not None:
        raise worked.error
    return worked.done


class Mailbox:
    """Receives all that is sent to the task queues, through the Service Bus SDK, by job."""

    def __init__(self, connection_string: str, queues: Sequence[str]) -> None:
        self._bodies: dict[str, list[bytes]] = defaultdict(list)
        self._tasks: Counter[str] = Counter()
        self._arrived = threading.Condition()
        self._closing = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_until_complete,
            args=(self._receive(connection_string, queues),),
            name="mailbox",
        )
        self._thread.start()

    def take(self, job_id: str, tasks: int = 1, seconds: float = PATIENCE_SECONDS) -> list[bytes]:
        """The bodies of a job's messages, once they name at least so many tasks."""
        with self._arrived:
            enough = self._arrived.wait_for(lambda: self._tasks[job_id] >= tasks, seconds)
            came = self._tasks.pop(job_id, 0)
            assert enough, f"{came} of {tasks} tasks came within {seconds} s"
            return self._bodies.pop(job_id, [])

    def rest(self, job_id: str) -> list[bytes]:
        """All other messages that were sent for the job up to now, those with a delay excepted.

        A message of our own follows them through each queue: when it comes, so have they.
        """
        for queue in Queue:
            marker = f"{next(_names):064x}"
            task_queue().send(queue, [TaskMessage(marker, 0, [0])])
            self.take(marker)
        return self.take(job_id, tasks=0)

    def close(self) -> None:
        self._closing.set()
        self._thread.join(timeout=60)
        self._loop.close()

    async def _receive(self, connection_string: str, queues: Sequence[str]) -> None:
        async with ServiceBusClient.from_connection_string(connection_string) as client:
            await asyncio.gather(*(self._listen(client, queue) for queue in queues))

    async def _listen(self, client: ServiceBusClient, queue: str) -> None:
        mode = ServiceBusReceiveMode.RECEIVE_AND_DELETE
        async with client.get_queue_receiver(queue, receive_mode=mode) as receiver:
            while not self._closing.is_set():
                for message in await receiver.receive_messages(1000, max_wait_time=0.5):
                    self._file(b"".join(message.body))

    def _file(self, body: bytes) -> None:
        named = TaskMessage.decode(body)
        with self._arrived:
            self._bodies[named.job_id].append(body)
            self._tasks[named.job_id] += len(named.indexes)
            self._arrived.notify_all()


@dataclass
class Job:
    """A job of a test, with the steps that the host would take for it."""

    job_id: str
    mailbox: Mailbox | None = None
    done: list[StageDone] = field(default_factory=list)

    @classmethod
    def submit(
        cls, definition: JobDefinition[Load], mailbox: Mailbox | None = None, **parameters: Any
    ) -> Job:
        return cls(submission.submit(definition.name, parameters).job_id, mailbox)

    @property
    def row(self) -> JobRecord:
        with database.transaction() as connection:
            return job_repository.get(connection, self.job_id)

    def stage(self, index: int = 0) -> task_repository.Stage:
        with database.transaction() as connection:
            return task_repository.stage(connection, self.job_id, index)

    def query(self, text: str, **parameters: Any) -> list[Row]:
        """Rows of a statement in which %(job_id)s is this job."""
        with database.transaction() as connection:
            cursor = connection.execute(text, {"job_id": self.job_id, **parameters})
            return cursor.fetchall() if cursor.description else []

    def tasks(self, index: int = 0) -> list[Row]:
        """The rows of a stage's tasks. A `queued_at` of -infinity is shown as None."""
        return self.query(
            "SELECT task_index, status, attempt, attempts_before, result, error, not_before,"
            " lease_expires_at, nullif(queued_at, '-infinity') AS queued_at, resends"
            " FROM app.tasks WHERE job_id = %(job_id)s AND stage = %(stage)s ORDER BY task_index",
            stage=index,
        )

    def statuses(self, index: int = 0) -> list[str]:
        return [task["status"] for task in self.tasks(index)]

    def events(self, kind: str) -> list[JsonObject]:
        rows = self.query(
            "SELECT payload FROM app.job_metrics WHERE job_id = %(job_id)s"
            " AND metric_type IN ('event', 'error') AND payload->>'kind' = %(kind)s ORDER BY id",
            kind=kind,
        )
        return [row["payload"] for row in rows]

    # -- what the orchestrator does

    def open(self, index: int = 0) -> bool:
        """Plan and dispatch a stage; whether it is done already."""
        assert planning.plan_stage(self.job_id, index)["next"] == "dispatch"
        return planning.dispatch_stage(self.job_id, index)

    def close(self, index: int = 0) -> closing.CloseVerdict:
        return closing.close_stage(self.job_id, index)

    def finalize(self, error: JsonObject | None = None) -> str:
        return closing.finalize_job(self.job_id, error, self.row.resumes)

    def run(self) -> str:
        """Run the job to its end, as the orchestrator and the workers would; its status."""
        error = None
        for index in range(planning.find_run(self.job_id)["stages"]):
            verdict: Any = planning.plan_stage(self.job_id, index)
            if verdict["next"] == "dispatch":
                if not planning.dispatch_stage(self.job_id, index):
                    self.work_off(index)
                verdict = self.close(index)
            error = verdict["error"]
            if verdict["next"] == "finalize":
                break
        return self.finalize(error)

    # -- what workers do

    def work_off(self, index: int = 0, seconds: float = PATIENCE_SECONDS) -> None:
        """Run what messages bring until the stage is done."""
        deadline = time.monotonic() + seconds
        while not self.stage(index).is_done:
            assert time.monotonic() < deadline, f"stage {index} was not done within {seconds} s"
            self.receive()

    def receive(self, tasks: int = 1, seconds: float = PATIENCE_SECONDS) -> list[StageDone]:
        """Run the next messages; the stages that ended by them."""
        assert self.mailbox is not None
        done = run_messages(self.mailbox.take(self.job_id, tasks, seconds))
        self.done.extend(done)
        return done

    def claim(self, *indexes: int, stage: int = 0) -> list[ClaimedTask]:
        with database.transaction() as connection:
            return task_repository.claim(connection, self.job_id, stage, indexes)

    def settle(
        self,
        tasks: Sequence[ClaimedTask],
        status: TaskStatus = TaskStatus.COMPLETED,
        *,
        stage: int = 0,
        retry_in: float | None = None,
    ) -> Progress:
        """Settle attempts, all in one way. What the commit promised is not sent."""
        outcomes = [
            TaskOutcome(task.task_index, task.attempt, status, retry_in=retry_in) for task in tasks
        ]
        return window.settle(self.job_id, stage, outcomes)[0]

    # -- what time and crashes do

    def hours_pass(self) -> None:
        """Move all that the job waits for an hour into the past: leases, retries, messages."""
        self.query(
            "UPDATE app.tasks SET lease_expires_at = lease_expires_at - interval '1 hour',"
            " not_before = not_before - interval '1 hour',"
            " queued_at = queued_at - interval '20 hours' WHERE job_id = %(job_id)s"
        )
        self.query(
            "UPDATE app.job_stages SET done_at = done_at - interval '1 hour'"
            " WHERE job_id = %(job_id)s"
        )
        self.query(
            "UPDATE app.jobs SET updated_at = updated_at - interval '1 hour'"
            " WHERE job_id = %(job_id)s"
        )

    def check(self) -> None:
        """Hold the ledger against the invariants that it can show at any moment."""
        for row in self.query(_INVARIANTS):
            where = f"stage {row['stage']}: {row}"
            assert row["tasks_completed"] == row["completed"], where
            assert row["tasks_failed"] == row["failed"], where
            assert row["tasks_cancelled"] == row["cancelled"], where
            assert row["tasks_total"] is None or row["tasks_total"] == row["total"], where
            assert row["in_flight"] == row["holding_a_place"] <= row["max_parallel"], where
            assert row["overlooked"] == 0, where
            assert row["running_without_lease"] == 0, where
            assert row["filed"] == row["failed_indexes"], where
            assert row["of_causes"] == row["failed"], where
            if row["is_done"]:
                assert row["ended"] == row["tasks_total"], where
            elif row["status"] == "running" and row["next_index"] > 0:
                assert row["ended"] < row["tasks_total"], where
        job = self.row
        if job.status.is_terminal:
            [open_tasks] = self.query(
                "SELECT count(*) AS n FROM app.tasks WHERE job_id = %(job_id)s"
                " AND status NOT IN ('completed', 'failed', 'cancelled')"
            )
            assert open_tasks["n"] == 0, f"{open_tasks['n']} tasks of a {job.status} job are open"


# Written without regard to the engine's own queries.
_INVARIANTS = """
SELECT s.stage, s.status, s.tasks_total, s.tasks_completed, s.tasks_failed, s.tasks_cancelled,
       s.in_flight, s.max_parallel, s.next_index, s.done_at IS NOT NULL AS is_done,
       count(t.task_index) AS total,
       count(*) FILTER (WHERE t.status = 'completed') AS completed,
       count(*) FILTER (WHERE t.status = 'failed') AS failed,
       count(*) FILTER (WHERE t.status = 'cancelled') AS cancelled,
       count(*) FILTER (WHERE t.status IN ('completed', 'failed', 'cancelled')) AS ended,
       count(*) FILTER (WHERE t.status IN ('queued', 'running')
                           OR (t.status = 'pending' AND t.not_before IS NOT NULL))
           AS holding_a_place,
       count(*) FILTER (WHERE t.status = 'pending' AND t.not_before IS NULL
                          AND t.task_index < s.next_index) AS overlooked,
       count(*) FILTER (WHERE t.status = 'running' AND t.lease_expires_at IS NULL)
           AS running_without_lease,
       coalesce(array_agg(t.task_index ORDER BY t.task_index)
                FILTER (WHERE t.status = 'failed'), '{}') AS failed_indexes,
       ARRAY(SELECT f.task_index FROM app.failed_tasks f
             WHERE f.job_id = s.job_id AND f.stage = s.stage ORDER BY f.task_index) AS filed,
       (SELECT coalesce(sum(g.tasks), 0) FROM app.error_groups g
        WHERE g.job_id = s.job_id AND g.stage = s.stage) AS of_causes
FROM app.job_stages s LEFT JOIN app.tasks t USING (job_id, stage)
WHERE s.job_id = %(job_id)s
GROUP BY s.job_id, s.stage
ORDER BY s.stage
"""


def unknown_job() -> str:
    """The id of a job that was never submitted."""
    return job_id("never_submitted", {}, next(_names))
