"""ACLED: political violence and protest events, worldwide, as its API has them.

The account is that of the settings: ACLED_USERNAME and ACLED_PASSWORD, or of the older scheme
ACLED_EMAIL and ACLED_API_KEY. It decides what there is: an account under an embargo is given no
events of the newest months, and they come as the embargo moves on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from config import get_settings
from core.errors import FieldError, InvalidParameters
from core.models.curated import CuratedDataset, UpdateStrategy
from services.curated import definition_faults
from services.curated.acled import access, event_rows, offer
from services.curated.acled.api import AcledApi, Deletion, EventQuery
from services.curated.acled.columns import FIELDS
from services.curated.acled.marks import Mark
from services.curated.acled.offer import Deletions, Scope
from services.curated.acled.styles import BY_EVENT_TYPE
from services.curated.file_store import FileStore
from services.curated.handler import (
    About,
    Days,
    FetchedPart,
    Handler,
    Option,
    RemoteVersion,
    Run,
)

_LICENCE = (
    "ACLED's terms of use: raw data must not be given or shown to other users; attribution is "
    "required (https://acleddata.com/terms-and-conditions)"
)

# What tells the parts of a version apart, in the order in which their files are named.
_NAMED_BY = ("kind", "from", "to", "since", "before")


class AcledConfig(BaseModel):
    """What `source_config` of a dataset of events may hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    overlap_hours: float = Field(
        default=48,
        ge=0,
        le=24 * 365,
        description="How long before the last reading changes are read again, in hours",
    )
    since: date | None = Field(
        default=None, description="First day whose events are in the dataset; default: all"
    )

    @classmethod
    def of(cls, dataset: CuratedDataset) -> AcledConfig:
        """What a dataset says. Raises `InvalidParameters` naming source_config.<field>."""
        try:
            return cls.model_validate(dataset.source_config)
        except ValidationError as error:
            faults = definition_faults.of_source_config(error)
            raise definition_faults.refusal(faults, "acled") from None

    @property
    def scope(self) -> Scope:
        return Scope(self.since, timedelta(hours=self.overlap_hours))


class AcledHandler(Handler):
    """ACLED's events: one row for each, the present state of it."""

    name: ClassVar[str] = "acled"
    title: ClassVar[str] = "ACLED events"
    options: ClassVar[frozenset[Option]] = frozenset({"days"})

    def credentials(
        self,
        dataset: CuratedDataset,  # noqa: ARG002  # one account serves all datasets
    ) -> tuple[str, ...]:
        return access.needed()

    def check_definition(self, dataset: CuratedDataset) -> None:
        errors: list[FieldError] = []
        try:
            AcledConfig.of(dataset)
        except InvalidParameters as error:
            errors.extend(error.errors)
        errors += definition_faults.of_source_url(
            dataset.source_url, get_settings().acled_url, "ACLED_URL"
        )
        if dataset.update_strategy is not UpdateStrategy.UPSERT:
            message = "must be upsert: an update brings what has changed, and not the whole table"
            errors.append(definition_faults.fault(message, "update_strategy"))
        if errors:
            raise definition_faults.refusal(errors, self.name)

    def check(self, run: Run) -> RemoteVersion:
        api, scope = AcledApi(run.check, run.progress), AcledConfig.of(run.dataset).scope
        published = run.dataset.source_version
        if run.days is not None:
            return offer.backfill(api, scope, run.days, published=published)
        mark = Mark.parse(published)
        rejected = Mark.parse(run.dataset.rejected_version)
        if published is None or run.forced:
            return offer.everything(api, scope)
        if mark is None:
            return offer.everything(api, scope, rejected=rejected)
        return offer.changes(api, scope, mark, rejected=rejected, published=published)

    def fetch_part(
        self,
        run: Run,
        remote: RemoteVersion,  # noqa: ARG002  # the part says all
        part: Mapping[str, Any],
        files: FileStore,
    ) -> FetchedPart:
        api = AcledApi(run.check, run.progress)
        wanted = offer.read_part(part)
        if isinstance(wanted, Deletions):
            pieces = event_rows.deletions_csv(_deletions(api, part, wanted))
        else:
            pieces = _events(api, part, wanted)
        name = "_".join(str(part[key] or "open") for key in _NAMED_BY if key in part)
        stored = files.write(f"{name}.csv", pieces, source=f"acled:{name}")
        return FetchedPart(
            files.ref(stored), "deletions" if isinstance(wanted, Deletions) else "records"
        )

    def reading(self, dataset: CuratedDataset) -> Mapping[str, Any]:  # noqa: ARG002  # see above
        return {
            "x_column": "longitude",
            "y_column": "latitude",
            "source_crs": "EPSG:4326",
            "encoding": "UTF-8",
        }

    def describe(self, dataset: CuratedDataset) -> About:  # noqa: ARG002  # it is always the same
        return About(
            fields=FIELDS,
            key_columns=("event_id_cnty",),
            geometry="Point",
            delivers="increment",
            newest="timestamp",
            indexed=("event_id", "event_date", "event_type", "country"),
            datetime_column="event_date",
            styles=(BY_EVENT_TYPE,),
            licence=_LICENCE,
        )

    def attribution(self, source_version: str | None) -> str | None:
        return citation(source_version)


def citation(source_version: str | None) -> str:
    """Whom to credit, with a link and the day of access, as ACLED's attribution policy asks."""
    mark = Mark.parse(source_version)
    accessed = "" if mark is None else f", accessed {mark.at:%Y-%m-%d}"
    return f"Armed Conflict Location & Event Data (ACLED){accessed}, https://acleddata.com"


def _events(api: AcledApi, part: Mapping[str, Any], query: EventQuery) -> Iterator[bytes]:
    """The events of a part as CSV. Nothing is asked for before the first piece is."""
    with api.read(query) as events:
        offer.require_sight(part, query, events.restriction)
        yield from event_rows.events_csv(events.blocks(), events.names, get_settings().acled_url)


def _deletions(api: AcledApi, part: Mapping[str, Any], wanted: Deletions) -> Iterator[Deletion]:
    """What was deleted, and what was edited so that it does not belong in the dataset any more."""
    yield from api.deletions(wanted.since)
    if wanted.before is not None:
        query = EventQuery(Days(None, wanted.before - timedelta(days=1)), wanted.since)
        with api.read(query) as events:
            offer.require_sight(part, query, events.restriction)
            for event in events:
                yield Deletion(event["event_id_cnty"], int(event["timestamp"]))
