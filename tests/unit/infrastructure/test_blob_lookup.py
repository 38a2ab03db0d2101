"""Which listings a lookup makes."""

from __future__ import annotations

import pytest

from infrastructure.blob_lookup import _by_prefix


@pytest.mark.parametrize(
    ("paths", "groups"),
    [
        (["a.tif"], {"": 1}),
        (["x/a", "x/b", "y/c"], {"x/": 2, "y/": 1}),
        (["x/a", "x/y/b"], {"x/": 2}),
        (["a", "x/y/b"], {"": 2}),
        ([f"items/{n}/{n}.tif" for n in range(1000)], {"items/": 1000}),
        ([f"p{n % 3}/{n}/a.tif" for n in range(1000)], {"p0/": 334, "p1/": 333, "p2/": 333}),
    ],
)
def test_folders_are_listed_together_where_there_are_many(
    paths: list[str], groups: dict[str, int]
) -> None:
    found = _by_prefix(paths)
    assert {prefix: len(wanted) for prefix, wanted in found.items()} == groups
    assert sorted(path for wanted in found.values() for path in wanted) == sorted(paths)
    assert all(path.startswith(prefix) for prefix, group in found.items() for path in group)
