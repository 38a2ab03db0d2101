"""Stage 5: the collection's entry in h3.source_catalog, and the job's result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import orjson

from core.counting import counted
from core.errors import PermanentTaskError
from core.job_definition import JobContext, JsonObject, TaskContext
from infrastructure import database, source_catalog_repository
from infrastructure.source_catalog_repository import Entry
from services.h3 import source_entries
from services.h3.source_entries import RasterFacts
from services.ingest import files
from services.ingest.files import CogReport
from services.ingest.parameters import IngestCollection
from services.ingest.quarantine import Quarantined, Reason

Context = TaskContext[IngestCollection]

# The result is kept in the ledger, and must stay far below 100 KB.
MAX_LISTED = 100
MAX_WARNINGS = 20
_MAX_MESSAGE = 300


def publish(context: Context) -> JsonObject:
    """Enter the collection in h3.source_catalog, and return the job's result.

    Raises `PermanentTaskError` if the items read are not the items registered and those
    quarantined: such a result would be a lie.
    """
    report = _Report(context)
    collection: JsonObject = orjson.loads(
        context.workspace.read_bytes(f"{report.computed['files']}/collection.json")
    )
    with database.transaction() as connection:
        facts = _facts(collection, report.cogs.rasters)
        source = source_entries.entry(collection, facts, theme=context.parameters.h3_theme)
        entry = source_catalog_repository.put(connection, source)
    return report.result(collection["id"], entry)


def job_result(context: JobContext[IngestCollection]) -> JsonObject | None:
    """The result as stage 5 left it in the ledger."""
    return next(context.results("finalize")).result


class _Report:
    """What the stages left behind, added up."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.inventory = next(context.results("inventory")).result
        self.computed = next(context.results("register_collection")).result
        self.loaded = next(context.results("register_items")).result
        self.quarantined: list[Quarantined] = []
        self.by_reason: Counter[str] = Counter()
        self.totals: Counter[str] = Counter()
        self.warnings: list[str] = list(self.inventory["warnings"])
        self.cogs = CogReport()
        self._add_quarantine(self.inventory)
        for each in context.results("copy"):
            context.check()
            self._add_copy(each.result)
        self._add_quarantine(self.computed)
        self._add_quarantine(self.loaded)

    def _add_copy(self, result: JsonObject) -> None:
        for name in ("assets_copied", "assets_skipped", "assets_external", "bytes_copied"):
            self.totals[name] += result[name]
        self.warnings += result.get("warnings", [])
        if "files" in result:
            self._add_quarantine(result)
            record = self._context.workspace.read_bytes(f"{result['files']}/cogs.json")
            self._add_cogs(CogReport.from_json(orjson.loads(record)))

    def _add_cogs(self, cogs: CogReport) -> None:
        self.cogs.checked += cogs.checked
        self.cogs.valid += cogs.valid
        self.cogs.invalid += cogs.invalid[: MAX_LISTED - len(self.cogs.invalid)]
        self.cogs.rasters += cogs.rasters

    def _add_quarantine(self, result: JsonObject) -> None:
        if not result["items_quarantined"]:
            return
        name = f"{result['files']}/quarantine.ndjson"
        for each in files.read_quarantine(self._context.workspace, name):
            self.by_reason[each.reason.value] += 1
            if len(self.quarantined) < MAX_LISTED:
                self.quarantined.append(each)

    def result(self, collection_id: str, entry: Entry) -> JsonObject:
        read: int = self.inventory["items_read"]
        new, updated = self.loaded["items_new"], self.loaded["items_updated"]
        registered = new + updated + self.loaded["items_unchanged"]
        quarantined = self.by_reason.total()
        if read != registered + quarantined:
            raise PermanentTaskError(
                f"Of {counted(read, 'item')} read, {registered:,} registered and {quarantined:,} "
                "quarantined do not make up all.",
                code="counts_differ",
            )
        copied, skipped = self.totals["assets_copied"], self.totals["assets_skipped"]
        external = self.totals["assets_external"]
        changed = bool(
            new
            or updated
            or copied
            or self.totals["bytes_copied"]
            or self.loaded["collection"] != "unchanged"
            or entry is not Entry.UNCHANGED
        )
        address = f"/api/stac/collections/{collection_id}"
        return {
            "collection_id": collection_id,
            "changed": changed,
            "message": self._message(collection_id, registered, quarantined, changed=changed),
            "items_read": read,
            "items_registered": registered,
            "items_new": new,
            "items_updated": updated,
            "items_unchanged": self.loaded["items_unchanged"],
            "items_quarantined": quarantined,
            "quarantine_by_reason": dict(sorted(self.by_reason.items())),
            "quarantined": [_short(each) for each in self.quarantined],
            "assets": {
                "total": copied + skipped + external,
                "copied": copied,
                "skipped": skipped,
                "external": external,
                "bytes_copied": self.totals["bytes_copied"],
            },
            "cogs": {
                "checked": self.cogs.checked,
                "valid": self.cogs.valid,
                "invalid_count": self.cogs.checked - self.cogs.valid,
                "invalid": [
                    {
                        "item_id": each.item_id,
                        "asset": each.asset,
                        "path": each.path,
                        "reasons": [reason[:_MAX_MESSAGE] for reason in each.reasons],
                    }
                    for each in self.cogs.invalid
                ],
            },
            "collection": self.loaded["collection"],
            "source_catalog": {"id": collection_id, "entry": entry.value},
            "warnings": self._all_warnings(),
            "links": {"collection": address, "items": f"{address}/items"},
        }

    def _message(
        self, collection_id: str, registered: int, quarantined: int, *, changed: bool
    ) -> str:
        """One sentence or more for people; what calls for a decision of theirs comes first."""
        if not changed:
            are = "is" if registered == 1 else "are"
            items = f"{counted(registered, 'item')} of {collection_id}"
            text = f"Nothing changed: {items} {are} up to date"
        else:
            text = (
                f"Registered {counted(registered, 'item')} in {collection_id}: "
                f"{self.loaded['items_new']:,} new, {self.loaded['items_updated']:,} updated, "
                f"{self.loaded['items_unchanged']:,} unchanged"
            )
        parts = [f"{text}; {quarantined:,} quarantined." if quarantined else f"{text}."]
        kept = self.by_reason[Reason.TARGET_EXISTS.value]
        if kept:
            parts.insert(
                0,
                f"{counted(kept, 'item')} differ{'s' if kept == 1 else ''} from what is there "
                "already and stayed out; set overwrite to replace that.",
            )
        return " ".join([*parts, *self._about_cogs()])

    def _about_cogs(self) -> list[str]:
        """A sentence, where some files are not COGs."""
        invalid = self.cogs.checked - self.cogs.valid
        if not invalid:
            return []
        verb = "is not a valid COG" if invalid == 1 else "are not valid COGs"
        return [f"{invalid:,} of {counted(self.cogs.checked, 'GeoTIFF')} {verb}: see cogs.invalid."]

    def _all_warnings(self) -> list[str]:
        return [*self._about_cogs(), *self.warnings][:MAX_WARNINGS]


def _short(each: Quarantined) -> JsonObject:
    record = each.as_json()
    return {**record, "message": each.message[:_MAX_MESSAGE]}


def _facts(collection: Mapping[str, Any], rasters: list[JsonObject]) -> RasterFacts:
    """Of the data asset that most items have, what most of its rasters share."""
    item_assets: Mapping[str, Any] = collection.get("item_assets") or {}
    raster = _typical(rasters, list(item_assets))
    nodata = raster.get("nodata")
    if nodata is None:
        nodata = _declared_nodata(item_assets.get(raster.get("asset", "")) or {})
    return RasterFacts(
        asset_key=raster.get("asset"),
        resolution_m=raster.get("resolution_m"),
        crs=raster.get("crs"),
        data_type=raster.get("data_type"),
        nodata=nodata,
        band_count=raster.get("band_count"),
    )


def _typical(rasters: list[JsonObject], order: list[str]) -> JsonObject:
    """The most frequent facts of the most frequent asset. Data assets go before others, and
    of two equally frequent ones the first in `order`."""
    if not rasters:
        return {}
    by_asset: Counter[tuple[bool, str]] = Counter()
    for each in rasters:
        by_asset[each["is_data"], each["asset"]] += each["count"]
    rank = {name: place for place, name in enumerate(order)}
    best = min(
        by_asset,
        key=lambda key: (not key[0], -by_asset[key], rank.get(key[1], len(rank)), key[1]),
    )
    facts: Counter[bytes] = Counter()
    for each in rasters:
        if (each["is_data"], each["asset"]) == best:
            only_facts = {k: v for k, v in each.items() if k not in ("count", "width", "height")}
            facts[orjson.dumps(only_facts, option=orjson.OPT_SORT_KEYS)] += each["count"]
    typical: JsonObject = orjson.loads(min(facts, key=lambda key: (-facts[key], key)))
    return typical


def _declared_nodata(asset: Mapping[str, Any]) -> float | None:
    """What the metadata says where the file does not: the raster extension's, or STAC 1.1's."""
    bands = asset.get("raster:bands") or asset.get("bands") or []
    for each in (asset, *bands[:1]):
        nodata = each.get("nodata") if isinstance(each, dict) else None
        if isinstance(nodata, (int, float)):
            return float(nodata)
    return None
