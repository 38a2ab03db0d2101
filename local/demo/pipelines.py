"""The demo's pipelines: the examples that come with geoforge, run on small made-up data.

They run side by side. One of them waits for somebody's approval, which the demo gives, and says so.
"""

from __future__ import annotations

import csv
import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.transform import Affine

from local.demo import flood_plains
from local.demo.api import FINISHED, SUCCEEDED, Api, ApiError

CONTAINER = "pipelines-demo"
DATASET = "demo_sites"
"""The curated dataset that is updated with approval."""

VECTOR, RASTER, CURATED = "vector_to_map", "raster_to_h3_by_country", "curated_with_approval"

_ELEVATION = "demo-elevation"
_COUNTRIES = ("RWA", "BDI")
# Rwanda and Burundi lie in this square: west and north in degrees.
_WEST, _NORTH, _DEGREES, _PIXELS = 28.5, -0.5, 4.5, 450
_PLATEAU_METRES = 1500
_SEED = 20_260_301
_PLACES = 24

_POLL_SECONDS = 0.5
_STANDSTILL_SECONDS = 600.0

Run = dict[str, Any]
Say = Callable[[str], None]


def deliver(folder: Path) -> list[Path]:
    """Write the files of the examples into a folder, unless they are there; their paths."""
    makers = {
        "demo_parks.geojson": _parks,
        "demo_stations.csv": _stations,
        "demo_trails.kml": _trails,
        "demo_sites.geojson": _sites,
        "demo_elevation.tif": _elevation,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in makers.items():
        path = folder / name
        if not path.exists():
            part = folder / f".{name}"
            make(part)
            part.replace(path)
    return [folder / name for name in makers]


def run_examples(api: Api, say: Say, *, with_countries: bool) -> list[Run]:
    """Import the examples where they are not there yet, run them, approve what waits for it; the
    runs as they ended.

    Raises:
        ApiError: the app refused something, or a run did not succeed.
    """
    documents = {each["name"]: each for each in api.pipeline_examples()}
    _register_sites(api)
    wanted = dict(_inputs())
    if not with_countries:
        say(f"  {RASTER} is left out, since the countries are.")
        del wanted[RASTER]
    begun = [_begin(api, documents[name], inputs, say) for name, inputs in wanted.items()]
    return _follow(api, begun, say)


def _inputs() -> Iterator[tuple[str, dict[str, Any]]]:
    """The inputs of each example."""
    files = ["demo_parks.geojson", "demo_stations.csv", "demo_trails.kml"]
    yield VECTOR, {"container": CONTAINER, "files": files}
    yield (
        RASTER,
        {
            "container": CONTAINER,
            "file": "demo_elevation.tif",
            "collection": _ELEVATION,
            "dataset": _ELEVATION,
            "countries": list(_COUNTRIES),
            "resolution": 5,
        },
    )
    yield CURATED, {"dataset": DATASET}


def _register_sites(api: Api) -> None:
    """Register the curated dataset, unless it is there."""
    try:
        api.register_dataset(
            {
                "dataset_id": DATASET,
                "name": "Sites of the demo (made up)",
                "source_type": "manual",
                "source_config": {
                    "container_name": CONTAINER,
                    "blob_name": "demo_sites.geojson",
                    "key_columns": ["site_id"],
                },
                "target_table_name": f"curated_{DATASET}",
            }
        )
    except ApiError as error:
        if error.code != "dataset_exists":
            raise


def _begin(api: Api, document: dict[str, Any], inputs: dict[str, Any], say: Say) -> Run:
    """Begin a run of an example; where it was run on these files before, that run."""
    name = document["name"]
    try:
        pipeline = api.import_pipeline(document)
        say(f"  {name}: imported, {len(document['steps'])} steps")
    except ApiError as error:
        if error.code != "pipeline_exists":
            raise
        pipeline = api.pipeline(name)
    # What is curated may have changed since; files of the demo do not.
    request = None if name == CURATED else f"demo of version {pipeline['version']}"
    run = api.run_pipeline(name, inputs, request_id=request)
    if run["created"]:
        return run
    if run["status"] in SUCCEEDED:
        say(f"  {name}: done before.")
    elif run["status"] in FINISHED:
        say(f"  {name}: an earlier run has {run['status']}: resuming it.")
        api.resume_run(run["run_id"])
    return run


def _follow(api: Api, begun: list[Run], say: Say) -> list[Run]:
    """Show the progress of runs until all have ended."""
    began = moved = time.monotonic()
    ended: dict[str, Run] = {each["run_id"]: each for each in begun if each["status"] in SUCCEEDED}
    shown: dict[str, str] = {}
    while len(ended) < len(begun):
        for each in begun:
            run_id = each["run_id"]
            if run_id in ended:
                continue
            run = api.pipeline_run(run_id)
            now = time.monotonic()
            line = _standing(run)
            if line != shown.get(run_id):
                shown[run_id], moved = line, now
                say(f"{now - began:7.1f} s  {run['name']:<24} {line}")
            if run["status"] in FINISHED:
                ended[run_id] = run
            for step in run["steps"]:
                if step["status"] == "awaiting_approval":
                    _approve(api, run, step, say)
        if time.monotonic() - moved > _STANDSTILL_SECONDS:
            raise ApiError(f"No run has moved for {_STANDSTILL_SECONDS:.0f} s.")
        time.sleep(_POLL_SECONDS)
    for run in ended.values():
        if run["status"] not in SUCCEEDED:
            raise ApiError(f"{run['name']} {run['status']}: {json.dumps(run['error'], indent=2)}")
    return [ended[each["run_id"]] for each in begun]


def _approve(api: Api, run: Run, step: dict[str, Any], say: Say) -> None:
    """Decide a gate in place of the person who would."""
    say(f"           {run['name']} waits for approval: {step['message']}")
    api.approve(run["run_id"], step["id"], note="Approved by the demo")
    say("           The demo approves it over the API, as a person does on the page of the run.")


def _standing(run: Run) -> str:
    """Where a run is, in a line: its state, and each step that has begun."""
    steps = [f"{step['id']} {_words(step)}" for step in run["steps"] if _has_begun(step)]
    return f"{run['status'].replace('_', ' '):<10} {', '.join(steps)}".rstrip()


def _has_begun(step: dict[str, Any]) -> bool:
    return bool(step["status"] != "pending")


def _words(step: dict[str, Any]) -> str:
    if step["status"] == "running" and (step["items_total"] or 0) > 1:
        return f"{step['jobs_completed']}/{step['items_total']}"
    return str(step["status"]).replace("_", " ")


def _places(salt: int) -> Iterator[tuple[int, float, float]]:
    """(number, longitude, latitude) of made-up places within the square."""
    random = np.random.default_rng(_SEED + salt)
    for number in range(1, _PLACES + 1):
        east, south = random.uniform(0.2, 0.8, 2) * _DEGREES
        yield number, round(_WEST + east, 5), round(_NORTH - south, 5)


def _features(path: Path, features: list[dict[str, Any]]) -> None:
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), "utf-8")


def _parks(path: Path) -> None:
    """Parks: polygons of twelve corners."""
    features = []
    for number, east, north in _places(1):
        radius = 0.02 + 0.002 * number
        angles = [math.tau * corner / 12 for corner in range(12)]
        ring = [
            [round(east + radius * math.cos(a), 6), round(north + radius * math.sin(a), 6)]
            for a in angles
        ]
        features.append(
            {
                "type": "Feature",
                "properties": {"park_id": number, "name": f"Park {number}"},
                "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
            }
        )
    _features(path, features)


def _stations(path: Path) -> None:
    """Weather stations: a CSV with longitude and latitude."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["station_id", "name", "longitude", "latitude", "elevation_m"])
        for number, east, north in _places(2):
            writer.writerow([number, f"Station {number}", east, north, 1200 + 25 * number])


def _trails(path: Path) -> None:
    """Hiking trails: lines in KML."""
    marks = "".join(
        f"<Placemark><name>Trail {number}</name><LineString><coordinates>"
        + " ".join(
            f"{east + 0.01 * step:.5f},{north + 0.006 * math.sin(step + number):.5f}"
            for step in range(9)
        )
        + "</coordinates></LineString></Placemark>"
        for number, east, north in _places(3)
    )
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?><kml xmlns="http://www.opengis.net/kml/2.2">'
        f"<Document><name>Trails</name>{marks}</Document></kml>",
        "utf-8",
    )


def _sites(path: Path) -> None:
    """Sites of a curated dataset: points with a key."""
    _features(
        path,
        [
            {
                "type": "Feature",
                "properties": {"site_id": f"S{number:03}", "name": f"Site {number}"},
                "geometry": {"type": "Point", "coordinates": [east, north]},
            }
            for number, east, north in _places(4)
        ],
    )


def _elevation(path: Path) -> None:
    """Heights in whole metres of a made-up plateau, as a GeoTIFF."""
    land = flood_plains.plain(_WEST, _NORTH, _DEGREES, _PIXELS, _SEED)
    heights = (land.height + _PLATEAU_METRES).round().astype(np.int16)
    side = _DEGREES / _PIXELS
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=_PIXELS,
        height=_PIXELS,
        count=1,
        dtype="int16",
        crs="EPSG:4326",
        transform=Affine(side, 0.0, _WEST, 0.0, -side, _NORTH),
        nodata=-32768,
        compress="deflate",
        predictor=2,
        tiled=True,
    ) as file:
        file.write(heights, 1)
        file.set_band_description(1, "elevation")
        file.update_tags(1, units="m")
