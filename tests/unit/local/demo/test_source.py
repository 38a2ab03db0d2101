"""The demo takes the real collection where there is one."""

from __future__ import annotations

import json
from pathlib import Path

from local.demo.source import choose


def make_real(data: Path) -> Path:
    root = data / "5_stac" / "usda_cdl"
    (root / "examples").mkdir(parents=True)
    (root / "examples" / "collection.json").write_text(json.dumps({"id": "usda-cdl"}))
    return root


def test_the_data_directory_that_is_named(tmp_path: Path) -> None:
    root = make_real(tmp_path / "data")
    source = choose({"GEOFORGE_DATA": str(tmp_path / "data")}, tmp_path, tmp_path / "scratch")
    assert (source.root, source.collection_json) == (root, "examples/collection.json")
    assert source.collection_id == "usda-cdl"
    assert source.origin.startswith("the real one")
    assert not (tmp_path / "scratch").exists()


def test_the_data_beside_the_checkout(tmp_path: Path) -> None:
    root = make_real(tmp_path / "shared" / "data")
    assert choose({}, tmp_path / "checkout", tmp_path / "scratch").root == root


def test_a_generated_collection_where_there_is_no_other(tmp_path: Path) -> None:
    source = choose({"GEOFORGE_DATA": str(tmp_path)}, tmp_path, tmp_path / "scratch")
    assert source.collection_id == "sample-terrain"
    assert "generated" in source.origin
    assert "broken on purpose" in source.origin
    names = [path.relative_to(source.root).as_posix() for path in source.files()]
    assert "collection.json" in names
    assert names == sorted(names)
