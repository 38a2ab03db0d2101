"""Access keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.functions_host.keys import AccessControl, Keys

KEYS = Keys(master="m", default="d", system="s")


@pytest.mark.parametrize(
    ("level", "opening"),
    [
        ("anonymous", {"m", "d", "s", ""}),
        ("function", {"m", "d"}),
        ("system", {"m", "s"}),
        ("admin", {"m"}),
    ],
)
def test_which_key_opens_what(level: str, opening: set[str]) -> None:
    access = AccessControl(KEYS)
    for key in ("m", "d", "s", ""):
        assert access.allows(level, {"x-functions-key": key}, {}) is (key in opening)
        assert access.allows(level, {}, {"code": key}) is (key in opening)


def test_without_keys_everyone_may_pass() -> None:
    assert AccessControl(None).allows("admin", {}, {})


def test_keys_are_made_once_and_are_the_owners(tmp_path: Path) -> None:
    keys = Keys.load_or_create(tmp_path)
    assert Keys.load_or_create(tmp_path) == keys
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    assert len({keys.master, keys.default, keys.system}) == 3
