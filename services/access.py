"""Who may read what is marked restricted: the one rule for features, tiles, reports and pages.

The terms of some sources forbid to show their rows to everyone. What is known of such a table
(title, extent, columns, counts, styles) is open in any case; the rows are shown

- to everyone, where GEOFORGE_SHOW_RESTRICTED says so;
- to whoever sends one of the keys of GEOFORGE_RESTRICTED_KEYS, on any route;
- on Azure, to whoever came through a route that asks for a function key. Other hosts may let
  everyone pass there, so that the key itself must be known to the app.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from config import get_settings
from config.hosting import is_azure
from core.errors import Forbidden
from infrastructure.features_repository import PublishedTable
from services.features.links import collection_id

HOW_TO_BE_SHOWN = (
    "Send a key that GEOFORGE_RESTRICTED_KEYS lists, in the header x-functions-key or as ?code=; "
    "or set GEOFORGE_SHOW_RESTRICTED=1 where everyone who reaches the app may see them."
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request: the function key that it carries, and whether its route asks for one."""

    key: str | None = None
    is_asked_for_key: bool = False


ANYONE = Caller()


def may_see_restricted(caller: Caller) -> bool:
    """Whether the rows of restricted tables are shown to the caller."""
    if get_settings().show_restricted:
        return True
    if caller.is_asked_for_key and is_azure():
        return True
    return caller.key is not None and _is_known(caller.key)


def require_readable(table: PublishedTable, caller: Caller) -> None:
    """Raise `Forbidden` (restricted) for a restricted table that the caller may not see."""
    if table.restricted and not may_see_restricted(caller):
        raise refusal(f"The features of {collection_id(table.name)!r}")


def refusal(what: str) -> Forbidden:
    """The error for what is restricted; `what` begins its message."""
    return Forbidden(
        f"{what} are restricted: the terms of their source do not allow to show them to everyone. "
        f"{HOW_TO_BE_SHOWN}",
        code="restricted",
    )


def _is_known(given: str) -> bool:
    """Whether the key is one of the setting's; it takes as long whichever it is, if any."""
    known = get_settings().restricted_keys
    keys = [] if known is None else known.get_secret_value().split(",")
    # A header may hold bytes that are no UTF-8, which come as surrogates.
    sent = given.encode("utf-8", "surrogatepass")
    equal = [hmac.compare_digest(sent, key.strip().encode()) for key in keys if key.strip()]
    return any(equal)
