"""What holds of all documents: they come back as they were, and the check never raises."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from core.models.pipeline import Pipeline
from core.pipelines import checking
from core.registry import JobRegistry

SLOW = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["$expr", "id", "kind", "a"]) | st.text(max_size=3), inner
        )
    ),
    max_leaves=8,
)

# Documents

_IDS = st.sampled_from(["a", "b", "c", "d"])
_TEXTS = st.sampled_from(["inputs.x", "steps.a.outputs.read > 1", "steps.b.outputs", "1 +", "true"])
_VALUES = st.one_of(
    JSON.filter(lambda each: "NaN" not in json.dumps(each) and "Inf" not in json.dumps(each)),
    st.fixed_dictionaries({"$expr": _TEXTS}),
)
_STEP: dict[str, Any] = {
    "title": st.text(max_size=5),
    "after": st.lists(_IDS, max_size=2),
    "needs": st.sampled_from(["success", "end"]),
    "when": _TEXTS,
    "on_failure": st.sampled_from(["stop", "continue"]),
}
_JOB = st.fixed_dictionaries(
    {"id": _IDS, "kind": st.just("job"), "job": st.sampled_from(["draw", "load", "nix"])},
    optional=_STEP
    | {
        "parameters": st.dictionaries(st.sampled_from(["n", "label", "bbox", "x"]), _VALUES),
        "for_each": _TEXTS,
        "max_parallel": st.integers(1, 64),
        "max_failed_share": st.floats(0, 1),
    },
)
_GATE = st.fixed_dictionaries(
    {"id": _IDS, "kind": st.just("gate"), "message": st.text(min_size=1, max_size=5)},
    optional=_STEP | {"timeout_hours": st.floats(0.1, 100)},
)
_INPUT = st.fixed_dictionaries(
    {"type": st.sampled_from(["string", "integer", "number", "boolean"])},
    optional={
        "description": st.text(max_size=5),
        "required": st.just(False),
        "choices": st.lists(_VALUES, min_size=1, max_size=3),
        "picker": st.just("blob"),
    },
)
_PLACE = st.fixed_dictionaries({"x": st.floats(0, 9), "y": st.integers(0, 9)})
DOCUMENTS = st.fixed_dictionaries(
    {"format": st.just("geoforge.pipeline/1"), "name": st.just("parks")},
    optional={
        "title": st.text(max_size=5),
        "inputs": st.dictionaries(st.sampled_from("xy"), _INPUT),
        "steps": st.lists(st.one_of(_JOB, _GATE), max_size=4),
        "schedule": st.fixed_dictionaries(
            {"cron": st.sampled_from(["0 2 * * *", "nix"])},
            optional={"inputs": st.dictionaries(st.sampled_from("xy"), _VALUES)},
        ),
        "layout": st.dictionaries(_IDS, _PLACE, max_size=2),
    },
)


@SLOW
@given(DOCUMENTS)
def test_a_document_comes_back_as_it_was_written(document: dict[str, Any]) -> None:
    pipeline = Pipeline.model_validate(document)
    written = pipeline.as_document()
    assert Pipeline.model_validate(written) == pipeline
    assert Pipeline.model_validate(json.loads(json.dumps(written))).as_document() == written


@SLOW
@given(document=DOCUMENTS)
def test_a_pipeline_is_checked_as_its_document_is(
    document: dict[str, Any], jobs: JobRegistry
) -> None:
    check = checking.check_document(document, jobs)
    assert checking.check(Pipeline.model_validate(document), jobs) == check
    assert checking.check_document(Pipeline.model_validate(document).as_document(), jobs) == check


@SLOW
@given(document=DOCUMENTS, odd=JSON, data=st.data())
def test_anything_can_be_checked(
    document: dict[str, Any], odd: object, data: st.DataObject, jobs: JobRegistry
) -> None:
    """Something odd anywhere in a document is told, or does no harm: the check never raises."""
    checking.check_document(odd, jobs)
    broken = copy.deepcopy(document)
    at: Any = broken
    while True:
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        key = data.draw(st.sampled_from([*keys, "extra"] if isinstance(at, dict) else keys))
        inner = None if key == "extra" else at[key]
        if not inner or not isinstance(inner, (dict, list)) or data.draw(st.booleans()):
            at[key] = odd
            break
        at = inner
    check = checking.check_document(broken, jobs)
    try:
        Pipeline.model_validate(broken)
    except ValidationError:
        assert check.errors
    for each in [*check.errors, *check.warnings]:
        assert each["msg"]
        assert all(isinstance(part, (str, int)) for part in each["loc"])
