"""The generated collection is what a producer would deliver, but for what is said to be wrong."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import rasterio
from pydantic import ValidationError
from rio_cogeo.cogeo import cog_validate
from stac_pydantic import Collection, Item

from local.demo.sample_collection import FLAWS, generate


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("sample")).parent


def collection(root: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((root / "collection.json").read_text())
    return document


def sidecars(root: Path) -> dict[str, Path]:
    links = [link for link in collection(root)["links"] if link["rel"] == "item"]
    return {Path(link["href"]).stem: root / link["href"] for link in links}


def test_the_collection_is_valid_stac_and_covers_its_items(root: Path) -> None:
    Collection.model_validate(collection(root))
    [west, south, east, north] = collection(root)["extent"]["spatial"]["bbox"][0]
    for name, path in sidecars(root).items():
        if name not in FLAWS:
            item = json.loads(path.read_text())
            left, bottom, right, top = item["bbox"]
            assert west <= left < right <= east
            assert south <= bottom < top <= north


def test_whole_items_are_valid_stac_with_cogs(root: Path) -> None:
    whole = {name: path for name, path in sidecars(root).items() if name not in FLAWS}
    assert len(whole) == 12
    for name, path in whole.items():
        item = Item.model_validate_json(path.read_text())
        assert item.id == name
        for asset in item.assets.values():
            file = path.parent / asset.href
            valid, errors, warnings = cog_validate(file, quiet=True)
            assert (valid, errors, warnings) == (True, [], [])


def test_the_rasters_lie_where_the_items_say(root: Path) -> None:
    path = sidecars(root)["sample-b2-2020"]
    item = json.loads(path.read_text())
    with rasterio.open(path.parent / "land_cover.tif") as raster:
        assert raster.crs.to_epsg() == item["properties"]["proj:epsg"]
        assert list(raster.transform)[:6] == item["properties"]["proj:transform"]
        named = {entry["value"] for entry in item["assets"]["land_cover"]["classification:classes"]}
        assert {int(code) for code in set(raster.read(1).ravel())} <= named
        assert raster.colormap(1)[5] == (28, 99, 48, 255)


def test_what_is_wrong_is_what_is_said_to_be(root: Path) -> None:
    found = sidecars(root)
    assert set(FLAWS) <= set(found)
    assert not found["sample-missing-sidecar"].exists()
    missing = found["sample-missing-asset"].parent
    assert {file.name for file in missing.glob("*.tif")} == {"land_cover.tif"}
    with pytest.raises(ValidationError, match="bbox"):
        Item.model_validate_json(found["sample-invalid"].read_text())
    plain = found["sample-plain-tiff"].parent / "land_cover.tif"
    valid, errors, _ = cog_validate(plain, quiet=True)
    assert not valid
    assert errors


def test_the_same_files_every_time(root: Path, tmp_path: Path) -> None:
    def digests(directory: Path) -> dict[str, str]:
        return {
            str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in directory.rglob("*")
            if path.is_file()
        }

    again = generate(tmp_path).parent
    assert digests(again) == digests(root)
    before = (tmp_path / "collection.json").stat().st_mtime_ns
    generate(tmp_path)
    assert (tmp_path / "collection.json").stat().st_mtime_ns == before
