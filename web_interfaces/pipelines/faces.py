"""What the drawings say on each step: of a pipeline, of a run, of two versions compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from core.counting import counted
from core.models.pipeline import GateStep, JobStep, Pipeline
from web_interfaces.pages.formats import heading, number, words


@dataclass(frozen=True, slots=True)
class Face:
    """The texts of a step's card. `mark` colours it: a state, problem, added, removed, changed.
    `progress` is in percent; None where the step does not run."""

    title: str
    kind: str
    note: str = ""
    mark: str = ""
    progress: float | None = None


def title_of(step: JobStep | GateStep) -> str:
    """The title that somebody gave it, or one made of its id."""
    return step.title or heading(step.id)


def kind_of(step: JobStep | GateStep) -> str:
    """The job type in words, or 'approval'."""
    return "approval" if isinstance(step, GateStep) else words(step.job)


def fans_out(step: JobStep | GateStep) -> bool:
    """Whether it runs a job for each value of a list."""
    return isinstance(step, JobStep) and step.for_each is not None


def of_pipeline(pipeline: Pipeline, problems: Iterable[Mapping[str, Any]]) -> dict[str, Face]:
    """Each step with what is wrong with it, or else when and how often it runs."""
    wrong = Counter(each["loc"][1] for each in problems if each["loc"][:1] == ["steps"])
    return {
        step.id: Face(
            title_of(step),
            kind_of(step),
            counted(wrong[step.id], "problem") if wrong[step.id] else _how(step),
            "problem" if wrong[step.id] else "",
        )
        for step in pipeline.steps
    }


def _how(step: JobStep | GateStep) -> str:
    often = ["for each value of a list"] if fans_out(step) else []
    return ", ".join(often + (["if its condition is met"] if step.when else []))


def of_run(pipeline: Pipeline, steps: Iterable[Mapping[str, Any]]) -> dict[str, Face]:
    """Each step with its state: views of `services.pipelines.views`."""
    views = {view["id"]: view for view in steps}
    return {
        step.id: Face(
            title_of(step),
            kind_of(step),
            _state(step, views[step.id]),
            views[step.id]["status"],
            views[step.id]["progress_pct"] if views[step.id]["status"] == "running" else None,
        )
        for step in pipeline.steps
    }


def _state(step: JobStep | GateStep, view: Mapping[str, Any]) -> str:
    if view["status"] == "awaiting_approval":
        return "waits for a decision"
    said = words(view["status"])
    if not fans_out(step) or view["items_total"] is None:
        return said
    done, failed = view["jobs_completed"], view["jobs_failed"]
    of = f"{said} \N{MIDDLE DOT} {number(done)} of {number(view['items_total'])}"
    return f"{of}, {number(failed)} failed" if failed else of


def of_versions(
    before: Pipeline, after: Pipeline, changes: Iterable[Mapping[str, Any]]
) -> tuple[Pipeline, dict[str, Face]]:
    """The later version with the steps that it lost beside its own, and what became of each."""
    kept = {step.id for step in after.steps}
    lost = [step for step in before.steps if step.id not in kept]
    changed = Counter(each["loc"][1] for each in changes if _is_of_a_step(each["loc"]))
    had = {step.id for step in before.steps}
    lost_layout = {step.id: before.layout[step.id] for step in lost if step.id in before.layout}
    both = after.model_copy(
        update={
            "steps": [*after.steps, *lost],
            "layout": {**lost_layout, **after.layout} if after.layout else {},
        }
    )
    faces = {}
    for step in both.steps:
        if step.id not in kept:
            note, mark = "removed", "removed"
        elif step.id not in had:
            note, mark = "added", "added"
        elif changed[step.id]:
            note, mark = f"{counted(changed[step.id], 'field')} changed", "changed"
        else:
            note, mark = "as before", ""
        faces[step.id] = Face(title_of(step), kind_of(step), note, mark)
    return both, faces


def _is_of_a_step(loc: list[str | int]) -> bool:
    return loc[:1] == ["steps"] and len(loc) > 1
