"""Between the host's data and a function's arguments, by the converters of azure.functions.

The converters are those which Microsoft's Python worker uses, so a function gets the same objects
here as there; what the worker receives over gRPC is handed over as `Datum`.
"""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from azure.functions import get_binding_registry
from azure.functions.meta import Datum

TRIGGERS = frozenset(
    {
        "httpTrigger",
        "timerTrigger",
        "serviceBusTrigger",
        "orchestrationTrigger",
        "activityTrigger",
    }
)
INPUTS = frozenset({"durableClient"})
OUTPUTS = frozenset({"http"})

_CONTEXT = "context"
"""A parameter of this name, bound to nothing, receives the invocation context."""


class BindingError(Exception):
    """A function whose bindings this host cannot serve; the message names the function."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the app, as the host sees it. `trigger` is its raw binding."""

    name: str
    code: Callable[..., Any]
    trigger: Mapping[str, Any]
    client_parameters: tuple[str, ...]
    is_async: bool
    wants_context: bool
    return_type: str | None
    annotations: Mapping[str, Any] = field(default_factory=dict)

    @property
    def trigger_type(self) -> str:
        """`httpTrigger`, `timerTrigger`, ..."""
        return str(self.trigger["type"])


def index_function(registered: Any) -> Function:
    """The function in an `azure.functions` registration. Raises BindingError."""
    name = registered.get_function_name()
    code = registered.get_user_function()
    bindings = [json.loads(text) for text in registered.get_raw_bindings()]
    trigger = _trigger_of(name, bindings)
    for binding in bindings:
        if binding is not trigger:
            _check_supported(name, binding)
    try:
        annotations = typing.get_type_hints(code)
    except (NameError, TypeError) as error:
        raise BindingError(f"function '{name}': its annotations cannot be read: {error}") from error
    wants_context = _check_parameters(name, code, bindings)
    _check_annotation(name, trigger, annotations.get(trigger["name"]))
    return Function(
        name=name,
        code=code,
        trigger=trigger,
        client_parameters=tuple(b["name"] for b in bindings if b["type"] == "durableClient"),
        is_async=inspect.iscoroutinefunction(code),
        wants_context=wants_context,
        return_type=_return_type(bindings),
        annotations=annotations,
    )


def decode_argument(
    function: Function, datum: Datum, trigger_metadata: Mapping[str, Datum] | None
) -> Any:
    """The trigger's argument, as the function wants it."""
    converter = _converter(function.trigger_type)
    return converter.decode(datum, trigger_metadata=trigger_metadata or {})


def encode_result(function: Function, result: Any) -> Datum | None:
    """What the function returned, as the host takes it. None for nothing.

    Raises TypeError for a value that the function's return binding does not take.
    """
    if function.return_type is None:
        if result is not None:
            raise TypeError(
                f"function '{function.name}' has no return binding and returned "
                f"{type(result).__name__}"
            )
        return None
    if result is None and function.return_type == "http":
        return None
    converter = _converter(function.return_type)
    try:
        return typing.cast(
            "Datum | None",
            converter.encode(result, expected_type=function.annotations.get("return")),
        )
    except NotImplementedError:
        raise TypeError(
            f"function '{function.name}' returned {type(result).__name__}, which its "
            f"'{function.return_type}' binding does not take"
        ) from None


def _trigger_of(name: str, bindings: list[dict[str, Any]]) -> dict[str, Any]:
    triggers = [binding for binding in bindings if binding["type"].endswith("Trigger")]
    if len(triggers) != 1:
        raise BindingError(f"function '{name}' has {len(triggers)} triggers; it needs one")
    trigger = triggers[0]
    if trigger["type"] not in TRIGGERS:
        raise BindingError(
            f"function '{name}': the trigger '{trigger['type']}' is not supported by the local "
            f"host (supported: {', '.join(sorted(TRIGGERS))})"
        )
    if trigger["type"] == "serviceBusTrigger":
        if "queueName" not in trigger:
            raise BindingError(f"function '{name}': topic subscriptions are not supported")
        if trigger.get("isSessionsEnabled"):
            raise BindingError(f"function '{name}': Service Bus sessions are not supported")
    return trigger


def _check_supported(name: str, binding: Mapping[str, Any]) -> None:
    direction = str(binding.get("direction", "IN")).upper()
    supported = INPUTS if direction == "IN" else OUTPUTS
    if binding["type"] not in supported:
        raise BindingError(
            f"function '{name}': the {direction.lower()}put binding '{binding['type']}' "
            f"('{binding['name']}') is not supported by the local host"
        )


def _check_parameters(name: str, code: Callable[..., Any], bindings: list[dict[str, Any]]) -> bool:
    """Whether the function wants the context. Raises BindingError where names do not match."""
    parameters = set(inspect.signature(code).parameters)
    bound = {binding["name"] for binding in bindings if binding["name"] != "$return"}
    wants_context = _CONTEXT in parameters - bound
    unbound = parameters - bound - {_CONTEXT}
    if unbound:
        raise BindingError(f"function '{name}': no binding for {', '.join(sorted(unbound))}")
    if missing := bound - parameters:
        raise BindingError(f"function '{name}': no parameter for {', '.join(sorted(missing))}")
    return wants_context


def _check_annotation(name: str, trigger: Mapping[str, Any], annotation: Any) -> None:
    converter = _converter(trigger["type"])
    # Orchestrators and entities are wrapped by the SDK, whose wrapper has its own annotation.
    if annotation is None or trigger["type"] == "orchestrationTrigger":
        return
    try:
        fits = converter.check_input_type_annotation(annotation)
    except TypeError:
        fits = False
    if not fits:
        raise BindingError(
            f"function '{name}': the annotation {annotation} of '{trigger['name']}' does not fit "
            f"a {trigger['type']}"
        )


def _return_type(bindings: list[dict[str, Any]]) -> str | None:
    for binding in bindings:
        if binding["name"] == "$return":
            return str(binding["type"])
    for binding in bindings:
        converter = _converter(binding["type"])
        if converter is not None and getattr(converter, "has_implicit_output", lambda: False)():
            return str(binding["type"])
    return None


def _converter(binding_type: str) -> Any:
    return get_binding_registry().get(binding_type)  # type: ignore[no-untyped-call]
