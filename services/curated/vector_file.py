"""Any vector file as a curated dataset: one at an address, or one that was put into a container.

`source_config` says what the file itself does not: see `VectorFileConfig`. The version of a file
at an address is its strong ETag, or else the date of its last change. A server that tells
neither is read to its end at every check, and the version is the content's SHA-256: such a
dataset is skipped only after its file has come over the network once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from config import get_settings
from core.blob_names import BlobPath
from core.errors import FieldError, InvalidParameters, PermanentTaskError, TransientTaskError
from core.models.curated import CuratedDataset
from infrastructure.source_client import source_client
from infrastructure.source_download import download
from infrastructure.source_probe import probe
from services.curated import credentials
from services.curated.file_store import FileStore
from services.curated.handler import About, Handler, RemoteVersion, Run
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
            raise _invalid(_faults(error)) from None

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

    name = "vector_file"
    title = "Vector file"

    def credentials(self, dataset: CuratedDataset) -> tuple[str, ...]:
        return () if dataset.credential_key is None else (dataset.credential_key,)

    def check_definition(self, dataset: CuratedDataset) -> None:
        config = VectorFileConfig.of(dataset)
        errors: list[FieldError] = []
        if dataset.source_url is None and config.blob_name is None:
            errors.append(_fault("must be given, or container_name and blob_name", "source_url"))
        if dataset.source_url is not None and config.blob_name is not None:
            errors.append(_fault("stands in place of source_url", "source_config", "blob_name"))
        if dataset.credential_key is not None and dataset.source_url is None:
            errors.append(_fault("is for a dataset with a source_url", "credential_key"))
        elif dataset.credential_key is not None and not credentials.missing(
            [dataset.credential_key]
        ):
            try:
                self._headers(dataset)
            except PermanentTaskError as error:
                errors.append(_fault(error.message, "credential_key"))
        if errors:
            raise _invalid(errors)

    def check(self, run: Run) -> RemoteVersion:
        config = VectorFileConfig.of(run.dataset)
        if run.dataset.source_url is None:
            remote = _of_blob(pin(config))
        else:
            remote = self._of_address(run, run.dataset.source_url, config)
        if config.version is None:
            return remote
        facts = {**remote.facts, "version_from": "source_config"}
        return RemoteVersion(config.version, size=remote.size, facts=facts)

    def fetch(self, run: Run, remote: RemoteVersion, files: FileStore) -> SourceRef:
        url = run.dataset.source_url
        if url is None:
            ref = pin(VectorFileConfig.of(run.dataset))
            if _version_of(ref) != remote.facts["etag"]:
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
        return files.ref(stored)

    def describe(self, dataset: CuratedDataset) -> About:
        return About(
            key_columns=VectorFileConfig.of(dataset).key_columns,
            licence=dataset.licence,
        )

    def _headers(self, dataset: CuratedDataset) -> Mapping[str, str]:
        if dataset.credential_key is None or dataset.source_url is None:
            return {}
        return credentials.bearer(dataset.credential_key, dataset.source_url)

    def _of_address(self, run: Run, url: str, config: VectorFileConfig) -> RemoteVersion:
        """What a server offers, with what the content must be when it is fetched."""
        headers = self._headers(run.dataset)
        limit = get_settings().max_source_bytes
        offer = probe(source_client(), url, limit_bytes=limit, headers=headers)
        facts: dict[str, Any] = {
            "address": offer.address,
            "file": safe_name(offer.name),
            "content_type": offer.content_type,
        }
        if offer.validator is not None:
            is_etag = offer.validator.startswith('"')
            facts["validator"] = offer.validator
            facts["version_from"] = "etag" if is_etag else "last_modified"
            version = offer.validator.strip('"')
            return RemoteVersion(version, size=offer.size, facts=facts)
        if config.version is not None:
            return RemoteVersion(config.version, size=offer.size, facts=facts)
        digest, size = _content(url, headers, limit, run)
        facts |= {"version_from": "content", "sha256": digest}
        return RemoteVersion(f"sha256:{digest}", size=size, facts=facts)


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


def _of_blob(ref: SourceRef) -> RemoteVersion:
    """The version of what was put into a container, which may be several blobs."""
    version = _version_of(ref)
    facts = {"container": ref.container, "files": ref.names, "version_from": "etag"}
    return RemoteVersion(version, size=ref.size, facts={**facts, "etag": version})


def _version_of(ref: SourceRef) -> str:
    """The ETag of the one blob; of several, a digest of all their ETags."""
    etags = [blob.etag for blob in ref.blobs]
    return etags[0] if len(etags) == 1 else hashlib.sha256(",".join(etags).encode()).hexdigest()


def _changed(message: str) -> PermanentTaskError:
    return PermanentTaskError(message, code="source_changed")


def _fault(message: str, *path: str) -> FieldError:
    return {"loc": list(path), "msg": message}


def _faults(error: ValidationError) -> list[FieldError]:
    """Each field at fault, without the value that was given."""
    return [
        {"loc": ["source_config", *fault["loc"]], "msg": fault["msg"].removeprefix("Value error, ")}
        for fault in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def _invalid(errors: list[FieldError]) -> InvalidParameters:
    named = ", ".join(dict.fromkeys(".".join(map(str, error["loc"])) for error in errors))
    return InvalidParameters(f"The definition cannot be served by vector_file: {named}.", errors)
