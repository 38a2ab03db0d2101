"""Route templates of HTTP triggers, matched as ASP.NET Core matches them.

https://learn.microsoft.com/aspnet/core/fundamentals/routing#route-templates: literals,
{name}, {name:constraint}, {name?}, {name=default}, {*rest}; letters in any case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from urllib.parse import unquote

Target = TypeVar("Target")

_PARAMETER = re.compile(
    r"\{(?P<star>\*{0,2})(?P<name>\w+)(?P<constraints>(?::[^{}?=]+)*)"
    r"(?P<optional>\?)?(?:=(?P<default>[^{}]*))?\}"
)

_CONSTRAINTS: Mapping[str, str] = {
    "int": r"-?\d+",
    "long": r"-?\d+",
    "decimal": r"-?\d+(?:\.\d+)?",
    "double": r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?",
    "float": r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?",
    "alpha": r"[A-Za-z]+",
    "bool": r"true|false",
    "guid": r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}",
}

# The order in which templates are tried, segment by segment (RoutePrecedence in ASP.NET Core).
_LITERAL, _CONSTRAINED, _FREE, _CONSTRAINED_REST, _REST = 1, 2, 3, 4, 5


class RouteError(ValueError):
    """A template that cannot be understood."""


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled route template."""

    text: str
    pattern: re.Pattern[str]
    precedence: tuple[int, ...]
    defaults: Mapping[str, str]

    @classmethod
    def compile(cls, text: str) -> Template:
        """The template in `text`, as 'jobs/{id:int}/{*rest}'. Raises RouteError."""
        pattern, precedence, defaults = "", [], {}
        for segment in filter(None, text.strip("/").split("/")):
            match = _PARAMETER.fullmatch(segment)
            if match is None:
                part, rank = _mixed_segment(text, segment)
                pattern += f"/{part}"
                precedence.append(rank)
                continue
            expression, constrained = _expression(text, match)
            group = f"/(?P<{match['name']}>{expression})"
            if match["default"] is not None:
                defaults[match["name"]] = match["default"]
            skippable = match["star"] or match["optional"] or match["default"] is not None
            pattern += f"(?:{group})?" if skippable else group
            if match["star"]:
                precedence.append(_CONSTRAINED_REST if constrained else _REST)
            else:
                precedence.append(_CONSTRAINED if constrained else _FREE)
        try:
            compiled = re.compile(f"{pattern}/?", re.IGNORECASE)
        except re.error as error:
            raise RouteError(f"route '{text}': {error}") from error
        return cls(text, compiled, tuple(precedence), defaults)

    def match(self, raw_path: str) -> dict[str, str] | None:
        """The parameters of a percent-encoded path, decoded; None if it does not match."""
        found = self.pattern.fullmatch(raw_path)
        if found is None:
            return None
        values = {name: unquote(v) for name, v in found.groupdict().items() if v is not None}
        return {**self.defaults, **values}


@dataclass(frozen=True, slots=True)
class Route(Generic[Target]):
    """A template, the methods it takes (none: all) and where it leads."""

    template: Template
    methods: frozenset[str]
    target: Target

    def takes(self, method: str) -> bool:
        """Whether the route serves this method. What serves GET serves HEAD."""
        return (
            not self.methods
            or method in self.methods
            or (method == "HEAD" and "GET" in self.methods)
        )


@dataclass(frozen=True, slots=True)
class Found(Generic[Target]):
    """The route of a request, with its parameters."""

    target: Target
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class WrongMethod:
    """The path exists, for other methods."""

    allowed: tuple[str, ...]


@dataclass(slots=True)
class RouteTable(Generic[Target]):
    """All routes, the most specific first."""

    routes: list[Route[Target]] = field(default_factory=list)

    def add(self, text: str, methods: Iterable[str], target: Target) -> None:
        """Add a route. Raises RouteError."""
        route = Route(Template.compile(text), frozenset(m.upper() for m in methods), target)
        self.routes.append(route)
        self.routes.sort(key=lambda route: route.template.precedence)

    def find(self, method: str, raw_path: str) -> Found[Target] | WrongMethod | None:
        """The route of a request: None for an unknown path."""
        allowed: set[str] = set()
        for route in self.routes:
            parameters = route.template.match(raw_path)
            if parameters is None:
                continue
            if route.takes(method):
                return Found(route.target, parameters)
            allowed |= route.methods
        return WrongMethod(tuple(sorted(allowed))) if allowed else None


def _mixed_segment(text: str, segment: str) -> tuple[str, int]:
    """A literal segment, or one that mixes literals with parameters: 'file-{name}.json'."""
    expression, position, constrained = "", 0, False
    for match in _PARAMETER.finditer(segment):
        if match["star"] or match["optional"] or match["default"] is not None:
            raise RouteError(f"route '{text}': '{match[0]}' must be a segment of its own")
        inner, constrained = _expression(text, match)
        expression += re.escape(segment[position : match.start()])
        expression += f"(?P<{match['name']}>{inner})"
        position = match.end()
    literal = segment[position:]
    if "{" in literal or "}" in literal:
        raise RouteError(f"route '{text}': '{segment}' cannot be understood")
    if position == 0:
        return re.escape(literal), _LITERAL
    return expression + re.escape(literal), _CONSTRAINED if constrained else _FREE


def _expression(text: str, match: re.Match[str]) -> tuple[str, bool]:
    """The regular expression of a parameter, and whether it is constrained."""
    expression = ".*" if match["star"] else "[^/]+"
    names = [name for name in match["constraints"].split(":") if name]
    for name in names:
        if name not in _CONSTRAINTS:
            raise RouteError(f"route '{text}': the constraint '{name}' is not supported")
        expression = _CONSTRAINTS[name]
    return expression, bool(names)
