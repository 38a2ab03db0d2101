"""The parts of a page that htmx brings up to date, each at a pace of its own.

A part is a template. The page has all of them; htmx asks for the page again with `?part=NAME` and
gets that part alone. With it goes a digest of what is shown already: where the part is still the
same the answer is empty (204), and htmx leaves it alone.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import azure.functions as func
from markupsafe import Markup

from web_interfaces.pages.rendering import HEADERS, environment, link_to

# What a smaller part saves is less than what its compression costs.
_WORTH_COMPRESSING = 1_400


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a page.

    name: what it is called in the address; its element has the id `live-NAME`.
    template: what it is rendered with.
    seconds: how often it is asked for.
    context: what the template is given, for a request.
    """

    name: str
    template: str
    seconds: int
    context: Callable[[func.HttpRequest], Mapping[str, Any]]

    def html(self, req: func.HttpRequest) -> Markup:
        """The part in its element, which asks for itself again."""
        inner = (
            environment()
            .get_template(self.template)
            .render(
                link=functools.partial(link_to, req),
                code=req.params.get("code"),
                **self.context(req),
            )
        )
        wrapper = environment().get_template("metrics/part.html")
        seen = _digest(inner)
        here = link_to(req, **{**_kept(req), "part": self.name, "seen": seen})
        return Markup(wrapper.render(part=self, here=here, inner=Markup(inner), seen=seen))

    def answer(self, req: func.HttpRequest) -> func.HttpResponse:
        """The part alone, or nothing where it is as it was."""
        html = self.html(req)
        if (seen := req.params.get("seen")) and f'data-seen="{seen}"' in html:
            return func.HttpResponse(status_code=204, headers=HEADERS)
        body, headers = html.encode(), dict(HEADERS)
        headers["Vary"] = "HX-Request, Accept-Encoding"
        if "gzip" in req.headers.get("Accept-Encoding", "") and len(body) > _WORTH_COMPRESSING:
            body = gzip.compress(body, compresslevel=4, mtime=0)
            headers["Content-Encoding"] = "gzip"
        return func.HttpResponse(body, mimetype="text/html", charset="utf-8", headers=headers)


def _digest(html: str) -> str:
    return hashlib.sha256(html.encode()).hexdigest()[:16]


def _kept(req: func.HttpRequest) -> dict[str, str]:
    """The query of the page itself."""
    return {name: value for name, value in req.params.items() if name not in ("part", "seen")}
