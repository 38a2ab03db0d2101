"""Styles that handlers bring, in the database."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from infrastructure import database, styles_repository
from services.curated.handler import Style
from services.styles.seeding import seed
from tests.support.settings import app_settings

STATUS = Style("status", "By status", [{"id": "a", "type": "fill"}], [{"label": "a"}])
REALM = Style("realm", "By realm", [{"id": "b", "type": "fill"}], [], description="Land or sea")


@pytest.fixture
def connection(ledger_url: str) -> Iterator[database.Connection]:
    with app_settings(DATABASE_URL=ledger_url), database.connect(autocommit=True) as connection:
        connection.execute("TRUNCATE geo.feature_collection_styles")
        yield connection


def styles(
    connection: database.Connection, collection: str = "parks"
) -> dict[str, tuple[str, bool]]:
    """Titles, and which one is the default."""
    found = styles_repository.of_collection(connection, collection)
    return {each.style_id: (each.title or "", each.is_default) for each in found}


def test_what_is_missing_is_added_and_the_first_is_the_default(
    connection: database.Connection,
) -> None:
    with connection.transaction():
        seed(connection, "parks", [STATUS])
    with connection.transaction():
        seed(connection, "parks", [STATUS, REALM])
        seed(connection, "rivers", [REALM])

    assert styles(connection) == {"status": ("By status", True), "realm": ("By realm", False)}
    assert styles(connection, "rivers") == {"realm": ("By realm", True)}
    first = styles_repository.of_collection(connection, "parks")[0]
    assert first.spec == {"layers": STATUS.layers, "legend": STATUS.legend}
    assert first.is_seeded


def test_what_was_seeded_is_brought_up_to_date(connection: database.Connection) -> None:
    seed(connection, "parks", [STATUS])
    newer = Style("status", "By status", [{"id": "c", "type": "line"}], [])
    seed(connection, "parks", [newer])
    # A second time from its new state.
    newest = Style("status", "Status", [{"id": "d", "type": "line"}], [], description="New")
    seed(connection, "parks", [newest])

    [stored] = styles_repository.of_collection(connection, "parks")
    assert (stored.title, stored.description) == ("Status", "New")
    assert stored.spec["layers"] == [{"id": "d", "type": "line"}]


def test_seeding_the_same_again_changes_nothing(connection: database.Connection) -> None:
    seed(connection, "parks", [STATUS])
    [before] = styles_repository.of_collection(connection, "parks")
    seed(connection, "parks", [STATUS])
    assert styles_repository.of_collection(connection, "parks") == [before]


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE geo.feature_collection_styles SET title = 'Mine'",
        "UPDATE geo.feature_collection_styles SET description = 'Mine'",
        """UPDATE geo.feature_collection_styles
           SET style_spec = jsonb_set(style_spec, '{layers,0,id}', '"mine"')""",
    ],
)
def test_what_was_edited_is_left_alone(connection: database.Connection, edit: str) -> None:
    seed(connection, "parks", [STATUS])
    connection.execute(edit)  # type: ignore[call-overload]
    [before] = styles_repository.of_collection(connection, "parks")

    seed(connection, "parks", [Style("status", "Newer", [{"id": "z", "type": "fill"}], [])])

    assert styles_repository.of_collection(connection, "parks") == [before]


def test_what_a_user_made_is_left_alone(connection: database.Connection) -> None:
    mine = {"title": "Mine", "description": None, "spec": {"layers": [], "legend": []}}
    assert styles_repository.put(connection, "parks", "status", **mine)  # type: ignore[arg-type]
    styles_repository.set_default(connection, "parks", "status")

    seed(connection, "parks", [REALM, STATUS])

    assert styles(connection) == {"status": ("Mine", True), "realm": ("By realm", False)}


def test_a_default_that_was_chosen_stays(connection: database.Connection) -> None:
    seed(connection, "parks", [STATUS, REALM])
    styles_repository.set_default(connection, "parks", "realm")
    seed(connection, "parks", [STATUS, REALM])
    assert styles(connection)["realm"] == ("By realm", True)


def test_it_is_part_of_the_callers_transaction(connection: database.Connection) -> None:
    with connection.transaction(force_rollback=True):
        seed(connection, "parks", [STATUS])
    assert styles(connection) == {}


def test_no_styles_are_none(connection: database.Connection) -> None:
    seed(connection, "parks", [])
    assert styles(connection) == {}


def test_forgetting_waits_for_who_changes_the_styles(
    connection: database.Connection,
) -> None:
    seed(connection, "parks", [STATUS])
    with database.connect() as other, connection.transaction():
        styles_repository.take_turn(other, "parks")
        connection.execute("SET LOCAL lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable), connection.transaction():
            styles_repository.forget(connection, "parks")
        other.rollback()
        styles_repository.forget(connection, "parks")
    assert styles(connection) == {}
