"""Steering a stand-in that runs by itself, over HTTP below /_standin.

GET  /_standin            how much there is, and how often it was asked for what
POST /_standin/events     {"inserts": 100, "edits": 50, "deletes": 10, "seed": 1}: such a day passes
POST /_standin/clock      {"advance_seconds": 86400}
POST /_standin/access     {"revoke": true}, {"expires_in": 60}, {"terms_accepted": false},
                          {"may_read": false}, {"embargo_months": 12}
POST /_standin/faults     {"answer": 429, "times": 2, "retry_after": 1}, {"html": true},
                          {"refuse": "Internal error"}, {"clear": true}, or one of {"json_bytes":
                          900}, {"sent_bytes": 900}, {"missing": 3}, {"repeated": 3},
                          {"without_total": true}; with "times", "after" and "route" as liked
POST /_standin/settings   {"requests_per_minute": 60}, {"page_rows": 1000}, {"counts": false},
                          {"latency_seconds": 0.2}
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import timedelta
from typing import Any

from local.standins.acled.faults import Spoiled
from local.standins.acled.server import Acled, Control

Said = dict[str, Any]

_MISUNDERSTOOD = (AttributeError, KeyError, TypeError, ValueError)
_SPOILED = {each.name for each in fields(Spoiled)}
_OF_ACCOUNT = {"terms_accepted", "may_read", "embargo_months"}
_OF_SERVER = {"page_rows", "counts", "latency_seconds"}


def control(acled: Acled) -> Control:
    """What answers requests below /_standin."""
    steps: dict[str, Callable[[Acled, Said], Said]] = {
        "/_standin/events": _events,
        "/_standin/clock": _clock,
        "/_standin/access": _access,
        "/_standin/faults": _faults,
        "/_standin/settings": _settings,
    }

    def answer(method: str, path: str, said: Said) -> tuple[int, Said]:
        if (method, path) == ("GET", "/_standin"):
            return 200, _state(acled)
        if method != "POST" or path not in steps:
            return 404, {"error": f"there is no {method} {path}"}
        try:
            return 200, steps[path](acled, said)
        except _MISUNDERSTOOD as error:
            return 400, {"error": f"{type(error).__name__}: {error}"}

    return answer


def _state(acled: Acled) -> Said:
    return {
        "now": acled.clock.now().isoformat(),
        "events": len(acled.events),
        "deletions": len(acled.events.deletions()),
        "timestamps": acled.events.checksum(),
        "requests": acled.counted(),
        "logins": acled.access.logins,
        "refreshes": acled.access.refreshes,
    }


def _events(acled: Acled, said: Said) -> Said:
    change = acled.events.churn(**{name: int(value) for name, value in said.items()})
    return {
        "inserted": change.inserted,
        "edited": change.edited,
        "deleted": change.deleted,
    }


def _clock(acled: Acled, said: Said) -> Said:
    return {"now": acled.clock.advance(timedelta(seconds=said["advance_seconds"])).isoformat()}


def _access(acled: Acled, said: Said) -> Said:
    _know(said, {"revoke", "expires_in", *_OF_ACCOUNT})
    if said.get("revoke") is True:
        acled.access.revoke()
    if "expires_in" in said:
        acled.access.expires_in = int(said["expires_in"])
    acled.access.change(**{name: said[name] for name in _OF_ACCOUNT & said.keys()})
    return said


def _faults(acled: Acled, said: Said) -> Said:
    faults = acled.faults
    how = {name: said[name] for name in ("times", "after", "route") if name in said}
    spoiled = {name: said[name] for name in _SPOILED & said.keys()}
    if "answer" in said:
        faults.answer(int(said["answer"]), retry_after=said.get("retry_after"), **how)
    elif said.get("html") is True:
        faults.html(**how)
    elif "refuse" in said:
        faults.refuse(str(said["refuse"]), **how)
    elif spoiled:
        faults.spoil(Spoiled(**spoiled), **how)
    elif said.get("clear") is True:
        faults.clear()
    else:
        raise ValueError(f"no fault is known by {sorted(said)}")
    return said


def _settings(acled: Acled, said: Said) -> Said:
    _know(said, {"requests_per_minute", *_OF_SERVER})
    if "requests_per_minute" in said:
        acled.rate.requests = said["requests_per_minute"]
    for name in _OF_SERVER & said.keys():
        setattr(acled, name, said[name])
    return said


def _know(said: Said, known: set[str]) -> None:
    if unknown := set(said) - known:
        raise ValueError(f"{sorted(unknown)} is none of {sorted(known)}")
