"""MapLibre's own judgement of a style."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

_VALIDATOR = Path(__file__).parents[1] / "data/maplibre-style-spec/gl-style-validate.cjs"
_SECONDS = 60


def faults(style: dict[str, Any], folder: Path) -> list[str]:
    """What MapLibre's validator finds wrong with a style; nothing, if it is good."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node.js to run MapLibre's validator of styles")
    file = folder / "style.json"
    file.write_text(json.dumps(style))
    ran = subprocess.run(
        [node, str(_VALIDATOR), "--json", str(file)],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert ran.returncode in (0, 1), ran.stderr
    return [fault["message"] for fault in json.loads(ran.stdout or "[]")]
