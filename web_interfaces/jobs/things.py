"""What a job read and published, as its page shows it, and where a result's names lead."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from core.models.lineage import Lineage, Thing
from web_interfaces.pages import things


@dataclass(frozen=True, slots=True)
class Shown:
    """A thing: what it is, its name, where it leads and its picture, where there are such."""

    kind: str
    title: str
    page: str | None
    picture: str | None


def shown(found: Iterable[Thing], link: Callable[[str], str]) -> list[Shown]:
    """Things for a page, with links that carry the page's function key."""
    return [
        Shown(
            kind=things.kind_of(thing),
            title=things.title_of(thing),
            page=_linked(things.page_of(thing), link),
            picture=_linked(things.picture_of(thing), link),
        )
        for thing in found
    ]


def places(lineage: Lineage, link: Callable[[str], str]) -> dict[str, str]:
    """Where the names of published things lead: in a result they are links."""
    found = {thing.name: things.page_of(thing) for thing in reversed(lineage.published)}
    return {name: link(page) for name, page in found.items() if page is not None}


def _linked(path: str | None, link: Callable[[str], str]) -> str | None:
    return None if path is None else link(path)
