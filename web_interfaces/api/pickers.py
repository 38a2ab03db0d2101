"""GET /api/pickers/{kind}: what can be chosen in a field of a form."""

from __future__ import annotations

import azure.durable_functions as df
import azure.functions as func

from core import jsonb
from core.errors import NotFound
from services import pickers
from services.orchestration.paging import bad_query
from services.pickers import Picker
from web_interfaces.api.documentation import Answer, documented, query
from web_interfaces.api.http import endpoint, integer, json_response, known_query

bp = df.Blueprint()

_TEXT = {"type": "string", "maxLength": pickers.MAX_TEXT}
# A form sends the value of the field that `x-picker-of` names, under the name of that field.
_CONTAINERS = ("container_name", "source_container", "target_container")
_COLLECTIONS = ("collection_id", "source_collection_id", "collection")
_QUERY = (
    query("q", _TEXT, "A part of the name or title; of a blob how its path begins"),
    query("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
    *(query(name, _TEXT, "Container of the blobs") for name in _CONTAINERS),
    *(query(name, _TEXT, "Collection of the items") for name in _COLLECTIONS),
)
_OPTIONS = {
    "type": "object",
    "required": ["options", "more"],
    "properties": {
        "options": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["value", "label", "note"],
                "properties": {
                    "value": {"type": "string"},
                    "label": {"type": "string"},
                    "note": {"type": ["string", "null"]},
                },
            },
        },
        "more": {"type": "boolean", "description": "Whether there are others"},
    },
}


@bp.route(route="api/pickers/{kind}", methods=["GET"])
@documented(tag="Forms", query=_QUERY, answers={200: Answer("The best matches", schema=_OPTIONS)})
@endpoint
def list_options(req: func.HttpRequest) -> func.HttpResponse:
    """What can be chosen in a field: containers, blobs, datasets, collections, tables, countries.

    The kinds are container, blob, dataset, stac_collection, stac_item, table, h3_dataset and
    country. A blob needs its container, an item its collection.
    """
    known_query(req, _QUERY)
    found = pickers.options(
        _kind(req),
        _text(req, "q") or "",
        limit=integer(req, "limit", default=20, low=1, high=100),
        container=_first(req, _CONTAINERS),
        collection=_first(req, _COLLECTIONS),
    )
    return json_response(found)


def _kind(req: func.HttpRequest) -> Picker:
    kind = jsonb.clean_text(str(req.route_params["kind"]))[:100]
    try:
        return Picker(kind)
    except ValueError:
        raise NotFound(
            f"There is nothing of the kind {kind!r} to choose. Known kinds: {', '.join(Picker)}.",
            code="unknown_picker",
            known_kinds=list(Picker),
        ) from None


def _first(req: func.HttpRequest, names: tuple[str, ...]) -> str | None:
    return next((text for name in names if (text := _text(req, name))), None)


def _text(req: func.HttpRequest, name: str) -> str | None:
    text = req.params.get(name)
    if text is None:
        return None
    if len(text) > pickers.MAX_TEXT:
        raise bad_query(name, f"must have at most {pickers.MAX_TEXT} characters")
    return jsonb.clean_text(text.strip())
