"""Who may see what is restricted."""

from __future__ import annotations

import pytest

from services.access import ANYONE, Caller, may_see_restricted
from tests.support.settings import app_settings

KEYED = Caller(is_asked_for_key=True)


def test_nobody_may_without_a_word_of_the_settings() -> None:
    with app_settings():
        for caller in (ANYONE, KEYED, Caller(key=""), Caller(key="any"), Caller("any", True)):
            assert not may_see_restricted(caller)


def test_everyone_may_where_the_setting_says_so() -> None:
    with app_settings(GEOFORGE_SHOW_RESTRICTED="1"):
        assert may_see_restricted(ANYONE)


@pytest.mark.parametrize("setting", ["first,second", " first , second ,", ",first,,second"])
def test_who_sends_a_known_key_may(setting: str) -> None:
    with app_settings(GEOFORGE_RESTRICTED_KEYS=setting):
        assert may_see_restricted(Caller(key="first"))
        assert may_see_restricted(Caller(key="second"))
        for other in ("", " ", ",", "firs", "firstt", "first,second", "FIRST", "\udcff\ud800"):
            assert not may_see_restricted(Caller(other, is_asked_for_key=True))


def test_no_empty_key_is_known() -> None:
    with app_settings(GEOFORGE_RESTRICTED_KEYS=" , ,"):
        for key in ("", " ", ","):
            assert not may_see_restricted(Caller(key))


def test_azure_has_asked_for_the_key_of_a_route_that_wants_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WEBSITE_INSTANCE_ID", "0f3a")
    with app_settings():
        assert may_see_restricted(KEYED)
        assert not may_see_restricted(ANYONE)
        # A route that is open to everyone has let this one in unseen.
        assert not may_see_restricted(Caller(key="whatever"))
