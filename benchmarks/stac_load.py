"""Items per second into pgSTAC: our load beside pypgstac's bare Loader, in the same run.

    DATABASE_URL=postgresql://... python -m benchmarks.stac_load [--items 20000] [--rounds 5]

`make bench` runs it on a stack of its own, and reads what `--json` writes.

Both read the same newline-delimited JSON and end with the same items in the catalog. The bare
Loader commits each chunk as it goes and compares nothing; ours loads the collection and its
items in one transaction under the catalog's lock, compares them with what is stored, and
proves the count. The rounds alternate, and the medians are compared. Everything that is loaded
is removed again.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import psycopg
from pypgstac.db import PgstacDB
from pypgstac.load import Loader, Methods

from config import get_settings
from infrastructure import stac_loader
from infrastructure.stac_loader import CatalogLoad

GOAL = 0.8


def main() -> None:
    """Print the rates and their ratio. They are for reading: the exit code does not judge them."""
    parser = argparse.ArgumentParser(description="Items per second into pgSTAC")
    parser.add_argument("--items", type=int, default=20_000, help="items of a load")
    parser.add_argument("--rounds", type=int, default=5, help="loads of each kind")
    parser.add_argument("--json", type=Path, help="also write the seconds of each load here")
    options = parser.parse_args()
    url = get_settings().database_url.get_secret_value()
    with tempfile.TemporaryDirectory(prefix="geoforge-bench-") as directory:
        file = Path(directory) / "items.ndjson"
        _write_items(file, options.items)
        bare, ours, again = [], [], []
        for number in range(options.rounds):
            bare.append(_measured(url, lambda name: _bare(url, name, file)))
            load, repeat = _ours(url, file)
            ours.append(load)
            again.append(repeat)
            print(
                f"round {number + 1}: bare Loader {options.items / bare[-1]:,.0f} items/s, "
                f"geoforge {options.items / ours[-1]:,.0f} items/s, "
                f"unchanged again {options.items / again[-1]:,.0f} items/s",
                flush=True,
            )
    if options.json:
        seconds = {"bare": bare, "ours": ours, "again": again}
        options.json.write_bytes(orjson.dumps({"items": options.items, "seconds": seconds}))
    ratio = statistics.median(bare) / statistics.median(ours)
    print(f"geoforge / bare Loader, medians of {options.rounds}: {ratio:.2f} (goal: {GOAL})")


def _collection(name: str) -> dict[str, Any]:
    return {
        "type": "Collection",
        "stac_version": "1.0.0",
        "id": name,
        "description": "A load of the benchmark.",
        "license": "CC0-1.0",
        "links": [],
        "extent": {
            "spatial": {"bbox": [[-180, -90, 180, 90]]},
            "temporal": {"interval": [["2020-01-01T00:00:00Z", "2020-12-31T00:00:00Z"]]},
        },
        "item_assets": {"data": {"type": "image/tiff; application=geotiff", "roles": ["data"]}},
    }


def _write_items(file: Path, items: int) -> None:
    """Items with three assets and a dozen properties, seeded."""
    chance = random.Random(7)
    with file.open("wb") as out:
        for number in range(items):
            west, south = chance.uniform(-179, 178), chance.uniform(-89, 88)
            ring = [[west, south], [west + 1, south], [west + 1, south + 1], [west, south + 1]]
            assets = {
                key: {
                    "href": f"https://account.blob.core.windows.net/silver/{number}/{key}.tif",
                    "type": "image/tiff; application=geotiff",
                    "roles": ["data"],
                }
                for key in ("data", "mask", "quality")
            }
            item = {
                "type": "Feature",
                "stac_version": "1.0.0",
                "id": f"item-{number:07}",
                "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
                "bbox": [west, south, west + 1, south + 1],
                "properties": {
                    "datetime": f"2020-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"
                    "T10:00:00Z",
                    "platform": chance.choice(["sentinel-2a", "sentinel-2b"]),
                    "eo:cloud_cover": chance.uniform(0, 100),
                    "proj:code": "EPSG:32631",
                    "proj:shape": [10980, 10980],
                    "proj:transform": [10, 0, 300_000, 0, -10, 5_000_000],
                    "gsd": 10,
                },
                "links": [],
                "assets": assets,
            }
            out.write(orjson.dumps(item) + b"\n")


def _items(file: Path, name: str) -> Iterator[dict[str, Any]]:
    with file.open("rb") as lines:
        for line in lines:
            item = orjson.loads(line)
            item["collection"] = name
            yield item


def _bare(url: str, name: str, file: Path) -> None:
    with PgstacDB(dsn=url) as pgstac:
        loader = Loader(pgstac)
        loader.load_collections(iter([_collection(name)]), Methods.insert)
        loader.load_items(_items(file, name), Methods.insert)


def _ours(url: str, file: Path) -> tuple[float, float]:
    """Seconds of a first load, and of a second one that finds everything unchanged."""
    name = f"bench-{uuid4().hex}"
    try:
        first = _timed(lambda: _load(name, file))
        return first, _timed(lambda: _load(name, file))
    finally:
        _remove(url, name)


def _load(name: str, file: Path) -> None:
    stac_loader.load(
        CatalogLoad(
            job_id=uuid4().hex * 2,
            collection_id=name,
            compose=lambda _stored, _others: _collection(name),
            items=lambda: _items(file, name),
            overwrite=False,
            check=lambda: None,
            progress=lambda _done: None,
        )
    )


def _measured(url: str, load: Callable[[str], None]) -> float:
    name = f"bench-{uuid4().hex}"
    try:
        return _timed(lambda: load(name))
    finally:
        _remove(url, name)


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _remove(url: str, name: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("SET search_path TO pgstac, public")
        connection.execute("DELETE FROM collections WHERE id = %s", (name,))
        connection.execute("DELETE FROM app.catalog_loads WHERE collection_id = %s", (name,))


if __name__ == "__main__":
    main()
