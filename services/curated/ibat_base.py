"""IBAT, the Integrated Biodiversity Assessment Tool: where WDPA and KBA come from.

One request, with the account's key and token in its query, names the release of a data set and
an address to fetch it at, which is signed and serves for some time only::

    GET /api/v2/data-downloads?dataset_name=wdpa&auth_key=...&auth_token=...
    {"download_url": "https://...", "update_date": "May 2023"}

Key and token go to the origin of the setting IBAT_URL and nowhere else: not to the address of
the download, not along a redirect, and into no message.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from config import get_settings
from core.errors import (
    PermanentTaskError,
    TransientTaskError,
)
from core.models.curated import CuratedDataset
from infrastructure import request_pace, source_addresses
from infrastructure.source_client import SourceRefused, SourceUnavailable, source_client
from infrastructure.source_probe import Offer, probe
from services.curated import credentials, definition_faults
from services.curated.file_store import FileStore
from services.curated.handler import About, Handler, RemoteVersion, Run
from services.vector.source_files import SourceRef, safe_name

log = logging.getLogger(__name__)

KEY_SETTING = "IBAT_AUTH_KEY"
TOKEN_SETTING = "IBAT_AUTH_TOKEN"

_PATH = "/api/v2/data-downloads"
_ANSWER_BYTES = 1 << 20
_MAX_UPDATE_DATE = 100
# Between requests while IBAT is busy or down, unless it names a time itself.
_PAUSES_SECONDS = (10.0, 20.0, 40.0)
_LONGEST_PAUSE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Release:
    """What IBAT offers of a data set. The address is a password: it is never shown."""

    update_date: str
    download_url: str


class IbatHandler(Handler):
    """Base of the handlers of IBAT's data sets: it checks and fetches; they say what the data
    are."""

    dataset_name: ClassVar[str]

    def credentials(
        self,
        dataset: CuratedDataset,  # noqa: ARG002  # one account serves all data sets
    ) -> tuple[str, ...]:
        return KEY_SETTING, TOKEN_SETTING

    def check_definition(self, dataset: CuratedDataset) -> None:
        errors = definition_faults.of_source_url(
            dataset.source_url, get_settings().ibat_url, "IBAT_URL"
        )
        errors += [
            definition_faults.fault("is not known to this handler", "source_config", name)
            for name in dataset.source_config
        ]
        if errors:
            raise definition_faults.refusal(errors, self.name)

    def check(self, run: Run) -> RemoteVersion:
        """The release by its update_date: one request where that is published already. Of
        another one also the size of its archive."""
        release = ask(self.dataset_name, run.check)
        is_new = release.update_date != run.dataset.source_version
        return RemoteVersion(
            release.update_date,
            size=_probed(release.download_url).size if is_new else None,
            facts={"update_date": release.update_date, "dataset_name": self.dataset_name},
        )

    def fetch(self, run: Run, remote: RemoteVersion, files: FileStore) -> SourceRef:
        """Bring the archive here. One that is here already is used if it is what the server has
        now: an archive may be repaired, and its release keep its date."""
        probed = self._address(run, remote)
        offer = _probed(probed)
        unused = [probed]

        def address() -> str:
            return unused.pop() if unused else self._address(run, remote)

        stored = files.download(
            safe_name(offer.name),
            address,
            source=f"ibat:{self.dataset_name}",
            validator=offer.validator,
            size=offer.size,
        )
        return files.ref(stored)

    def _address(self, run: Run, remote: RemoteVersion) -> str:
        """An address of the version, which serves for some time only.

        Raises `PermanentTaskError` (source_changed).
        """
        release = ask(self.dataset_name, run.check)
        if release.update_date != remote.version:
            raise PermanentTaskError(
                f"IBAT offers {release.update_date!r} of {self.dataset_name!r} by now, and "
                f"no more {remote.version!r}: the next update takes that.",
                code="source_changed",
            )
        return release.download_url

    @abstractmethod
    def describe(self, dataset: CuratedDataset) -> About:
        """What the data are."""


def _probed(address: str) -> Offer:
    """What the archive is that an address leads to."""
    return probe(source_client(), address, limit_bytes=get_settings().max_source_bytes)


def ask(dataset_name: str, check: Callable[[], None]) -> Release:
    """What IBAT offers of a data set now.

    While IBAT is busy or down it is asked again, after 10, 20 and 40 seconds or when it says;
    `check` is called meanwhile and may raise. Raises `TransientTaskError` (ibat_unavailable),
    and `PermanentTaskError`: credentials_missing, ibat_unauthorized, ibat_bad_request,
    ibat_refused, ibat_bad_answer.
    """
    query = {
        "dataset_name": dataset_name,
        "auth_key": credentials.secret(KEY_SETTING).get_secret_value(),
        "auth_token": credentials.secret(TOKEN_SETTING).get_secret_value(),
    }
    pauses = iter(_PAUSES_SECONDS)
    while True:
        try:
            return _release(dataset_name, _answer(query))
        except SourceUnavailable as error:
            pause = next(pauses, None)
            if pause is None:
                raise TransientTaskError(
                    f"IBAT does not answer for the data set {dataset_name!r}: {error.message}",
                    code="ibat_unavailable",
                    **error.details,
                ) from None
            named = error.details.get("retry_after_seconds", pause)
            log.info("IBAT is asked again: %s", error.message)
        request_pace.wait(min(named, _LONGEST_PAUSE_SECONDS), check)


def _answer(query: dict[str, str]) -> Any:
    """IBAT's JSON. What it refuses is said in our words: none of them is from the request."""
    url = get_settings().ibat_url + _PATH
    try:
        return source_client().get_json(url, params=query, limit_bytes=_ANSWER_BYTES, redirects=0)
    except SourceRefused as error:
        status = error.details.get("status")
        name = query["dataset_name"]
        if status in (401, 403):
            raise PermanentTaskError(
                f"IBAT refused the credentials in {KEY_SETTING} and {TOKEN_SETTING} for the data "
                f"set {name!r} ({status}).",
                code="ibat_unauthorized",
            ) from None
        if status == 400:
            raise PermanentTaskError(
                f"IBAT did not understand the request for the data set {name!r} (400): check "
                f"{KEY_SETTING} and {TOKEN_SETTING}, and that the account may download it.",
                code="ibat_bad_request",
            ) from None
        if error.error_code == "source_not_json":
            raise _bad_answer(name, "it is not JSON") from None
        raise PermanentTaskError(
            f"IBAT could not be asked for the data set {name!r}: {error.message}",
            code="ibat_refused",
        ) from None


def _release(dataset_name: str, answer: Any) -> Release:
    if not isinstance(answer, dict):
        raise _bad_answer(dataset_name, "it is no JSON object")
    update_date, url = answer.get("update_date"), answer.get("download_url")
    if (
        not isinstance(update_date, str)
        or not 0 < len(update_date.strip()) <= _MAX_UPDATE_DATE
        or not update_date.strip().isprintable()
    ):
        raise _bad_answer(dataset_name, "it has no update_date")
    if not isinstance(url, str) or not url.strip():
        raise _bad_answer(dataset_name, "it has no download_url")
    try:
        source_addresses.parse(url.strip())
    except SourceRefused:
        raise _bad_answer(dataset_name, "its download_url is no address") from None
    return Release(update_date.strip(), url.strip())


def _bad_answer(dataset_name: str, why: str) -> PermanentTaskError:
    return PermanentTaskError(
        f"IBAT's answer for the data set {dataset_name!r} cannot be used: {why}.",
        code="ibat_bad_answer",
    )
