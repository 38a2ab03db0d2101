"""What the check lets through has values, and values that fit."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from core.models.pipeline import Pipeline
from core.pipelines import checking, inputs, types
from core.pipelines.expressions import parse
from core.pipelines.expressions.parsing import MAX_LENGTH
from core.pipelines.resolving import resolve
from core.registry import JobRegistry

SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much]

_TABLE = st.fixed_dictionaries(
    {
        "table": st.text("abc./", max_size=6),
        "rows": st.integers(0, 10**6),
        "bbox": st.none() | st.lists(st.floats(-180, 180), min_size=4, max_size=4),
    }
)
LOADED = st.fixed_dictionaries(
    {
        "read": st.integers(0, 10**6),
        "report": st.none() | st.text("abc./", max_size=6),
        # One at least: an index beyond a list is what no check can know of.
        "tables": st.lists(_TABLE, min_size=1, max_size=3),
        "by_reason": st.dictionaries(st.sampled_from("ab"), st.integers(0, 9)),
    }
)
INPUTS: dict[str, Any] = {
    "blob": {"type": "string"},
    "n": {"type": "integer"},
    "share": {"type": "number"},
    "flag": {"type": "boolean"},
    "mode": {"type": "string", "choices": ["replace", "append"]},
    "names": {"type": "list", "items": "string"},
    "maybe": {"type": "string", "required": False},
}
GIVEN = st.fixed_dictionaries(
    {
        "blob": st.text("abc./", max_size=6),
        "n": st.integers(-99, 99),
        "share": st.floats(-9, 9),
        "flag": st.booleans(),
        "mode": st.sampled_from(["replace", "append"]),
        "names": st.lists(st.text("abc", max_size=3), max_size=3),
        "maybe": st.none() | st.text("abc", max_size=3),
    }
)


# The ways to write each kind of expression; a kind in braces stands for another of that kind.
_WAYS: dict[str, tuple[str, ...]] = {
    "text": (
        "inputs.blob", "inputs.mode", "steps.one.outputs.tables[0].table", "steps.one.status",
        "steps.one.job_id", "steps.gate.decision", "run.id", "run.date", "'a/b.c'",
        "basename({text})", "stem({text})", "text({number})", "text({flag})", "({text} + {text})",
        "coalesce({maybe}, {text})", "({text} if {flag} else {text})", "[{text}, {text}][-1]",
    ),
    "maybe": (
        "inputs.maybe", "steps.one.outputs.report", "steps.gate.note", "null",
        "first(steps.many.outputs).report", "first(steps.many.outputs[:].tables[:].table)",
        "first({list})", "({text} if {flag} else null)",
    ),
    "number": (
        "inputs.n", "inputs.share", "steps.one.outputs.read", "3", "0.5", "item_index",
        "steps.one.outputs.tables[0].rows", "length({list})", "length({text})", "-{number}",
        "coalesce(steps.one.outputs.by_reason.c, {number})", "({number} + {number})",
        "({number} * {number})", "({number} - {number})",
    ),
    "whole": ("inputs.n", "steps.one.outputs.read", "3", "length({list})", "({whole} + {whole})"),
    "flag": (
        "inputs.flag", "true", "(steps.gate.decision == 'approved')", "({number} < {number})",
        "({number} != {number})", "({text} >= {text})", "({text} in {list})", "({text} in {text})",
        "({maybe} != null)", "({flag} and {flag})", "({flag} or {flag})", "(not {flag})",
    ),
    "list": (
        "inputs.names", "steps.one.outputs.tables[:].table", "[]", "steps.many.outputs[:].report",
        "steps.many.outputs[:].tables[:].table", "[{text}, {text}]", "({list} + {list})",
        "coalesce({list}, {list})",
    ),
    "odd": (
        "item", "item[:].table", "steps.one.outputs", "steps.many.outputs[:].tables[:].bbox",
        "({maybe} + {maybe})", "({maybe} == {number})", "({maybe} < {text})", "({maybe}).a",
        "({text})[0]", "({list})[:].a", "({number} + {text})", "({odd} if {flag} else {maybe})",
    ),
    "mode": ("inputs.mode", "'append'", "coalesce(inputs.mode, 'replace')", "{odd}"),
    "bbox": ("steps.one.outputs.tables[-1].bbox", "[0, 0, {number}, {number}]", "{odd}"),
    "counts": ("steps.one.outputs.by_reason", "{odd}"),
}  # fmt: skip
_KIND = re.compile(r"\{(\w+)\}")
_MAX_DEPTH = 3


@st.composite
def expressions(draw: st.DrawFn, *kinds: str) -> str:
    """An expression of one of the kinds, in most of which all fits together."""

    def written(kind: str, depth: int) -> str:
        ways = [each for each in _WAYS[kind] if depth < _MAX_DEPTH or "{" not in each]
        return _KIND.sub(lambda part: written(part[1], depth + 1), draw(st.sampled_from(ways)))

    return written(draw(st.sampled_from(kinds)), 0)


ANY = expressions("text", "maybe", "number", "flag", "list", "odd")
PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "label": expressions("text"),
        "n": expressions("whole"),
        "share": expressions("number"),
        "flag": expressions("flag"),
        "names": expressions("list"),
        "mode": expressions("mode"),
        "note": expressions("maybe", "text", "odd"),
        "bbox": expressions("bbox"),
        "counts": expressions("counts"),
    },
)
CHOSEN = st.one_of(PARAMETERS, st.dictionaries(st.sampled_from(["label", "n", "names"]), ANY))


def _without_faults(document: dict[str, Any], jobs: JobRegistry) -> dict[str, Any]:
    """The document without the parameters and conditions that the check complains of."""
    for each in checking.check_document(document, jobs).errors:
        _, step_id, field, *place = each["loc"]
        step = next(step for step in document["steps"] if step["id"] == step_id)
        if field == "parameters":
            step["parameters"].pop(place[0], None)
        else:
            step.pop(field, None)
    return document


@settings(max_examples=120, deadline=None, suppress_health_check=SLOW)
@given(
    texts=CHOSEN,
    when=expressions("flag", "odd"),
    for_each=expressions("list", "odd"),
    needs=st.sampled_from(["success", "end"]),
    given_inputs=GIVEN,
    one=LOADED,
    many=st.lists(LOADED, max_size=2),
    failed=st.booleans(),
)
def test_what_is_let_through_has_values_that_fit(
    texts: dict[str, str],
    when: str,
    for_each: str,
    needs: str,
    given_inputs: dict[str, Any],
    one: dict[str, Any],
    many: list[dict[str, Any]],
    failed: bool,
    jobs: JobRegistry,
) -> None:
    """Expressions without an error in the check are evaluated without one, whatever the steps
    before have given, and the job takes the values."""
    items = {"names": [{"$expr": "text(item_index)"}], "note": {"$expr": "item"}}
    last = {
        "id": "last",
        "kind": "job",
        "job": "draw",
        "needs": needs,
        "when": when,
        "for_each": for_each,
        "parameters": {name: {"$expr": text} for name, text in texts.items()} | items,
    }
    document = {
        "name": "parks",
        "inputs": INPUTS,
        "steps": [
            {"id": "one", "kind": "job", "job": "draw"},
            {"id": "many", "kind": "job", "job": "draw", "for_each": "[1]"},
            {"id": "gate", "kind": "gate", "message": "?"},
            last,
        ],
    }
    document = _without_faults(document, jobs)
    # Without its for_each, what was said of its items is at fault too.
    document = _without_faults(document, jobs)
    assert checking.check_document(document, jobs).errors == []

    lost = failed and needs == "end"
    note = None if failed else "well"
    scope: dict[str, Any] = {
        "inputs": checking.check_inputs(Pipeline.model_validate(document), given_inputs),
        "steps": {
            "one": {
                "outputs": None if lost else one,
                "status": "failed" if lost else "completed",
                "job_id": None if lost else "j",
            },
            "many": {"outputs": None if lost else many, "status": "completed"},
            "gate": {
                "decision": None if lost else "approved", "note": note, "status": "completed",
            },
        },
        "run": {"id": "r", "date": "2026-11-23"},
    }  # fmt: skip
    if "when" in last:
        assert isinstance(parse(when).evaluate(scope), bool)
        event("a condition")
    if "for_each" in last:
        event("items")
        values = parse(for_each).evaluate(scope)
        assert isinstance(values, list)
        scopes = [{**scope, "item": each, "item_index": i} for i, each in enumerate(values)]
    else:
        scopes = [scope]
    for each_scope in scopes:
        resolved = resolve(last["parameters"], each_scope)
        event(f"{len(resolved)} parameters")
        jobs.get("draw").parameters.model_validate_json(json.dumps(resolved), strict=True)


@settings(max_examples=120, deadline=None, suppress_health_check=SLOW)
@given(ANY, GIVEN)
def test_values_are_of_the_type_that_was_inferred(text: str, given_inputs: dict[str, Any]) -> None:
    assume(len(text) <= MAX_LENGTH)
    expression = parse(text)
    assume(not (expression.steps or expression.uses_item))
    pipeline = Pipeline.model_validate({"name": "parks", "inputs": INPUTS})
    scope = {
        "inputs": types.Object(
            {name: types.Property(inputs.type_of(each)) for name, each in pipeline.inputs.items()}
        ),
        "run": types.Object(
            {"id": types.Property(types.Text()), "date": types.Property(types.Text())}
        ),
    }
    try:
        inferred = expression.type_in(scope)
    except ValueError:
        return
    value = expression.evaluate({"inputs": given_inputs, "run": {"id": "r", "date": "2026-11-23"}})
    assert types.why_not(types.type_of(value), inferred) is None
