"""Things that jobs have published, as the API shows them beside a run's steps."""

from __future__ import annotations

from typing import Any

from core.models.lineage import Thing
from web_interfaces.pages import things


def shown(thing: Thing) -> dict[str, Any]:
    """{kind, name, title, page, picture}: where the app shows it, and a PNG, each null where there
    is none."""
    return {
        "kind": thing.kind,
        "name": thing.name,
        "title": things.title_of(thing),
        "page": things.page_of(thing),
        "picture": things.picture_of(thing),
    }
