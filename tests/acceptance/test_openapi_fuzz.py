"""Every operation of the OpenAPI document, asked at random: rightly, wrongly, about what there is.

Held against the document: no answer is a 5xx; each has a documented status, the content type and
the schema that are documented for it. What is not held: that every request which the schemas do
not allow is refused, and every one that they allow is accepted, for what a parameter may be also
depends on what there is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from requests.structures import CaseInsensitiveDict
from schemathesis import APIOperation, BaseSchema, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.acceptance.conftest import Api, api_of, mortal_stack
from tests.servers import StackUnderTest
from tests.support.api_subjects import Subjects

Operation = APIOperation[Any, Any, Any, Any]
Request = Case[Any]

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
FUZZING = settings(
    # The same requests in every run.
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=4,
    # Nothing is shrunk: each fault is told with the request that found it, all of them at once.
    phases=[Phase.generate],
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ],
)
_MOST_TASKS = 20
_SECONDS = 60.0
_LONGEST_ADDRESS = 8000


@pytest.fixture(scope="module")
def mortal() -> Iterator[StackUnderTest]:
    """A stack of this module's own: what is asked of it at random deletes and starts things."""
    with mortal_stack() as stack:
        yield stack


@pytest.fixture(scope="module")
def api(mortal: StackUnderTest) -> Iterator[Api]:
    yield from api_of(mortal)


@pytest.fixture(scope="module")
def subjects(mortal: StackUnderTest, api: Api) -> Subjects:
    return Subjects(mortal, api)


@pytest.fixture(scope="module")
def operations(mortal: StackUnderTest) -> list[Operation]:
    """All operations; those that delete come last."""
    answer = httpx.get(f"{mortal.url}/api/openapi.json", timeout=_SECONDS)
    schema: BaseSchema = schemathesis.openapi.from_dict(answer.raise_for_status().json())
    found = [each.ok() for each in schema.get_all_operations() if isinstance(each, Ok)]
    # An operation that cannot be read is none that could be asked: the document has a fault.
    assert len(found) == len(list(schema.get_all_operations()))
    return sorted(found, key=lambda each: each.method == "delete")


class Asking:
    """Asks a stack, and collects what is wrong with its answers."""

    def __init__(self, stack: StackUnderTest) -> None:
        self._url = stack.url
        self._session = requests.Session()
        self.asked: set[str] = set()
        self.faults: dict[tuple[str, str], str] = {}

    def ask(self, case: Request) -> int:
        """Ask, and hold the answer against the document; its status."""
        _lighten(case)
        answer = case.call(self._url, self._session, allow_redirects=False, timeout=_SECONDS)
        self.asked.add(case.operation.label)
        if len(str(answer.request.url)) > _LONGEST_ADDRESS:
            # No answer of the app: servers of HTTP read no such line.
            return int(answer.status_code)
        try:
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as group:
            for fault in group.exceptions:
                # The same fault in ten answers is one.
                key = (case.operation.label, f"{answer.status_code} {fault}")
                self.faults.setdefault(key, str(group))
        return int(answer.status_code)

    def fuzz(self, operation: Operation, mode: GenerationMode, known: dict[str, str]) -> None:
        """Ask an operation at random, about half of the time about what there is."""
        strategy = operation.as_strategy(generation_mode=mode)
        if known:
            strategy |= operation.as_strategy(generation_mode=mode, path_parameters=known)

        @FUZZING
        @given(case=strategy)
        def ask(case: Request) -> None:
            self.ask(case)

        ask()

    def told(self) -> str:
        """What was wrong, each with a curl that asks again."""
        return "\n\n".join(
            f"{number}. {label}\n{text}"
            for number, ((label, _), text) in enumerate(self.faults.items(), start=1)
        )


def _lighten(case: Request) -> None:
    """Ask for no more work than a test may cost."""
    if isinstance(case.body, dict) and isinstance(tasks := case.body.get("n"), int):
        case.body = {**case.body, "n": min(tasks, _MOST_TASKS), "sleep_ms": 0}


def can_be_wrong(operation: Operation) -> bool:
    """Whether there are requests that the document does not allow: any text may stand in a path,
    and who sends nothing else cannot send anything wrong."""
    raw = operation.definition.raw
    return "requestBody" in raw or any(each["in"] != "path" for each in raw["parameters"])


def test_whatever_is_there_is_shown_as_documented(
    mortal: StackUnderTest, operations: list[Operation], subjects: Subjects
) -> None:
    asking, refused = Asking(mortal), []
    for operation in operations:
        if operation.method == "get":
            case = operation.Case(
                path_parameters=subjects.path_parameters(operation.path),
                query=subjects.query(operation.path),
                headers=CaseInsensitiveDict(),
            )
            status = asking.ask(case)
            if status != 200:
                refused.append((operation.label, status))
    assert not refused
    assert not asking.faults, asking.told()


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_request_breaks_the_server_or_its_documentation(
    mode: GenerationMode,
    mortal: StackUnderTest,
    operations: list[Operation],
    subjects: Subjects,
) -> None:
    asking = Asking(mortal)
    asked = [each for each in operations if mode.is_positive or can_be_wrong(each)]
    for operation in asked:
        asking.fuzz(operation, mode, subjects.path_parameters(operation.path))
    assert asking.asked == {each.label for each in asked}
    assert not asking.faults, asking.told()
