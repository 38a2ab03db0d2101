"""Pipelines that come with geoforge, as documents beside this file: each runs in the demo."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources
from typing import Any


@lru_cache
def _texts() -> tuple[str, ...]:
    folder = resources.files(__name__)
    found = sorted(each.name for each in folder.iterdir() if each.name.endswith(".json"))
    return tuple(folder.joinpath(name).read_text("utf-8") for name in found)


def documents() -> list[dict[str, Any]]:
    """The documents of all examples, by name."""
    return [json.loads(text) for text in _texts()]
