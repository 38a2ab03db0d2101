"""A pipeline: a versioned JSON document of steps, and what its runs are.

A step is a job of a registered type, or a gate at which somebody decides. Its parameters are
plain JSON; wherever a value stands, `{"$expr": "steps.load.outputs.tables[0].table"}` may stand
in its place (see `core.pipelines.expressions`)::

    {
      "format": "geoforge.pipeline/1",
      "name": "parks_on_a_map",
      "title": "Parks on a map",
      "inputs": {"blob": {"type": "string", "description": "Path of the file"}},
      "steps": [
        {"id": "load", "kind": "job", "job": "process_vector",
         "parameters": {"container_name": "bronze", "blob_name": {"$expr": "inputs.blob"}}},
        {"id": "look", "kind": "gate", "message": "Is the table fit to be shown?",
         "after": ["load"]}
      ]
    }

A document is read with `Pipeline.model_validate` and written with `Pipeline.as_document`, which
gives the same document again. What it means as a whole (references, types, cycles) is checked by
`core.pipelines.checking`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

FORMAT: Final = "geoforge.pipeline/1"
EXPRESSION: Final = "$expr"

MAX_STEPS: Final = 100
MAX_ITEMS: Final = 500
"""Child jobs of one step: a fan-out that needs more belongs into a job's own stages."""

# Words that stand in addresses beside the names of pipelines.
RESERVED_NAMES: Final = frozenset({"examples", "import", "new", "runs", "validate"})

PipelineName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
StepId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
InputName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
ExpressionText = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Scalar = Literal["string", "integer", "number", "boolean"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Input(_Part):
    """What a run is given. One that is required has no default."""

    type: Literal["string", "integer", "number", "boolean", "list"] = Field(
        description="Type of the value"
    )
    items: Scalar | None = Field(default=None, description="Type of the values of a list")
    description: str = Field(default="", max_length=500, description="Help for who runs it")
    choices: list[JsonValue] | None = Field(
        default=None, min_length=1, max_length=100, description="The values that are allowed"
    )
    required: bool = Field(default=True, description="Whether a run must be given it")
    default: JsonValue = Field(default=None, description="Value where a run is given none")
    picker: str | None = Field(
        default=None, max_length=40, description="What it names, for forms: container, blob, ..."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.items is not None) != (self.type == "list"):
            raise ValueError("items goes with type list, and only with it")
        if self.required and self.default is not None:
            raise ValueError("an input with a default is not required: set required to false")
        return self


class _Step(_Part):
    id: StepId = Field(description="Name of the step, in references and addresses")
    title: str = Field(default="", max_length=200, description="Title for people")
    after: list[StepId] = Field(
        default_factory=list,
        max_length=MAX_STEPS,
        description="Steps that must have ended before; those it refers to are added by themselves",
    )
    needs: Literal["success", "end"] = Field(
        default="success",
        description="success: run only if those before succeeded, else the step is skipped; end: "
        "run however they ended",
    )
    when: ExpressionText | None = Field(
        default=None, description="Condition: where it is false, the step is skipped"
    )
    on_failure: Literal["stop", "continue"] = Field(
        default="stop",
        description="stop: nothing more begins, and the run fails; continue: what depends on the "
        "step is skipped, the rest goes on, and the run ends with errors",
    )


class JobStep(_Step):
    """A job, or with `for_each` one for each value of a list."""

    kind: Literal["job"] = "job"
    job: str = Field(max_length=63, description="Name of the job type")
    parameters: dict[str, JsonValue] = Field(
        default_factory=dict, description="The job's parameters, with expressions where wanted"
    )
    for_each: ExpressionText | None = Field(
        default=None, description="A list: one job for each of its values, named `item`"
    )
    max_parallel: int = Field(
        default=4, ge=1, le=64, description="Jobs of a for_each that run at the same time"
    )
    max_failed_share: float = Field(
        default=0.0, ge=0, le=1, description="Share of a for_each's jobs that may fail"
    )


class GateStep(_Step):
    """Somebody decides whether the run goes on."""

    kind: Literal["gate"] = "gate"
    message: str = Field(min_length=1, max_length=2000, description="What is to be decided")
    timeout_hours: float | None = Field(
        default=None, gt=0, le=24 * 365, description="Without a decision by then it is rejected"
    )


Step = Annotated[JobStep | GateStep, Field(discriminator="kind")]


class PipelineSchedule(_Part):
    """When runs begin by themselves."""

    cron: str = Field(max_length=100, description="Five fields of cron, in UTC")
    inputs: dict[InputName, JsonValue] = Field(
        default_factory=dict, description="Inputs of scheduled runs"
    )
    enabled: bool = Field(default=True, description="Whether runs begin by themselves")


class Position(_Part):
    """Where the builder draws a step: pixels from the left and the top."""

    x: float = Field(ge=0, le=100_000)
    y: float = Field(ge=0, le=100_000)


class Pipeline(_Part):
    """The document."""

    format: Literal["geoforge.pipeline/1"] = FORMAT
    name: PipelineName = Field(description="Name of the pipeline, in addresses")
    title: str = Field(default="", max_length=200, description="Title for people")
    description: str = Field(default="", max_length=4000, description="What it is for")
    inputs: dict[InputName, Input] = Field(
        default_factory=dict, max_length=50, description="What a run is given"
    )
    steps: list[Step] = Field(
        default_factory=list, max_length=MAX_STEPS, description="The steps, in any order"
    )
    schedule: PipelineSchedule | None = Field(default=None, description="Runs by schedule")
    layout: dict[StepId, Position] = Field(
        default_factory=dict, max_length=MAX_STEPS, description="The drawing; no run depends on it"
    )

    @model_validator(mode="after")
    def _has_a_free_name(self) -> Self:
        if self.name in RESERVED_NAMES:
            raise ValueError(f"a pipeline cannot be named {self.name!r}")
        return self

    def as_document(self) -> dict[str, Any]:
        """The document as JSON, without what is as it is by default."""
        # A step is known by its kind, and a document by its format: they are never left out.
        return {
            "format": self.format,
            **_brief(self),
            "steps": [{"id": step.id, "kind": step.kind, **_brief(step)} for step in self.steps],
        }

    def step(self, step_id: str) -> JobStep | GateStep:
        """The step of that id. Raises KeyError where there is none."""
        for each in self.steps:
            if each.id == step_id:
                return each
        raise KeyError(step_id)


def _brief(part: BaseModel) -> dict[str, Any]:
    return part.model_dump(mode="json", exclude_defaults=True)


class RunStatus(StrEnum):
    """queued -> running -> one of the four terminal states, as a job's."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        return self not in (RunStatus.QUEUED, RunStatus.RUNNING)


class StepStatus(StrEnum):
    """pending -> running or awaiting_approval -> a terminal state; or pending -> skipped."""

    PENDING = "pending"
    RUNNING = "running"
    AWAITING_APPROVAL = "awaiting_approval"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"

    @property
    def is_terminal(self) -> bool:
        return self not in (StepStatus.PENDING, StepStatus.RUNNING, StepStatus.AWAITING_APPROVAL)

    @property
    def is_success(self) -> bool:
        return self in (StepStatus.COMPLETED, StepStatus.COMPLETED_WITH_ERRORS)
