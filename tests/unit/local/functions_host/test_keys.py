"""Access keys."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
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


def test_all_who_make_keys_at_once_have_the_same(tmp_path: Path) -> None:
    state = tmp_path / "new"
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: Keys.load_or_create(state), range(32)))
    assert len(set(made)) == 1
    assert [each.name for each in state.iterdir()] == ["keys.json"]


@pytest.mark.parametrize(
    ("named", "told"),
    [({}, "d,m"), ({"GEOFORGE_RESTRICTED_KEYS": "mine,d"}, "mine,d,m")],
)
def test_the_app_is_told_what_opens_functions(named: dict[str, str], told: str) -> None:
    environment = dict(named)
    KEYS.tell_app(environment)
    assert environment == {"GEOFORGE_RESTRICTED_KEYS": told}
