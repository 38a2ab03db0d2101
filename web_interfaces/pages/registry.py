"""The pages that exist. A page registers itself when its module is imported."""

from __future__ import annotations

from dataclasses import dataclass

ROOT = "/api/interface"


@dataclass(frozen=True, slots=True)
class Page:
    """A page as the navigation and the index show it: at /api/interface/<name>.

    is_listed: whether they do; a page for those who build the others is found by its address.
    """

    name: str
    title: str
    description: str
    order: int
    is_listed: bool = True

    @property
    def path(self) -> str:
        return f"{ROOT}/{self.name}"


_pages: dict[str, Page] = {}


def register(page: Page) -> Page:
    """Add a page to navigation and index; the page."""
    if _pages.setdefault(page.name, page) != page:
        raise ValueError(f"two pages are named {page.name!r}")
    return page


def pages() -> list[Page]:
    """All pages, in their order."""
    return sorted(_pages.values(), key=lambda page: (page.order, page.name))


def navigation() -> list[Page]:
    """The pages that the navigation and the index list, in their order."""
    return [page for page in pages() if page.is_listed]
