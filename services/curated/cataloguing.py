"""Each dataset that is published is a STAC Collection too, without items, and under the id that
it has among the features' collections.

The Collection is written in the transaction that publishes the table. Where an ingest writes to
the catalog at that very moment, nobody waits for it: the housekeeping timer writes it later.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from core.models.curated import CuratedDataset
from core.models.feature_table import FeatureTable, TableName
from infrastructure import (
    curated_repository,
    curated_versions_repository,
    database,
    published_tables,
    stac_documents,
)
from infrastructure.database import Connection, Row
from infrastructure.stac_documents import TABLE_FIELD, CatalogBusy
from services.features.links import GEOJSON, JSON, Addresses, Link, collection_id, link
from services.styles.links import of_collection
from services.vector import reports

log = logging.getLogger(__name__)

JsonObject = dict[str, Any]

_STAC_VERSION = "1.1.0"
_WORLD = [-180.0, -90.0, 180.0, 90.0]
# The identifiers of https://spdx.org/licenses/ that open data have; all else is "other".
_SPDX = re.compile(r"(?:CC0|CC-BY(?:-NC)?(?:-SA|-ND)?|ODbL|ODC-By|PDDL|OGL-UK|NLOD|etalab)-\d\.\d")
_ADDRESS = re.compile(r"https?://[^\s()<>\"]+[^\s()<>\".,;]")


def keep(connection: Connection, dataset: CuratedDataset) -> None:
    """Make the dataset's Collection what its table is by now, in the caller's transaction.

    Of a dataset that has published nothing there is none. A Collection of the same id that
    somebody has ingested stays as it is.
    """
    try:
        with stac_documents.writing(connection):
            _keep(connection, dataset)
    except CatalogBusy:
        log.info("the catalog is busy: the Collection of %s is left for later", dataset.dataset_id)


def forget(connection: Connection, target: TableName) -> None:
    """Remove the Collection of a table that is dropped, in the caller's transaction."""
    try:
        with stac_documents.writing(connection):
            if _is_of(target, stac_documents.stored(connection, collection_id(target))):
                stac_documents.delete(connection, collection_id(target))
    except CatalogBusy:
        log.info("the catalog is busy: the Collection of %s is removed later", target)


def refresh() -> None:
    """What the housekeeping timer does: write what could not be written at once, remove the
    Collections of tables that are gone."""
    try:
        with database.transaction() as connection, stac_documents.writing(connection):
            for dataset in curated_repository.all_datasets(connection):
                _keep(connection, dataset)
            for stale in stac_documents.without_table(connection):
                stac_documents.delete(connection, stale)
    except CatalogBusy:
        log.info("the catalog is busy: Collections of datasets are left for the next time")


def described(dataset: CuratedDataset, table: Row, version: Row, licence: str | None) -> JsonObject:
    """The Collection of a published table and its current version.

    `table` and `version` are rows of `published_tables`. Addresses within geoforge begin with
    /api/: the STAC API puts in front where it is served.
    """
    text = licence or dataset.licence
    spdx = _spdx(text)
    published_at = _utc(version["published_at"])
    bbox = table["bbox"]
    return {
        "type": "Collection",
        "stac_version": _STAC_VERSION,
        "stac_extensions": [],
        "id": collection_id(dataset.target),
        "title": dataset.name,
        "description": dataset.description or f"{dataset.name}, kept current by geoforge.",
        "keywords": ["curated", dataset.dataset_id],
        "license": spdx or "other",
        "providers": _providers(dataset, table["attribution"]),
        "extent": {
            "spatial": {"bbox": [_WORLD if bbox is None else list(bbox)]},
            "temporal": {"interval": [[published_at, None]]},
        },
        "summaries": {
            "rows": [table["row_count"]],
            "version": [table["version"]],
            "source_version": [dataset.source_version] if dataset.source_version else [],
        },
        "created": _utc(table["created_at"]),
        "updated": published_at,
        "links": _links(dataset, text, spdx),
        "assets": _assets(dataset, table),
        "geoforge:dataset_id": dataset.dataset_id,
        TABLE_FIELD: str(dataset.target),
        "geoforge:licence": text,
        "geoforge:restricted": table["restricted"],
    }


def _keep(connection: Connection, dataset: CuratedDataset) -> None:
    table = published_tables.table(connection, dataset.target)
    publisher = curated_repository.publisher(connection, dataset.target)
    if table is None or publisher is None or publisher.dataset_id != dataset.dataset_id:
        return
    (newest,) = published_tables.versions(connection, dataset.target, limit=1)
    current = curated_versions_repository.current(connection, dataset.target)
    document = described(dataset, table, newest, None if current is None else current.licence)
    before = stac_documents.stored(connection, document["id"])
    if before is not None and not _is_of(dataset.target, before):
        log.warning("the catalog has another Collection %s already", document["id"])
    elif before != document:
        stac_documents.write(connection, document)


def _is_of(target: TableName, document: Mapping[str, Any] | None) -> bool:
    return document is not None and document.get(TABLE_FIELD) == str(target)


def _providers(dataset: CuratedDataset, attribution: str | None) -> list[JsonObject]:
    here = {"name": "geoforge", "roles": ["processor", "host"]}
    if not attribution:
        return [here]
    source = {"name": attribution, "roles": ["producer", "licensor"]}
    if dataset.source_url is not None:
        address = urlsplit(dataset.source_url)
        source["url"] = f"{address.scheme}://{address.netloc}/"
    return [source, here]


def _links(dataset: CuratedDataset, licence: str | None, spdx: str | None) -> list[Link]:
    links: list[Link] = []
    named = _ADDRESS.search(licence or "")
    if spdx is not None:
        links.append(link("license", f"https://spdx.org/licenses/{spdx}.html", "text/html"))
    elif named is not None:
        links.append(link("license", named[0], "text/html"))
    if dataset.source_url is not None:
        # A query may say for whom the source was asked.
        links.append({"rel": "via", "href": dataset.source_url.split("?", 1)[0]})
    return links


def _assets(dataset: CuratedDataset, table: Row) -> JsonObject:
    drawn = of_collection(collection_id(dataset.target), "")
    assets = {
        "features": _asset(Addresses("").items(dataset.target), "Features", GEOJSON, "data"),
    }
    if FeatureTable.model_validate(table["table_shape"]).geometry is not None:
        assets["tiles"] = _asset(drawn["tilejson"], "Vector tiles (TileJSON)", JSON, "tiles")
        assets["style"] = _asset(drawn["style"], "Style (MapLibre)", JSON, "style")
    if table["has_report"]:
        report = reports.links(table["job_id"])["self"]
        assets["report"] = _asset(report, "Quality report", JSON, "metadata")
    return assets


def _asset(href: str, title: str, media_type: str, role: str) -> JsonObject:
    return {"href": href, "title": title, "type": media_type, "roles": [role]}


def _spdx(licence: str | None) -> str | None:
    return licence if licence is not None and _SPDX.fullmatch(licence) else None


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
