"""The README's worked example, taken from the page as it stands and run."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from core.job_definition import JobDefinition
from infrastructure import blob_storage
from tests.support.run_job import JobRun
from tests.support.settings import app_settings

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def example(blob_connection_string: str) -> Iterator[ModuleType]:
    """The example as the module that a reader would make of it."""
    [code] = re.findall(r'```python\n("""tally_blobs.*?)```', README.read_text("utf-8"), re.DOTALL)
    module = ModuleType("readme_example")
    sys.modules[module.__name__] = module
    exec(compile(code, str(README), "exec"), module.__dict__)
    with app_settings(AZURE_STORAGE_CONNECTION_STRING=blob_connection_string):
        yield module
    del sys.modules[module.__name__]


def test_the_worked_example_is_a_job_that_works(example: ModuleType) -> None:
    definition = example.JOB
    assert isinstance(definition, JobDefinition)
    blob_storage.ensure_container("readme-example")
    for path, size in (("a/1.tif", 10), ("a/b/2.tif", 20), ("c/3.tif", 5)):
        blob_storage.write_bytes("readme-example", path, b"x" * size)

    result = JobRun(definition, container="readme-example").run()

    assert result == {"a/": 30, "c/": 5}
