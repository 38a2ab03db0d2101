"""Queues and keys as an operator writes them."""

from __future__ import annotations

import pytest

from local.service_bus.config import AccessKey, ConfigError, QueueSpec


def test_a_queue_has_sensible_rules_without_any_setting() -> None:
    spec = QueueSpec.parse("Light-Tasks")
    assert spec == QueueSpec("light-tasks", 60, 10, None, True, False, 256)
    assert (spec.lock_ms, spec.ttl_ms, spec.max_message_bytes) == (60_000, None, 262_144)


def test_every_rule_can_be_set() -> None:
    spec = QueueSpec.parse(
        "q:lock_seconds=1.5,max_delivery_count=3,ttl_seconds=60,"
        "dead_letter_on_expiration=false,requires_session=true,max_message_kb=1024"
    )
    assert spec == QueueSpec("q", 1.5, 3, 60, False, True, 1024)
    letters = spec.for_dead_letters()
    assert letters == QueueSpec("q/$deadletterqueue", 1.5, None, None, False, False, 1024)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "a name has up to 260"),
        ("a//b", "a name has up to 260"),
        ("q:lock_seconds", "'lock_seconds' is not one of"),
        ("q:colour=red", "'colour=red' is not one of lock_seconds, "),
        ("q:lock_seconds=0", "more than 0 and finite"),
        ("q:lock_seconds=nan", "more than 0 and finite"),
        ("q:ttl_seconds=inf", "more than 0 and finite"),
        ("q:max_delivery_count=1.5", "a whole number above 0"),
        ("q:max_message_kb=-1", "a whole number above 0"),
        ("q:requires_session=1", "true or false"),
    ],
)
def test_a_wrong_setting_is_explained(text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        QueueSpec.parse(text)


def test_the_key_comes_from_the_environment() -> None:
    assert AccessKey.from_environment({}) == AccessKey("RootManageSharedAccessKey", "SAS_KEY_VALUE")
    environment = {"GEOFORGE_SERVICE_BUS_KEY_NAME": "n", "GEOFORGE_SERVICE_BUS_KEY": "k"}
    assert AccessKey.from_environment(environment) == AccessKey("n", "k")
