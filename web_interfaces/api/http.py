"""What all HTTP endpoints share: one error shape, JSON in and out, paging.

An endpoint is a plain function of a request, wrapped by `endpoint`, which turns every error
into application/problem+json (RFC 9457)::

    @bp.route("api/things/{thing_id}", methods=["GET"])
    @endpoint
    def get_thing(req: func.HttpRequest) -> func.HttpResponse:
        return json_response(things.get(req.route_params["thing_id"]))
"""

from __future__ import annotations

import functools
import inspect
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import azure.functions as func

from config import get_settings
from core.errors import (
    FieldError,
    Forbidden,
    GeoforgeError,
    InvalidParameters,
    InvalidRequest,
    PayloadTooLarge,
)
from core.times import iso_utc
from services.orchestration.paging import bad_query

log = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])

_TITLES = {
    400: "Bad request",
    403: "Forbidden",
    404: "Not found",
    409: "Conflict",
    412: "Precondition failed",
    413: "Payload too large",
    422: "Invalid parameters",
    500: "Internal error",
    503: "Service unavailable",
}

# Cache-Control of what is restricted: another reader of the same cache may not be allowed to see
# it, be it a proxy's or a browser's.
KEPT_BY_NOBODY = "private, no-store"

_ACTING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_HOST_PARAMETERS = frozenset({"code", "clientId"})


def _encode(value: Any) -> Any:
    """ISO 8601 UTC for times; everything else must be JSON already."""
    if isinstance(value, datetime):
        return iso_utc(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def to_json(value: Any) -> str:
    """The value as compact JSON that can be encoded as UTF-8. Raises as `json_response`."""
    text = json.dumps(value, default=_encode, ensure_ascii=False, separators=(",", ":"))
    # A lone surrogate, echoed from a request, has no UTF-8: it goes out as it came, escaped.
    return text.encode("utf-8", "backslashreplace").decode()


def json_response(
    value: Any,
    status: int = 200,
    *,
    headers: Mapping[str, str] | None = None,
    content_type: str = "application/json",
) -> func.HttpResponse:
    """A response with the value as JSON, its times in ISO 8601 UTC.

    Raises TypeError for a value that is neither JSON nor a time.
    """
    return func.HttpResponse(
        to_json(value), status_code=status, mimetype=content_type, headers=dict(headers or {})
    )


def problem(error: GeoforgeError) -> func.HttpResponse:
    """The error as application/problem+json; `errors` lists the fields at fault."""
    body: dict[str, Any] = {
        "type": f"urn:geoforge:problem:{error.error_code}",
        "title": _TITLES.get(error.status, "Error"),
        "status": error.status,
        "code": error.error_code,
        "detail": error.message,
        **error.details,
    }
    if isinstance(error, InvalidParameters):
        body["errors"] = error.errors
    headers = {"Retry-After": "5"} if error.status == 503 else {}
    return json_response(
        body, error.status, headers=headers, content_type="application/problem+json"
    )


def _internal_error(name: str) -> func.HttpResponse:
    # The traceback goes to the log, under the endpoint's name; never to the caller.
    log.exception("%s failed", name)
    return problem(GeoforgeError("Something went wrong inside geoforge; the log has the details."))


def endpoint(function: F) -> F:
    """Turn the errors of an endpoint, sync or async, into problem+json.

    A request that acts (POST, PUT, PATCH, DELETE) is refused with 403 where a browser sends it
    for a page of another site.
    """
    return _guarded(function, check=refuse_cross_origin)


def open_endpoint(function: F) -> F:
    """As `endpoint`, for what pages of every site may ask: it must change nothing."""
    return _guarded(function, check=None)


def _guarded(function: F, check: Callable[[func.HttpRequest], None] | None) -> F:
    if inspect.iscoroutinefunction(function):
        run_async = cast(Callable[..., Awaitable[func.HttpResponse]], function)

        @functools.wraps(function)
        async def guarded_async(
            req: func.HttpRequest, *args: Any, **kwargs: Any
        ) -> func.HttpResponse:
            try:
                refuse_nul(req)
                if check is not None:
                    check(req)
                return await run_async(req, *args, **kwargs)
            except GeoforgeError as error:
                return problem(error)
            except Exception:  # the last line of defence: logged, answered with 500
                return _internal_error(function.__name__)

        return cast(F, guarded_async)

    @functools.wraps(function)
    def guarded(req: func.HttpRequest, *args: Any, **kwargs: Any) -> func.HttpResponse:
        try:
            refuse_nul(req)
            if check is not None:
                check(req)
            return cast(func.HttpResponse, function(req, *args, **kwargs))
        except GeoforgeError as error:
            return problem(error)
        except Exception:  # the last line of defence: logged, answered with 500
            return _internal_error(function.__name__)

    return cast(F, guarded)


def refuse_nul(req: func.HttpRequest) -> None:
    """Refuse a query with a NUL, which no text in PostgreSQL can hold. Raises `InvalidParameters`.

    Wrappers of endpoints and pages ask this, so that no query of the database has to.
    """
    for name, value in req.params.items():
        if "\0" in name or "\0" in value:
            raise bad_query(name.replace("\0", "\\0"), "must not hold a NUL")


def refuse_cross_origin(req: func.HttpRequest) -> None:
    """Refuse what the page of another site makes a browser send.

    Such a POST needs no preflight if its body is said to be text/plain, so a local host without
    keys, or a cookie of App Service Authentication, would be at the command of every page that
    its user opens. Programs send neither of the two headers. Raises `Forbidden`.

    https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
    """
    if req.method.upper() not in _ACTING:
        return
    origin = req.headers.get("Origin")
    if req.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site") or (
        origin is not None and not _is_own(origin, req)
    ):
        raise Forbidden(
            "Pages of another site may not send this request"
            + (f": its origin is {origin!r}." if origin else "."),
            code="cross_origin",
        )


def _is_own(origin: str, req: func.HttpRequest) -> bool:
    """Whether the origin is the host that was asked, or the one that users know (a gateway)."""
    asked = _authority(f"//{req.headers.get('Host', '')}", origin)
    public = _authority(get_settings().public_url or "", origin)
    return _authority(origin, origin) in {asked, public} - {None}


def _authority(url: str, origin: str) -> tuple[str, int] | None:
    """Host and port of a URL, whose scheme is the origin's where it has none; or None."""
    try:
        address = urlsplit(url)
        scheme = address.scheme or urlsplit(origin).scheme
        port = address.port or (443 if scheme == "https" else 80)
    except ValueError:
        return None
    return None if address.hostname is None else (address.hostname, port)


def json_object(req: func.HttpRequest) -> dict[str, Any]:
    """The request's body as a JSON object. An empty body counts as {}."""
    body = req.get_body()
    limit = get_settings().max_request_bytes
    if len(body) > limit:
        raise PayloadTooLarge(f"The body has {len(body)} bytes; at most {limit} are accepted.")
    if not body.strip():
        return {}
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(
            f"The body is not valid JSON: {error}", code="malformed_json"
        ) from None
    if not isinstance(value, dict):
        raise InvalidRequest(
            f"The body must be a JSON object, not {_json_kind(value)}.", code="not_an_object"
        )
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _json_kind(value: object) -> str:
    kinds: dict[type, str] = {list: "an array", str: "a string", bool: "a boolean"}
    return kinds.get(type(value), "null" if value is None else "a number")


def known_query(req: func.HttpRequest, documented: Sequence[Mapping[str, Any]] = ()) -> None:
    """Refuse query parameters that are not documented, as a misspelt ?dryrun=true.

    `code` and `clientId` are the host's: they carry the function key and name it. Raises
    `InvalidParameters` naming each of the others.
    """
    known = {str(each["name"]) for each in documented}
    unknown = sorted(set(req.params) - known - _HOST_PARAMETERS)
    if unknown:
        expected = f"the known ones are {', '.join(sorted(known))}" if known else "there are none"
        message = f"Unknown query parameter {', '.join(map(repr, unknown))}: {expected}."
        errors: list[FieldError] = [
            {"loc": ["query", name], "msg": "is not known here"} for name in unknown
        ]
        raise InvalidParameters(message, errors)


def flag(req: func.HttpRequest, name: str) -> bool:
    """A boolean of the query string: ?dry_run=true."""
    text = req.params.get(name)
    if text is None:
        return False
    if text.lower() in ("true", "1", "yes", ""):
        return True
    if text.lower() in ("false", "0", "no"):
        return False
    raise bad_query(name, "must be true or false")


def integer(req: func.HttpRequest, name: str, *, default: int, low: int, high: int) -> int:
    """An integer of the query string, within [low, high]."""
    text = req.params.get(name)
    if text is None:
        return default
    try:
        value = int(text)
    except ValueError:
        raise bad_query(name, "must be an integer") from None
    if not low <= value <= high:
        raise bad_query(name, f"must be between {low} and {high}")
    return value


def base_url(req: func.HttpRequest) -> str:
    """The address under which the caller reaches the app, without a trailing slash.

    GEOFORGE_URL where it is set (behind a gateway); else scheme and host of the request.
    """
    public = get_settings().public_url
    if public:
        return public.rstrip("/")
    address = urlsplit(req.url)
    return f"{address.scheme}://{address.netloc}"
