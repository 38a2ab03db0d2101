"""The builder's model, which needs no browser, under Node's own test runner."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

TESTS = Path(__file__).with_name("builder_model.test.mjs")


def test_the_model_of_the_builder() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node")
    done = subprocess.run(
        [node, "--test", "--test-reporter=tap", str(TESTS)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    # A file without tests passes too.
    assert "# fail 0" in done.stdout
    assert "# pass 0" not in done.stdout
