"""Any vector file as a curated dataset: one at an address, or one that was put into a container.

`source_config` says what the file itself does not: see `VectorFileConfig`. The version of a file
at an address is its strong ETag, or else the date of its last change. A server that tells
neither is read to its end at every check, and the version is the content's SHA-256: such a
dataset is skipped only after its file has come over the network once.

An update may name a file in a container, to be read in place of the dataset's own (`Run.file`).
Handlers of files that name their version themselves say how it is read (`VectorFile.release_in`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from config import get_settings
from core.blob_names import BlobPath
from core.errors import FieldError, PermanentTaskError, TransientTaskError
from core.models.curated import CuratedDataset
from infrastructure.blob_lookup import BlobRanges
from infrastructure.range_file import Ranges
from infrastructure.source_client import SourceRefused, source_client
from infrastructure.source_download import download
from infrastructure.source_probe import Offer, probe
from infrastructure.source_ranges import SourceRanges
from services.curated import credentials, definition_faults
from services.curated.file_store import FileStore
from services.curated.handler import About, Handler, Option, RemoteVersion, Run
from services.data_container import DataContainer
from services.vector.source_files import SourceRef, pin, safe_name


class VectorFileConfig(BaseModel):
    """What `source_config` of a vector file may hold; all is optional beside a `source_url`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    container_name: DataContainer | None = Field(
        default=None, description="Container of a file that is put there, instead of source_url"
    )
    blob_name: BlobPath | None = Field(default=None, description="Path of that file")
    layer: str | None = Field(
        default=None, min_length=1, max_length=255, description="Layer of a file with several"
    )
    key_columns: tuple[str, ...] = Field(
        default=(), max_length=8, description="Columns whose values name a record"
    )
    source_crs: str | None = Field(
        default=None, min_length=1, max_length=4000, description="CRS, in place of the file's own"
    )
    encoding: str | None = Field(
        default=None, min_length=1, max_length=40, description="Encoding of the texts"
    )
    x_column: str | None = Field(
        default=None, min_length=1, max_length=255, description="Column of a CSV with x"
    )
    y_column: str | None = Field(
        default=None, min_length=1, max_length=255, description="Column of a CSV with y"
    )
    wkt_column: str | None = Field(
        default=None, min_length=1, max_length=255, description="Column of a CSV with WKT"
    )
    version: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="Name of the version, in place of what the server says: a new one is fetched "
        "when this is changed",
    )

    @classmethod
    def of(cls, dataset: CuratedDataset) -> VectorFileConfig:
        """What a dataset says. Raises `InvalidParameters` naming source_config.<field>."""
        try:
            return cls.model_validate(dataset.source_config)
        except ValidationError as error:
            raise definition_faults.refusal(definition_faults.of_source_config(error)) from None

    @field_validator("key_columns")
    @classmethod
    def _are_names(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        if any(not column.strip() for column in columns) or len(set(columns)) < len(columns):
            raise ValueError("must be names of columns, each once")
        return columns

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if (self.container_name is None) != (self.blob_name is None):
            raise ValueError("container_name and blob_name go together")
        if (self.x_column is None) != (self.y_column is None):
            raise ValueError("x_column and y_column go together")
        if self.wkt_column is not None and self.x_column is not None:
            raise ValueError("wkt_column stands in place of x_column and y_column")
        return self


class VectorFile(Handler):
    """Reads one vector file, of any format that process_vector knows."""

    name: ClassVar[str] = "vector_file"
    title: ClassVar[str] = "Vector file"
    options: ClassVar[frozenset[Option]] = frozenset({"file"})

    def credentials(self, dataset: CuratedDataset) -> tuple[str, ...]:
        return () if dataset.credential_key is None else (dataset.credential_key,)

    def check_definition(self, dataset: CuratedDataset) -> None:
        config = VectorFileConfig.of(dataset)
        errors: list[FieldError] = []
        if dataset.source_url is None and config.blob_name is None:
            errors.append(
                definition_faults.fault(
                    "must be given, or container_name and blob_name", "source_url"
                )
            )
        if dataset.source_url is not None and config.blob_name is not None:
            errors.append(
                definition_faults.fault(
                    "stands in place of source_url", "source_config", "blob_name"
                )
            )
        if dataset.credential_key is not None and dataset.source_url is None:
            errors.append(
                definition_faults.fault("is for a dataset with a source_url", "credential_key")
            )
        elif dataset.credential_key is not None and not credentials.missing(
            [dataset.credential_key]
        ):
            try:
                self._headers(dataset)
            except PermanentTaskError as error:
                errors.append(definition_faults.fault(error.message, "credential_key"))
        if errors:
            raise definition_faults.refusal(errors)

    def check(self, run: Run) -> RemoteVersion:
        if run.file is not None:
            return self._of_blob(pin(run.file), given=None)
        config, url = VectorFileConfig.of(run.dataset), run.dataset.source_url
        if url is None:
            return self._of_blob(pin(config), given=config.version)
        return self._of_address(run, url, given=config.version)

    def fetch(self, run: Run, remote: RemoteVersion, files: FileStore) -> SourceRef:
        url = run.dataset.source_url
        if run.file is not None or url is None:
            ref = pin(run.file or VectorFileConfig.of(run.dataset))
            if _etag_of(ref) != remote.facts["etag"]:
                raise _changed(
                    f"{ref.container}/{ref.path} was replaced since its version was asked for: "
                    "the next update takes what is there then."
                )
            return ref
        try:
            stored = files.download(
                remote.facts["file"],
                url,
                source=url,
                headers=self._headers(run.dataset),
                validator=remote.facts.get("validator"),
                expected_sha256=remote.facts.get("sha256"),
            )
        except TransientTaskError as error:
            if error.error_code != "checksum_differs":
                raise
            raise _changed(
                f"{remote.facts['address']} gives other bytes than a moment ago, and names no "
                "version by an ETag or a date. If that is so every time, name the version in "
                "source_config.version."
            ) from error
        ref = files.ref(stored)
        if remote.facts["version_from"] == "file" and self.release_of(ref) != remote.version:
            files.discard()
            raise _changed(
                f"{remote.facts['address']} offers another version than {remote.version} by now: "
                "the next update takes it."
            )
        return ref

    def describe(self, dataset: CuratedDataset) -> About:
        return About(
            key_columns=VectorFileConfig.of(dataset).key_columns,
            licence=dataset.licence,
        )

    def release_in(self, content: Ranges) -> str | None:  # noqa: ARG002  # any file names none
        """The version that the file itself names, read from a little of it; None for none."""
        return None

    def release_of(self, ref: SourceRef) -> str | None:
        """The version that files in a container name: that in the one that names the source."""
        for blob in ref.blobs:
            if blob.path == ref.path:
                return self.release_in(BlobRanges(ref.container, blob.path, blob.size))
        return None

    def _headers(self, dataset: CuratedDataset) -> Mapping[str, str]:
        if dataset.credential_key is None or dataset.source_url is None:
            return {}
        return credentials.bearer(dataset.credential_key, dataset.source_url)

    def _of_address(self, run: Run, url: str, *, given: str | None) -> RemoteVersion:
        """What a server offers, with what the content must be when it is fetched. A version that
        is `given` goes before what the source says."""
        headers = self._headers(run.dataset)
        limit = get_settings().max_source_bytes
        offer = probe(source_client(), url, limit_bytes=limit, headers=headers)
        facts: dict[str, Any] = {
            "address": offer.address,
            "file": safe_name(offer.name),
            "content_type": offer.content_type,
        }
        if offer.validator is not None:
            facts["validator"] = offer.validator
        size = offer.size
        if given is not None:
            version, named_by = given, "source_config"
        elif (release := self._release_at(run, url, offer, headers)) is not None:
            version, named_by = release, "file"
        elif offer.validator is not None:
            is_etag = offer.validator.startswith('"')
            version, named_by = offer.validator.strip('"'), "etag" if is_etag else "last_modified"
        else:
            facts["sha256"], size = _content(url, headers, limit, run)
            version, named_by = f"sha256:{facts['sha256']}", "content"
        return RemoteVersion(version, size=size, facts={**facts, "version_from": named_by})

    def _release_at(
        self, run: Run, url: str, offer: Offer, headers: Mapping[str, str]
    ) -> str | None:
        """The version that the file at an address names; None where its server gives no parts
        of it."""
        if offer.size is None:
            return None
        content = SourceRanges(
            source_client(),
            url,
            size=offer.size,
            validator=offer.validator,
            check=run.check,
            headers=headers,
        )
        try:
            return self.release_in(content)
        except SourceRefused as refused:
            if refused.error_code != "ranges_unsupported":
                raise
            return None

    def _of_blob(self, ref: SourceRef, *, given: str | None) -> RemoteVersion:
        """What was put into a container, which may be several blobs. A version that is `given`
        goes before what they say."""
        etag = _etag_of(ref)
        facts = {"container": ref.container, "files": ref.names, "etag": etag}
        if given is not None:
            version, named_by = given, "source_config"
        elif (release := self.release_of(ref)) is not None:
            version, named_by = release, "file"
        else:
            version, named_by = etag, "etag"
        return RemoteVersion(version, size=ref.size, facts={**facts, "version_from": named_by})


def _content(url: str, headers: Mapping[str, str], limit_bytes: int, run: Run) -> tuple[str, int]:
    """The SHA-256 and the bytes of what is at an address."""
    digest, size = hashlib.sha256(), 0
    with download(
        source_client(), url, limit_bytes=limit_bytes, check=run.check, headers=headers
    ) as arriving:
        for part in arriving.iter_bytes():
            digest.update(part)
            size += len(part)
            run.progress(bytes_read=size, bytes_total=arriving.size)
    return digest.hexdigest(), size


def _etag_of(ref: SourceRef) -> str:
    """The ETag of the one blob; of several, a digest of all their ETags."""
    etags = [blob.etag for blob in ref.blobs]
    return etags[0] if len(etags) == 1 else hashlib.sha256(",".join(etags).encode()).hexdigest()


def _changed(message: str) -> PermanentTaskError:
    return PermanentTaskError(message, code="source_changed")
