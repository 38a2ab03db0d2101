"""Which containers a job, an update or the definition of a dataset may name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from core.errors import InvalidParameters
from services.curated import planning
from services.curated.asking import UpdateRequest
from services.curated.parameters import CuratedUpdate
from services.curated.vector_file import VectorFile, VectorFileConfig
from services.ingest.parameters import IngestCollection
from services.vector.parameters import ProcessVector
from services.vector.source_files import SourceRef
from tests.support.handler_runs import dataset
from tests.support.settings import app_settings

# The raw files of restricted datasets lie in the first of them.
OWN = ("raw-files", "work-files", "azure-webjobs-secrets")


@pytest.fixture(autouse=True)
def _settings() -> Iterator[None]:
    with app_settings(GEOFORGE_CURATED_CONTAINER="raw-files", GEOFORGE_WORK_CONTAINER="work-files"):
        yield


def _defined(container: str) -> VectorFileConfig:
    config = {"container_name": container, "blob_name": "wdpa/areas.zip"}
    return VectorFileConfig.of(dataset(source_url=None, source_config=config))


NAMED: dict[str, Callable[[str], Any]] = {
    "process_vector": lambda name: ProcessVector(container_name=name, blob_name="a.zip"),
    "ingest from": lambda name: IngestCollection(source_container=name, target_container="silver"),
    "ingest into": lambda name: IngestCollection(source_container="bronze", target_container=name),
    "update": lambda name: CuratedUpdate(dataset_id="a", container_name=name, blob_name="a.zip"),
    "request": lambda name: UpdateRequest.read({"container_name": name, "blob_name": "a.zip"}),
    "definition": _defined,
}


@pytest.mark.parametrize("container", OWN)
@pytest.mark.parametrize("named", NAMED.values(), ids=NAMED)
def test_the_containers_that_geoforge_works_in_are_refused(
    named: Callable[[str], Any], container: str
) -> None:
    with pytest.raises((ValidationError, InvalidParameters)) as refusal:
        named(container)
    refused = refusal.value
    told = str(refused.errors) if isinstance(refused, InvalidParameters) else str(refused)
    assert f"must not be '{container}'" in told
    assert ("fetched for curated datasets" in told) is (container == "raw-files")


@pytest.mark.parametrize("named", NAMED.values(), ids=NAMED)
def test_any_other_may_be_named(named: Callable[[str], Any]) -> None:
    named("uploads")


def test_the_dataset_itself_reads_its_files_there() -> None:
    ref = SourceRef(container="raw-files", path="wdpa/areas.zip", blobs=())
    parameters = planning.reading(dataset(), VectorFile(), ref)
    assert (parameters.container_name, parameters.blob_name) == ("raw-files", "wdpa/areas.zip")
