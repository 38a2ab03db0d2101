"""Events and deletions as CSV, and the numbers of events."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.curated.acled.api import Deletion
from services.curated.acled.columns import FIELDS
from services.curated.acled.event_rows import (
    ATTRIBUTES,
    columns_of,
    deletions_csv,
    event_id,
    events_csv,
    source_url,
    updated_at,
)

ORIGIN = "https://acled.example.org"
OWN = ["event_id", "source_url", "updated_at"]
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
plain_ids = st.builds(
    str.__add__,
    st.sampled_from(_LETTERS),
    st.text(_LETTERS + "0123456789", max_size=11),
)


def event(**attributes: Any) -> dict[str, Any]:
    """An event with all of ACLED's attributes, those that are not told empty."""
    return {**dict.fromkeys(ATTRIBUTES, ""), "event_id_cnty": "HND1343", **attributes}


def written(*pages: list[dict[str, Any]]) -> list[dict[str, str]]:
    """The records of the CSV that events become."""
    names = {name for page in pages for each in page for name in each}
    text = b"".join(events_csv(pages, names, ORIGIN)).decode()
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


class TestEventId:
    @pytest.mark.parametrize(
        ("text", "number"), [("A", 10), ("HND1343", 38417907459), ("Z" * 12, 36**12 - 1)]
    )
    def test_is_the_id_as_a_number_to_the_base_of_36(self, text: str, number: int) -> None:
        assert event_id(text) == number

    @given(plain_ids)
    def test_is_the_id_again_when_it_is_written_out(self, text: str) -> None:
        number, digits = event_id(text), ""
        assert 0 < number < 2**63
        while number:
            number, digit = divmod(number, 36)
            digits = f"{'0123456789' + _LETTERS}"[digit] + digits
        assert digits == text

    @pytest.mark.parametrize(
        ("text", "number"),
        [
            # The first 63 bits of SHA-256 are for ever too.
            ("hnd1343", -454376531047763613),
            ("", -8203414616412130827),
        ],
    )
    def test_of_any_other_text_is_made_of_its_digest(self, text: str, number: int) -> None:
        assert event_id(text) == number

    @given(st.text())
    def test_fits_a_bigint_and_tells_the_two_kinds_apart(self, text: str) -> None:
        number = event_id(text)
        assert -(2**63) <= number < 2**63
        is_plain = (
            0 < len(text) <= 12
            and text[0] in _LETTERS
            and set(text) <= set(_LETTERS + "0123456789")
        )
        assert (number > 0) is is_plain

    @pytest.mark.parametrize("text", ["1ABC", "A_1", "A1\n", "É1", "A\u0661", "Z" * 13])
    def test_takes_nothing_else_for_a_number(self, text: str) -> None:
        assert event_id(text) < 0


def test_the_address_of_an_event_holds_its_id_whatever_is_in_it() -> None:
    assert source_url(ORIGIN, "HND1343") == f"{ORIGIN}/api/acled/read?event_id_cnty=HND1343"
    assert source_url(ORIGIN, "A&b=ç/ ").endswith("?event_id_cnty=A%26b%3D%C3%A7%2F%20")


@pytest.mark.parametrize(
    ("timestamp", "moment"),
    [
        (1700000000, "2023-11-14T22:13:20+00:00"),
        ("1700000000", "2023-11-14T22:13:20+00:00"),
        (None, None),
        ("", None),
        ("soon", None),
        (10**30, None),
    ],
)
def test_a_unix_time_is_a_moment_in_utc(timestamp: Any, moment: str | None) -> None:
    assert updated_at(timestamp) == moment


def test_every_attribute_is_a_column_as_it_came() -> None:
    notes = 'He said "no", then left;\r\nand so on. Ñandú'
    [row] = written([event(notes=notes, fatalities="3", latitude="14.0", timestamp=1700000000)])
    assert list(row) == [*OWN, *ATTRIBUTES]
    assert (row["notes"], row["fatalities"], row["latitude"]) == (notes, "3", "14.0")
    assert (row["event_id"], row["updated_at"]) == ("38417907459", "2023-11-14T22:13:20+00:00")
    assert row["source_url"] == source_url(ORIGIN, "HND1343")


def test_null_is_empty_and_what_is_nested_is_json() -> None:
    [row] = written([event(actor2=None, tags=["a", {"b": 1}], iso=340, civilian_targeting=True)])
    assert (row["actor2"], row["tags"]) == ("", '["a",{"b":1}]')
    assert (row["iso"], row["civilian_targeting"]) == ("340", "true")


def test_an_attribute_that_is_new_is_a_column_more_also_where_it_comes_late() -> None:
    rows = written([event()], [event(event_id_cnty="HND2", weather="dry", a="1")])
    assert list(rows[0]) == [*OWN, *ATTRIBUTES, "a", "weather"]
    assert [row["weather"] for row in rows] == ["", "dry"]


def test_an_attribute_that_no_event_has_is_no_column() -> None:
    gone = {name: value for name, value in event().items() if name != "tags"}
    [row] = written([gone])
    assert list(row) == [*OWN, *(name for name in ATTRIBUTES if name != "tags")]


def test_of_no_events_there_are_the_names() -> None:
    assert columns_of([]) == ATTRIBUTES
    assert b"".join(events_csv([], [], ORIGIN)).decode() == (
        ",".join(f'"{name}"' for name in [*OWN, *ATTRIBUTES]) + "\n"
    )


def test_what_no_table_can_hold_is_left_out() -> None:
    [row] = written([event(notes="a\0b\ud800c")])
    assert row["notes"] == "ab?c"


def test_deletions_are_keys_and_times() -> None:
    deleted = [Deletion("HND1343", 1700000000), Deletion('X"1', 5)]
    assert b"".join(deletions_csv(deleted)).decode() == (
        '"event_id_cnty","timestamp"\nHND1343,1700000000\n"X""1",5\n'
    )
    assert b"".join(deletions_csv([])).decode() == '"event_id_cnty","timestamp"\n'


def test_each_column_of_the_file_has_one_in_the_table() -> None:
    assert sorted(field.name for field in FIELDS) == sorted([*OWN, *ATTRIBUTES])
    assert all(field.sources == (field.name,) for field in FIELDS)
    assert all(field.comment for field in FIELDS)
