"""Steering a stand-in that runs by itself, over HTTP below /_standin.

GET  /_standin             what it offers, and what it was asked
POST /_standin/releases    {"dataset_name": "wdpa", "number": 2}: offer another release
POST /_standin/faults      {"answer": 429, "times": 2, "retry_after": 1}
                           {"answer_download": 503}, {"truncate": 100000, "times": 1},
                           {"bytes_per_second": 1000000}, {"expire_links": true},
                           {"clear": true}
"""

from __future__ import annotations

from typing import Any

from local.standins.ibat.library import Library
from local.standins.ibat.server import Control, Ibat

Said = dict[str, Any]

_MISUNDERSTOOD = (KeyError, TypeError, ValueError)


def control(ibat: Ibat, library: Library) -> Control:
    """What answers requests below /_standin."""

    def answer(method: str, path: str, said: Said) -> tuple[int, Said]:
        if (method, path) == ("GET", "/_standin"):
            return 200, _state(ibat)
        try:
            if (method, path) == ("POST", "/_standin/releases"):
                name, number = str(said["dataset_name"]), int(said["number"])
                return 200, {"dataset_name": name, "update_date": library.offer(ibat, name, number)}
            if (method, path) == ("POST", "/_standin/faults"):
                _ask_for(ibat, said)
                return 200, {"asked_for": said}
        except _MISUNDERSTOOD as error:
            return 400, {"error": f"{type(error).__name__}: {error}"}
        return 404, {"error": f"there is no {method} {path}"}

    return answer


def _state(ibat: Ibat) -> Said:
    """What it offers and was asked; queries are left out, which hold the credentials."""
    return {
        "releases": {
            name: {"update_date": release.update_date, "file": release.path.rsplit("/", 1)[-1]}
            for name, release in ibat.releases().items()
        },
        "leaks": len(ibat.leaks),
        "requests": [
            {
                "server": request.server,
                "method": request.method,
                "path": request.path,
                "range": request.headers.get("Range"),
                "status": request.status,
                "sent": request.sent,
            }
            for request in ibat.requests
        ],
    }


def _ask_for(ibat: Ibat, said: Said) -> None:
    faults = ibat.faults
    times = int(said.get("times", 1))
    retry_after = said.get("retry_after")
    if "answer" in said:
        faults.answer(int(said["answer"]), times=times, retry_after=retry_after)
    elif "answer_download" in said:
        faults.answer_download(int(said["answer_download"]), times=times, retry_after=retry_after)
    elif "truncate" in said:
        faults.truncate(int(said["truncate"]), times=times)
    elif "bytes_per_second" in said:
        pace = said["bytes_per_second"]
        faults.bytes_per_second = None if pace is None else float(pace)
    elif said.get("expire_links") is True:
        ibat.expire_links()
    elif said.get("clear") is True:
        faults.clear()
    else:
        raise ValueError(f"no fault is known by {sorted(said)}")
