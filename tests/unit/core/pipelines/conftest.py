"""Job types and documents that the tests of pipelines share."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import pytest
from pydantic import AfterValidator, AliasChoices, Field, model_validator

from core.job_definition import JobDefinition, JobOutputs, JobParameters, Stage, TaskSpec
from core.registry import JobRegistry


def _not_reserved(name: str) -> str:
    if name == "reserved":
        raise ValueError("is taken by the system")
    return name


class Load(JobParameters):
    container_name: str = Field(max_length=63)
    blob_name: str | None = None
    source_url: str | None = Field(default=None, pattern=r"^https?://")
    table_name: Annotated[str, AfterValidator(_not_reserved)] | None = None
    schema_name: str = Field(
        default="geo",
        pattern=r"^[a-z_]+$",
        validation_alias=AliasChoices("schema", "schema_name"),
    )
    mode: Literal["replace", "append"] = "replace"
    key_columns: list[str] = Field(default_factory=list)
    limit: int | None = Field(default=None, ge=1, le=1000)

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        if (self.blob_name is None) == (self.source_url is None):
            raise ValueError("give either blob_name or source_url")
        return self


class Table(JobOutputs):
    table: str
    rows: int
    bbox: tuple[float, float, float, float] | None


class Loaded(JobOutputs):
    read: int
    report: str | None
    tables: list[Table]
    by_reason: dict[str, int]


class Draw(JobParameters):
    """Takes one of everything, and needs nothing."""

    label: str = "a"
    n: int = 0
    share: float = 0.0
    flag: bool = False
    names: list[str] = []
    mode: Literal["replace", "append"] = "replace"
    note: str | None = None
    bbox: tuple[float, float, float, float] | None = None
    counts: dict[str, int] = {}


class Quiet(JobParameters):
    n: int = 0


def a_job(name: str, parameters: Any, outputs: Any = None) -> JobDefinition[Any]:
    stage: Stage[Any] = Stage("only", lambda _: [TaskSpec()], lambda _: None)
    return JobDefinition(name, "A job.", parameters, (stage,), outputs=outputs)


@pytest.fixture(scope="session")
def jobs() -> JobRegistry:
    """`load` and `draw` say what they give, `quiet` does not."""
    registry = JobRegistry()
    registry.register(a_job("load", Load, Loaded))
    registry.register(a_job("draw", Draw, Loaded))
    registry.register(a_job("quiet", Quiet))
    return registry


@pytest.fixture
def document() -> dict[str, Any]:
    """A pipeline with which nothing is wrong."""
    return {
        "format": "geoforge.pipeline/1",
        "name": "parks",
        "inputs": {"blob": {"type": "string"}},
        "steps": [
            {
                "id": "load",
                "kind": "job",
                "job": "load",
                "parameters": {"container_name": "bronze", "blob_name": {"$expr": "inputs.blob"}},
            },
            {"id": "look", "kind": "gate", "message": "Is it good?", "after": ["load"]},
            {
                "id": "draw",
                "kind": "job",
                "job": "draw",
                "after": ["look"],
                "for_each": "steps.load.outputs.tables[:].table",
                "parameters": {"label": {"$expr": "item"}},
            },
        ],
    }
