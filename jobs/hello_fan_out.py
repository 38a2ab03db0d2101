"""hello_fan_out: n tasks that do next to nothing. A smoke test, and the benchmark's load."""

from __future__ import annotations

from core.job_definition import JobDefinition, Queue, Stage, tolerate
from services.orchestration import hello
from services.orchestration.outputs import HelloOutputs

JOB = JobDefinition(
    name="hello_fan_out",
    description="Run n no-op tasks through the whole engine: a smoke test for operators.",
    parameters=hello.HelloFanOut,
    outputs=HelloOutputs,
    stages=(
        Stage(
            "hello",
            planner=hello.plan,
            handler=hello.say_hello,
            description="Sleep, then succeed or fail as asked",
            queue=lambda p: Queue.LIGHT if p.sleep_ms <= 1000 else Queue.HEAVY,
            max_parallel=lambda p: 2000 if p.sleep_ms == 0 else 64,
            tasks_per_message=lambda p: 100 if p.sleep_ms == 0 else 1,
            on_failure=tolerate(1.0),
            lease_seconds=20.0,
        ),
    ),
    finalize=hello.summarise,
)
