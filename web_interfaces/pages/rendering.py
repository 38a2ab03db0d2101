"""Templates to responses: whole pages, the live part of a page, and errors as pages.

The live part. A template wraps what changes in `{% block live %}`; htmx asks for the page again
every two seconds and is given this block alone. When what the page shows has come to its end,
the answer has the status 286, at which htmx stops asking.

Function keys. Where the pages ask for a key, a user opens one with `?code=KEY`, as Azure does
everywhere. `link` puts the key into the links of the page, so that it goes along, and the
scripts take it from the address for their calls of the API. Nothing is stored in the browser,
and the referrer policy keeps the address from other hosts.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Awaitable, Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl, urlencode

import azure.functions as func
import jinja2

from config import get_settings
from core.errors import GeoforgeError
from web_interfaces.api.http import refuse_cross_origin, refuse_nul
from web_interfaces.api.openapi import API_VERSION
from web_interfaces.pages import assets, formats, security
from web_interfaces.pages.registry import ROOT, Page, navigation, pages

log = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])

STOP_POLLING = 286

HEADERS = {**security.HEADERS, "Cache-Control": "no-store", "Vary": "HX-Request"}


def auth_level() -> func.AuthLevel:
    """Who may open the pages, by GEOFORGE_PAGES_AUTH."""
    anonymous = get_settings().pages_auth == "anonymous"
    return func.AuthLevel.ANONYMOUS if anonymous else func.AuthLevel.FUNCTION


@lru_cache
def environment() -> jinja2.Environment:
    """Everything that goes into a page is escaped, and an unknown name is an error."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent.parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (
        formats.number, formats.rate, formats.percent, formats.duration, formats.about, formats.ago,
        formats.ahead, formats.iso, formats.utc, formats.utc_minute, formats.words,
        formats.heading, formats.brief, formats.columns, formats.figure, formats.line,
        formats.short_first, formats.byte_size, formats.pretty, formats.area, formats.distance,
        formats.change, formats.anchor, formats.with_code,
    ):  # fmt: skip
        env.filters[function.__name__] = function
    env.globals["between"] = formats.between
    env.globals["asset"] = assets.url
    env.globals["root"] = ROOT
    env.globals["api_version"] = API_VERSION
    return env


def render(
    req: func.HttpRequest,
    template: str,
    *,
    page: Page | None = None,
    live: bool = False,
    status: int = 200,
    **context: Any,
) -> func.HttpResponse:
    """The page, or its live block where htmx asks. `live`: it is worth asking again."""
    text = environment().get_template(template)
    names = {
        "page": page,
        "pages": pages(),
        "navigation": navigation(),
        "live": live,
        "here": link_to(req, **req.params),
        "link": functools.partial(link_to, req),
        "code": req.params.get("code"),
        **context,
    }
    if req.headers.get("HX-Request") == "true" and "live" in text.blocks:
        html = "".join(text.blocks["live"](text.new_context(names)))
        status = status if live else STOP_POLLING
    else:
        html = text.render(names)
    return func.HttpResponse(
        html, status_code=status, mimetype="text/html", charset="utf-8", headers=HEADERS
    )


def link_to(req: func.HttpRequest, path: str | None = None, /, **query: Any) -> str:
    """A link inside the app, with the function key that the request came with.

    Without a path it leads to the page itself. A path may have a query of its own, which comes
    first; what is given beside it takes its place. Query parameters that are None are left out.
    """
    if path is None:
        path = "/" + req.url.split("://", 1)[-1].partition("/")[2].partition("?")[0]
    path, _, own = path.partition("?")
    given = {**query, **({"code": req.params["code"]} if "code" in req.params else {})}
    # A name may be there more than once, as that of several bands.
    kept = [each for each in parse_qsl(own, keep_blank_values=True) if each[0] not in given]
    text = urlencode([*kept, *(each for each in given.items() if each[1] is not None)])
    return f"{path}?{text}" if text else path


def page_endpoint(function: F) -> F:
    """Show the errors of a page, sync or async, as a page with the error's HTTP status.

    A query with a NUL is refused with 422, and a form that the page of another site makes a
    browser send with 403, as calls of the API are.
    """
    if inspect.iscoroutinefunction(function):
        run_async = cast(Callable[..., Awaitable[func.HttpResponse]], function)

        @functools.wraps(function)
        async def guarded_async(
            req: func.HttpRequest, *args: Any, **kwargs: Any
        ) -> func.HttpResponse:
            try:
                refuse_nul(req)
                refuse_cross_origin(req)
                return await run_async(req, *args, **kwargs)
            except GeoforgeError as error:
                return _error_page(req, error)
            except Exception:  # the last line of defence: logged, answered with 500
                return _unknown_error_page(req, function.__name__)

        return cast(F, guarded_async)

    @functools.wraps(function)
    def guarded(req: func.HttpRequest, *args: Any, **kwargs: Any) -> func.HttpResponse:
        try:
            refuse_nul(req)
            refuse_cross_origin(req)
            return cast(func.HttpResponse, function(req, *args, **kwargs))
        except GeoforgeError as error:
            return _error_page(req, error)
        except Exception:  # the last line of defence: logged, answered with 500
            return _unknown_error_page(req, function.__name__)

    return cast(F, guarded)


def _error_page(req: func.HttpRequest, error: GeoforgeError) -> func.HttpResponse:
    return render(req, "error.html", status=error.status, error=error)


def _unknown_error_page(req: func.HttpRequest, name: str) -> func.HttpResponse:
    # The traceback goes to the log, under the page's name; never to its reader.
    log.exception("%s failed", name)
    return _error_page(req, GeoforgeError("Something went wrong; the log has the details."))
