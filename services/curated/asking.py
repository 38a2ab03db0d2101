"""What a person may ask of an update, over the API or with the form of a page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.blob_names import BlobPath
from core.days import Day
from core.errors import FieldError, InvalidParameters
from core.models.curated import UpdateType
from services.curated import updates
from services.curated.handler import Days, UploadedFile
from services.data_container import DataContainer
from services.orchestration.submission import Submission


class UpdateRequest(BaseModel):
    """How an update is wanted; without any of it, whatever is new is fetched and published."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    force_update: bool = Field(
        default=False, description="Fetch and publish also what is published already"
    )
    dry_run: bool = Field(
        default=False, description="Do everything but publish, and say what would change"
    )
    from_date: Day | None = Field(
        default=None,
        description="Backfill: first day whose records are read again, for a dataset whose "
        "`options` have days",
        examples=["2024-01-01"],
    )
    to_date: Day | None = Field(
        default=None,
        description="Backfill: last day whose records are read again; either end may be open",
        examples=["2024-12-31"],
    )
    container_name: DataContainer | None = Field(
        default=None,
        description="Container of an uploaded file to read in place of the source, for a dataset "
        "whose `options` have file",
        examples=["uploads"],
    )
    blob_name: BlobPath | None = Field(
        default=None,
        description="Path of that file",
        examples=["natural-earth/ne_10m_admin_0_countries.zip"],
    )
    request_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="Chosen by the caller: the same request again is the same job",
    )

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Self:
        """What a JSON object asks for. Raises `InvalidParameters` naming each field at fault."""
        try:
            # As JSON, whose dates are texts, and strictly: "yes" is not true.
            wanted = cls.model_validate_json(json.dumps(body))
        except ValidationError as error:
            raise _invalid(_faults(error)) from None
        if errors := list(wanted._misfits()):
            raise _invalid(errors)
        return wanted

    @property
    def days(self) -> Days | None:
        """The days of a backfill, where one is asked for."""
        if self.from_date is None and self.to_date is None:
            return None
        return Days(self.from_date, self.to_date)

    @property
    def file(self) -> UploadedFile | None:
        """The file to read in place of the source, where one is named."""
        if self.container_name is None or self.blob_name is None:
            return None
        return UploadedFile(self.container_name, self.blob_name)

    def _misfits(self) -> Iterator[FieldError]:
        """Fields that are right by themselves and wrong beside each other."""
        if self.from_date and self.to_date and self.from_date > self.to_date:
            yield _fault("to_date", "must not be before the first day")
        if self.container_name is not None and self.blob_name is None:
            yield _fault("blob_name", "must be given too: container and path name a file")
        if self.blob_name is not None and self.container_name is None:
            yield _fault("container_name", "must be given too: container and path name a file")


def begin(dataset_id: str, wanted: UpdateRequest, *, actor: str) -> Submission:
    """Begin the update; the caller starts the job's orchestration.

    Raises as `updates.start` does.
    """
    return updates.start(
        dataset_id,
        UpdateType.MANUAL,
        force=wanted.force_update,
        dry_run=wanted.dry_run,
        days=wanted.days,
        file=wanted.file,
        request_id=wanted.request_id,
        actor=actor,
    )


def _faults(error: ValidationError) -> list[FieldError]:
    return [
        {"loc": list(fault["loc"]), "msg": fault["msg"].removeprefix("Value error, ")}
        for fault in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def _fault(field: str, message: str) -> FieldError:
    return {"loc": [field], "msg": message}


def _invalid(errors: list[FieldError]) -> InvalidParameters:
    named = dict.fromkeys(".".join(map(str, each["loc"])) or "the body" for each in errors)
    return InvalidParameters(
        f"The update cannot be begun as it is asked for: {', '.join(named)}.", errors
    )
