"""Which functions the host takes, and how it names those that it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, List  # noqa: UP035 - the converters know only List

import azure.durable_functions as df
import azure.functions as func
import pytest
from azure.functions.meta import Datum

from local.functions_host.bindings import (
    BindingError,
    decode_argument,
    encode_result,
    index_function,
)
from local.functions_host.http_server import http_response, route_table
from local.functions_host.service_bus_listener import ServiceBusTrigger
from local.functions_host.settings import ServiceBusSettings, SettingsError
from local.functions_host.timers import TimerTrigger
from local.functions_host.worker import Worker

# The SDK recommends types for what an activity takes; plain JSON needs none.
pytestmark = pytest.mark.filterwarnings("ignore:azure.functions df_loads")

BUS = "Endpoint=sb://127.0.0.1;SharedAccessKeyName=k;SharedAccessKey=v;UseDevelopmentEmulator=true"


def _index(register: Callable[[Any], None]) -> Any:
    app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
    register(app)
    [registered] = app.get_functions()
    return index_function(registered)


# ------------------------------------------------------------------ taken


def test_http_function_with_client_and_context() -> None:
    def register(app: Any) -> None:
        @app.route("x/{n:int}", methods=["GET"])
        @app.durable_client_input(client_name="client")
        async def works(req: func.HttpRequest, client: Any, context: func.Context) -> str:
            return "ok"

    function = _index(register)
    assert function.trigger_type == "httpTrigger"
    assert function.client_parameters == ("client",)
    assert function.is_async
    assert function.wants_context
    assert function.return_type == "http"


def test_activity_decodes_json_and_encodes_what_it_returns() -> None:
    def register(app: Any) -> None:
        @app.activity_trigger(input_name="payload")
        def works(payload: dict) -> list:  # type: ignore[type-arg]
            return [payload]

    function = _index(register)
    assert decode_argument(function, Datum('{"a": 1}', "string"), None) == {"a": 1}
    encoded = encode_result(function, [1, None])
    assert encoded is not None
    assert encoded.value == "[1, null]"
    # An activity that returns nothing returns null.
    nothing = encode_result(function, None)
    assert nothing is not None
    assert nothing.value == "null"


def test_result_without_a_binding_for_it_is_an_error() -> None:
    def register(app: Any) -> None:
        @app.timer_trigger(schedule="0 * * * * *", arg_name="timer")
        def works(timer: func.TimerRequest) -> None: ...

    function = _index(register)
    assert encode_result(function, None) is None
    with pytest.raises(TypeError, match="works"):
        encode_result(function, "something")


def test_http_result_of_another_type_is_an_error() -> None:
    def register(app: Any) -> None:
        @app.route("x")
        def works(req: func.HttpRequest) -> func.HttpResponse: ...

    with pytest.raises(TypeError, match="returned dict"):
        encode_result(_index(register), {"a": 1})


def test_cookies_and_no_content_are_answered_as_returned() -> None:
    def register(app: Any) -> None:
        @app.route("x")
        def works(req: func.HttpRequest) -> func.HttpResponse: ...

    answer = func.HttpResponse(b"ignored", status_code=204, headers={"Set-Cookie": "a=b; Path=/"})
    response = http_response(encode_result(_index(register), answer))
    assert response.status == 204
    assert response.body is None
    assert response.headers["Set-Cookie"] == "a=b; Path=/"


# ------------------------------------------------------------------ refused


def blob_trigger(app: Any) -> None:
    @app.blob_trigger(arg_name="blob", path="a/b", connection="C")
    def culprit(blob: func.InputStream) -> None: ...


def entity(app: Any) -> None:
    @app.entity_trigger(context_name="context")
    def culprit(context: Any) -> None: ...


def queue_output(app: Any) -> None:
    @app.route("x")
    @app.generic_output_binding(arg_name="out", type="queue")
    def culprit(req: func.HttpRequest, out: func.Out[str]) -> str: ...


def table_input(app: Any) -> None:
    @app.route("x")
    @app.generic_input_binding(arg_name="row", type="table")
    def culprit(req: func.HttpRequest, row: str) -> str: ...


def topic(app: Any) -> None:
    @app.service_bus_topic_trigger(
        arg_name="m", topic_name="t", subscription_name="s", connection="C"
    )
    def culprit(m: func.ServiceBusMessage) -> None: ...


def sessions(app: Any) -> None:
    @app.service_bus_queue_trigger(
        arg_name="m", queue_name="q", connection="C", is_sessions_enabled=True
    )
    def culprit(m: func.ServiceBusMessage) -> None: ...


def unbound_parameter(app: Any) -> None:
    @app.route("x")
    def culprit(req: func.HttpRequest, other: int) -> str: ...


def missing_parameter(app: Any) -> None:
    @app.route("x")
    def culprit(request: func.HttpRequest) -> str: ...


def wrong_annotation(app: Any) -> None:
    @app.route("x")
    def culprit(req: dict[str, str]) -> str: ...


def builtin_list(app: Any) -> None:
    # The converters know typing.List only; on Azure this app would not start either.
    @app.service_bus_queue_trigger(arg_name="m", queue_name="q", connection="C", cardinality="many")
    def culprit(m: list[func.ServiceBusMessage]) -> None: ...


@pytest.mark.parametrize(
    ("register", "reason"),
    [
        (blob_trigger, "blobTrigger"),
        (entity, "entityTrigger"),
        (queue_output, "output binding 'queue'"),
        (table_input, "input binding 'table'"),
        (topic, "topic"),
        (sessions, "sessions are not supported"),
        (unbound_parameter, "no binding for other"),
        (missing_parameter, "no binding for request"),
        (wrong_annotation, "annotation"),
        (builtin_list, "annotation"),
    ],
)
def test_what_the_host_cannot_serve_is_refused_by_name(
    register: Callable[[Any], None], reason: str
) -> None:
    with pytest.raises(BindingError, match=f"'culprit'.*{reason}"):
        _index(register)


def _worker(register: Callable[[Any], None], tmp_path: Any) -> tuple[Worker, Any]:
    function = _index(register)
    return Worker(tmp_path, [function], threads=1, timeout=None), function


def test_route_with_an_unknown_constraint_is_refused_by_name(tmp_path: Any) -> None:
    def register(app: Any) -> None:
        @app.route("x/{n:unheard}")
        def culprit(req: func.HttpRequest) -> str: ...

    worker, _ = _worker(register, tmp_path)
    with pytest.raises(SettingsError, match=r"'culprit'.*unheard"):
        route_table(worker, "api")


@pytest.mark.parametrize(
    ("schedule", "reason"),
    [("* * 25 * * *", "25"), ("%NOT_SET%", "NOT_SET"), ("0 0 0 30 2 *", "never")],
)
def test_schedule_that_cannot_be_used_is_refused_by_name(
    tmp_path: Any, schedule: str, reason: str
) -> None:
    def register(app: Any) -> None:
        @app.timer_trigger(schedule=schedule, arg_name="timer")
        def culprit(timer: func.TimerRequest) -> None: ...

    worker, function = _worker(register, tmp_path)
    with pytest.raises(SettingsError, match=f"'culprit'.*{reason}"):
        TimerTrigger(function, worker, None, client=None, environment={})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("environment", "reason"),
    [({}, "QUEUE"), ({"QUEUE": "q"}, "BUS"), ({"QUEUE": "q", "BUS": "nonsense"}, "onnection")],
)
def test_queue_that_cannot_be_reached_by_its_settings_is_refused_by_name(
    tmp_path: Any, environment: dict[str, str], reason: str
) -> None:
    def register(app: Any) -> None:
        @app.service_bus_queue_trigger(
            arg_name="ms", queue_name="%QUEUE%", connection="BUS", cardinality="many"
        )
        def culprit(ms: List[func.ServiceBusMessage]) -> None: ...  # noqa: UP006

    worker, function = _worker(register, tmp_path)
    with pytest.raises(SettingsError, match=f"'culprit'.*{reason}"):
        ServiceBusTrigger(
            function, worker, ServiceBusSettings(), client=None, environment=environment
        )


@pytest.mark.parametrize("suffix", ["/$deadletterqueue", "/$DeadLetterQueue"])
def test_dead_letter_queue_is_found_however_it_is_written(tmp_path: Any, suffix: str) -> None:
    def register(app: Any) -> None:
        @app.service_bus_queue_trigger(
            arg_name="m", queue_name=f"%QUEUE%{suffix}", connection="BUS"
        )
        def works(m: func.ServiceBusMessage) -> None: ...

    worker, function = _worker(register, tmp_path)
    trigger = ServiceBusTrigger(
        function,
        worker,
        ServiceBusSettings(),
        client=None,
        environment={"QUEUE": "tasks", "BUS": BUS},
    )
    assert (trigger._queue, trigger._is_dead_letter) == ("tasks", True)
