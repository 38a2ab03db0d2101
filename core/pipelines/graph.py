"""The order of steps: what each depends on, in which layers they run, and where that goes round."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final

from core.models.pipeline import GateStep, JobStep, Pipeline
from core.pipelines import resolving
from core.pipelines.expressions import Expression, ExpressionError, parse

Dependencies = Mapping[str, frozenset[str]]

_NONE: Final[frozenset[str]] = frozenset()


def dependencies(pipeline: Pipeline) -> dict[str, frozenset[str]]:
    """Of each step, the other steps that must have ended before it begins: those it says it
    comes after, and those that its expressions refer to. What is no step is left out, and of
    two steps of one id the second."""
    known = {step.id for step in pipeline.steps}
    found: dict[str, frozenset[str]] = {}
    for step in pipeline.steps:
        if step.id not in found:
            referred = (name for each in expressions_of(step) for name in each.steps)
            found[step.id] = frozenset(known & {*step.after, *referred}) - {step.id}
    return found


def expressions_of(step: JobStep | GateStep) -> list[Expression]:
    """The expressions of a step that can be read."""
    texts = [step.when]
    if isinstance(step, JobStep):
        texts.append(step.for_each)
        for _, value in resolving.expressions_in(step.parameters):
            text = value.get("$expr")
            texts.append(text if isinstance(text, str) else None)
    found: list[Expression] = []
    for text in texts:
        try:
            found.extend([] if text is None else [parse(text)])
        except ExpressionError:
            # Told by the check, which names its place.
            continue
    return found


def layers(of: Dependencies) -> tuple[tuple[str, ...], ...]:
    """The steps in the order in which they can run: each layer depends on earlier ones only.

    Within a layer they stand as given. Steps that wait for each other in a circle, and those
    behind them, are the last layer: nothing but a drawing can be made of them.
    """
    left = dict(of)
    done: set[str] = set()
    found: list[tuple[str, ...]] = []
    while left:
        ready = tuple(step for step, needed in left.items() if needed <= done) or tuple(left)
        found.append(ready)
        done.update(ready)
        for step in ready:
            del left[step]
    return tuple(found)


def cycles(of: Dependencies) -> list[tuple[str, ...]]:
    """Circles of steps that wait for each other, each as the shortest way round from its first
    step, which is named again at the end. Circles that share a step are one."""
    found: list[tuple[str, ...]] = []
    told: set[str] = set()
    for step in of:
        if step in told:
            continue
        way = _way_back(step, of)
        if way:
            found.append(way)
            told |= _reachable(step, of) & _reachable(step, _reversed(of))
    return found


def _way_back(start: str, of: Dependencies) -> tuple[str, ...]:
    came_from: dict[str, str] = {}
    queue = deque([start])
    while queue:
        step = queue.popleft()
        for needed in sorted(of.get(step, _NONE)):
            if needed == start:
                way = [start, step]
                while way[-1] != start:
                    way.append(came_from[way[-1]])
                # From what comes first to what waits for it.
                return tuple(way)
            if needed not in came_from:
                came_from[needed] = step
                queue.append(needed)
    return ()


def _reachable(start: str, of: Dependencies) -> set[str]:
    seen = {start}
    queue = deque([start])
    while queue:
        for step in of.get(queue.popleft(), _NONE):
            if step not in seen:
                seen.add(step)
                queue.append(step)
    return seen


def _reversed(of: Dependencies) -> dict[str, frozenset[str]]:
    back: dict[str, set[str]] = {step: set() for step in of}
    for step, needed in of.items():
        for each in needed:
            back.setdefault(each, set()).add(step)
    return {step: frozenset(waiting) for step, waiting in back.items()}
