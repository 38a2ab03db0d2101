"""The requirements files agree with pyproject.toml and with each other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)", re.MULTILINE)
_NAME = re.compile(r"^[A-Za-z0-9._-]+")


def pins(file: str) -> set[tuple[str, str]]:
    text = (CHECKOUT / file).read_text()
    return {(normal(name), version) for name, version in _PIN.findall(text)}


def normal(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def names(requirements: list[str]) -> set[str]:
    return {normal(match[0]) for line in requirements if (match := _NAME.match(line))}


def project() -> dict[str, Any]:
    return tomllib.loads((CHECKOUT / "pyproject.toml").read_text())


def test_what_azure_installs_is_what_is_tested() -> None:
    assert pins("requirements.txt") <= pins("requirements.lock")


def test_what_azure_installs_covers_the_app() -> None:
    wanted = names(project()["project"]["dependencies"])
    assert wanted <= {name for name, _ in pins("requirements.txt")}


def test_the_lock_covers_every_group_but_the_benchmarks() -> None:
    groups = project()["dependency-groups"]
    locked = {name for name, _ in pins("requirements.lock")}
    for group in groups.keys() - {"bench"}:
        assert names(groups[group]) <= locked, group
    assert names(groups["bench"]) <= {name for name, _ in pins("requirements-bench.lock")}


def test_every_requirement_has_a_digest() -> None:
    for file in ("requirements.txt", "requirements.lock", "requirements-bench.lock"):
        entries = re.split(r"\n(?=\S)", (CHECKOUT / file).read_text().strip())
        bare = [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry]
        assert bare == [], file
