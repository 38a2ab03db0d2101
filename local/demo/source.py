"""Which collection the demo takes: a real one where the machine has it, else the generated one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.demo import sample_collection

DATA_SETTING = "GEOFORGE_DATA"
_REAL = Path("5_stac", "usda_cdl")


@dataclass(frozen=True)
class Source:
    """A collection in a directory.

    Attributes:
        root: the directory that is uploaded as it is.
        collection_json: the path of the collection below it.
        origin: what kind of collection this is, for people.
        classes: the asset of its items that holds land cover or crops.
    """

    root: Path
    collection_json: str
    origin: str
    classes: str

    @property
    def collection_id(self) -> str:
        """The collection's own id."""
        document = json.loads((self.root / self.collection_json).read_text("utf-8"))
        return str(document["id"])

    def files(self) -> list[Path]:
        """All its files, in a stable order."""
        return sorted(path for path in self.root.rglob("*") if path.is_file())


def choose(values: Mapping[str, str], checkout: Path, scratch: Path) -> Source:
    """Take the real collection of the data directory if it is there, else generate one.

    Args:
        values: settings; GEOFORGE_DATA may name the data directory.
        checkout: the checkout, beside which the data directory is looked for.
        scratch: where a collection may be generated.
    """
    named = values.get(DATA_SETTING)
    data = Path(named) if named else checkout.parent / "shared" / "data"
    root = (data / _REAL).resolve()
    if (root / "examples" / "collection.json").exists():
        return Source(root, "examples/collection.json", f"the real one in {root}", "cropland")
    collection = sample_collection.generate(scratch)
    flaws = len(sample_collection.FLAWS)
    return Source(
        scratch,
        collection.name,
        f"a generated one, {flaws} of its items broken on purpose (there is no real one in {root})",
        "land_cover",
    )
