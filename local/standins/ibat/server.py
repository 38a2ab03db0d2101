"""The stand-in: what it offers, what goes wrong with it, and what it was asked."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from local.standins.http_server import HOST, StandinServer
from local.standins.ibat.faults import Faults
from local.standins.ibat.handlers import ApiHandler, DownloadHandler, Request, Stored
from local.standins.ibat.signing import Signer

Control = Callable[[str, str, dict[str, Any]], tuple[int, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Release:
    """What is offered of a data set: its version, and where its archive is in the storage."""

    update_date: str
    path: str


class Ibat:
    """IBAT and the storage behind it, each on a port of its own, from `with` to its end.

    Args:
        key, token: the credentials that it takes.
        port: of IBAT; 0 takes a free one, as for `download_port`.
        link_seconds: how long a signed address serves.
    """

    def __init__(
        self,
        *,
        key: str = "standin-key",
        token: str = "standin-token",
        port: int = 0,
        download_port: int = 0,
        link_seconds: float = 3600.0,
    ) -> None:
        self.key, self.token = key, token
        self.link_seconds = link_seconds
        self.faults = Faults()
        self.signer = Signer()
        self.control: Control | None = None
        self._lock = threading.Lock()
        self._requests: list[Request] = []
        self._releases: dict[str, Release] = {}
        self._objects: dict[str, Stored] = {}
        self._api = StandinServer(port, type("Api", (ApiHandler,), {"ibat": self}))
        self._download = StandinServer(
            download_port, type("Storage", (DownloadHandler,), {"ibat": self})
        )
        self._threads = [
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
            for server in (self._api, self._download)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.faults.clear()
        for server, thread in zip((self._api, self._download), self._threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()

    @property
    def url(self) -> str:
        """The origin of IBAT."""
        return f"http://{HOST}:{self._api.server_port}"

    @property
    def download_url(self) -> str:
        """The origin of the storage."""
        return f"http://{HOST}:{self._download.server_port}"

    @property
    def settings(self) -> dict[str, str]:
        """The settings with which geoforge uses it."""
        return {"IBAT_URL": self.url, "IBAT_AUTH_KEY": self.key, "IBAT_AUTH_TOKEN": self.token}

    def publish(self, dataset_name: str, update_date: str, archive: Path) -> None:
        """Offer an archive as the release of a data set from now on.

        An address that was handed out before serves on; the same name again replaces the object
        under it.
        """
        path = f"/ibat-downloads/{dataset_name}/{update_date.replace(' ', '-')}/{archive.name}"
        with archive.open("rb") as data:
            etag = hashlib.file_digest(data, "md5").hexdigest()
        stored = Stored(archive, f'"{etag}"', formatdate(archive.stat().st_mtime, usegmt=True))
        with self._lock:
            self._objects[path] = stored
            self._releases[dataset_name] = Release(update_date, path)

    def withdraw(self, dataset_name: str) -> None:
        """Offer nothing of a data set any more."""
        with self._lock:
            self._releases.pop(dataset_name, None)

    def expire_links(self) -> None:
        """Let every address that was handed out so far expire now."""
        self.signer.expire()

    @property
    def requests(self) -> list[Request]:
        """All that were answered, in order."""
        with self._lock:
            return list(self._requests)

    @property
    def leaks(self) -> list[Request]:
        """Downloads that brought key or token along, in whatever place."""
        return [
            request
            for request in self.requests
            if request.server == "download"
            and any(
                secret in text
                for secret in (self.key, self.token)
                for text in (request.path, *request.query.values(), *request.headers.values())
            )
        ]

    def forget_requests(self) -> None:
        """Begin the list of requests anew."""
        with self._lock:
            self._requests.clear()

    # What its handlers ask.

    def note(self, request: Request) -> None:
        """Put a request on the list."""
        with self._lock:
            self._requests.append(request)

    def release(self, dataset_name: str) -> Release | None:
        """What is offered of a data set."""
        with self._lock:
            return self._releases.get(dataset_name)

    def releases(self) -> dict[str, Release]:
        """What is offered, by data set."""
        with self._lock:
            return dict(self._releases)

    def stored(self, path: str) -> Stored | None:
        """An object of the storage."""
        with self._lock:
            return self._objects.get(path)

    def signed_url(self, release: Release) -> str:
        """An address of its archive that serves for a while."""
        return self.download_url + self.signer.sign(release.path, seconds=self.link_seconds)
