"""Releases that are made up when they are first asked for, and offered by a stand-in."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from local.standins.archives import Form
from local.standins.ibat.server import Ibat
from local.standins.key_biodiversity_areas import KeyBiodiversityAreas
from local.standins.protected_area_columns import Columns
from local.standins.protected_areas import ProtectedAreas

DATASETS = ("wdpa", "kba")


@dataclass
class Library:
    """Made-up releases of both data sets, as archives in a folder."""

    folder: Path
    areas: ProtectedAreas = field(default_factory=ProtectedAreas)
    biodiversity_areas: KeyBiodiversityAreas = field(default_factory=KeyBiodiversityAreas)
    form: Form = Form.FILE_GEODATABASE
    columns: Columns = Columns.SINCE_2025
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def offer(self, ibat: Ibat, dataset_name: str, number: int) -> str:
        """Let the stand-in offer a release, which counts from 1; its update_date.

        Raises ValueError for another data set than wdpa and kba, and for a release below 1.
        """
        if dataset_name not in DATASETS:
            raise ValueError(f"{dataset_name!r} is none of {', '.join(DATASETS)}")
        if number < 1:
            raise ValueError(f"releases count from 1, so there is no release {number}")
        with self._lock:
            archive = self._archive(dataset_name, number)
        source = self.areas if dataset_name == "wdpa" else self.biodiversity_areas
        update_date = source.update_date(number)
        ibat.publish(dataset_name, update_date, archive)
        return update_date

    def _archive(self, dataset_name: str, number: int) -> Path:
        # In a folder of their own, so that what was made before is found whatever its name.
        folder = self.folder / dataset_name / f"{number}_{self.form}_{self.columns.value}"
        made = list(folder.glob("*.zip"))
        if made:
            return made[0]
        if dataset_name == "wdpa":
            return self.areas.release(number, self.columns).write(folder, self.form)
        return self.biodiversity_areas.write(number, folder, self.form)
