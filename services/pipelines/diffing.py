"""What changed between two versions of a pipeline.

A place is named as in the errors of a check: a step by its id, whatever its position. Objects are
compared field by field; an expression, a list and a position in the drawing are one value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypedDict

from core.models.pipeline import EXPRESSION, Pipeline

JsonObject = dict[str, Any]
Loc = list[str | int]


class Change(TypedDict):
    """One difference. `before` is null where something was added, `after` where it was removed."""

    change: Literal["added", "removed", "changed"]
    loc: Loc
    before: Any
    after: Any


def changes(before: Pipeline, after: Pipeline) -> list[Change]:
    """The differences from one version to another, in the order of the document."""
    return list(_compare(_by_name(before), _by_name(after), []))


def _by_name(pipeline: Pipeline) -> JsonObject:
    """The document with its steps by id, and with what is so by default."""
    document = pipeline.model_dump(mode="json")
    steps = {step.pop("id"): step for step in document.pop("steps")}
    layout = document.pop("layout")
    return {**document, "steps": steps, "order": list(steps), "layout": layout}


def _compare(before: JsonObject, after: JsonObject, at: Loc) -> Iterator[Change]:
    for name in [*before, *(name for name in after if name not in before)]:
        old, new = before.get(name), after.get(name)
        loc = [*at, name]
        if loc == ["order"]:
            yield from _moved(old or [], new or [])
        elif old == new:
            continue
        elif _is_group(old) and _is_group(new) and at[:1] != ["layout"]:
            yield from _compare(old or {}, new or {}, loc)
        else:
            yield _change(loc, old, new)


def _is_group(value: Any) -> bool:
    """Whether its fields are compared one by one."""
    return isinstance(value, Mapping) and EXPRESSION not in value


def _change(loc: Loc, old: Any, new: Any) -> Change:
    if old is None:
        return {"change": "added", "loc": loc, "before": None, "after": _brief(loc, new)}
    if new is None:
        return {"change": "removed", "loc": loc, "before": _brief(loc, old), "after": None}
    return {"change": "changed", "loc": loc, "before": old, "after": new}


def _brief(loc: Loc, value: Any) -> Any:
    """The value; a whole step or input without the fields that are empty."""
    if loc[0] not in ("steps", "inputs") or len(loc) != 2:
        return value
    return {name: each for name, each in value.items() if each not in (None, "", [], {})}


def _moved(old: list[str], new: list[str]) -> Iterator[Change]:
    """The steps in another order; those that only one version has do not count."""
    kept_before = [step for step in old if step in new]
    kept_after = [step for step in new if step in old]
    if kept_before != kept_after:
        yield {"change": "changed", "loc": ["steps"], "before": old, "after": new}
