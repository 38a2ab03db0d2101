"""What people hung on a table outlives its replacement, or stops it by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from core.errors import PermanentTaskError
from core.models.feature_table import Column, ColumnType, FeatureTable, GeometryColumn
from infrastructure.database import Connection
from tests.support.published import contents, put

NEW = [(7, "new", (3, 4))]


@pytest.fixture(autouse=True)
def _published(db: Connection) -> Iterator[None]:
    for role in ("reader", "editor"):
        db.execute(f"DROP ROLE IF EXISTS parks_{role}")  # type: ignore[arg-type]
        db.execute(f"CREATE ROLE parks_{role}")  # type: ignore[arg-type]
    db.execute("GRANT USAGE ON SCHEMA geo TO parks_reader, parks_editor")
    put(db, [(1, "old", (0, 0)), (2, "older", (1, 1))], key_columns=["code"])
    yield
    db.execute("RESET ROLE")
    db.execute("DROP OWNED BY parks_reader, parks_editor CASCADE")
    db.execute("DROP ROLE parks_reader, parks_editor")


def rows(db: Connection, query: str) -> list[Any]:
    return [tuple(row.values()) for row in db.execute(query).fetchall()]  # type: ignore[call-overload]


def run(db: Connection, *statements: str) -> None:
    for statement in statements:
        db.execute(statement)  # type: ignore[call-overload]


def test_grants_and_the_owner_survive(db: Connection) -> None:
    run(
        db,
        "GRANT SELECT ON geo.parks TO PUBLIC",
        "GRANT UPDATE ON geo.parks TO parks_reader WITH GRANT OPTION",
        "GRANT INSERT (code, name) ON geo.parks TO parks_editor",
        "REVOKE DELETE ON geo.parks FROM CURRENT_USER",
        "GRANT CREATE ON SCHEMA geo TO parks_editor",
        "ALTER TABLE geo.parks OWNER TO parks_editor",
    )
    query = (
        "SELECT c.relacl::text, pg_get_userbyid(c.relowner), (SELECT array_agg(a.attacl::text"
        " ORDER BY a.attname) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0"
        " AND a.attacl IS NOT NULL) FROM pg_class c WHERE c.oid = 'geo.parks'::regclass"
    )
    [(acl, owner, column_acl)] = rows(db, query)
    put(db, NEW, key_columns=["code"])
    [(new_acl, new_owner, new_column_acl)] = rows(db, query)
    assert sorted(new_acl.strip("{}").split(",")) == sorted(acl.strip("{}").split(","))
    assert (new_owner, new_column_acl) == (owner, column_acl)
    assert owner == "parks_editor"
    db.execute("SET ROLE parks_reader")
    assert contents(db) == [(7, "new")]


def test_views_keep_their_identity_and_show_the_new_rows(db: Connection) -> None:
    run(
        db,
        "CREATE VIEW geo.big WITH (security_barrier) AS"
        " SELECT code AS id, p.name, ST_X(geom) AS x FROM geo.parks p WHERE geom && "
        "ST_MakeEnvelope(-9, -9, 9, 9, 4326)",
        "COMMENT ON VIEW geo.big IS 'Big ones'",
        "GRANT SELECT ON geo.big TO parks_reader",
        "CREATE VIEW public.over_big AS SELECT max(id) AS last FROM geo.big",
        "CREATE VIEW geo.both AS SELECT b.id FROM geo.big b JOIN geo.parks p ON p.code = b.id",
    )
    identity = (
        "SELECT oid, relacl::text, reloptions, obj_description(oid) FROM pg_class"
        " WHERE relname IN ('big', 'over_big', 'both') ORDER BY 1"
    )
    before = rows(db, identity)
    for n in (7, 8):
        put(db, [(n, "new", (3, 4))], key_columns=["code"])
        assert rows(db, "SELECT id, name, x FROM geo.big") == [(n, "new", 3)]
        assert rows(db, "SELECT last FROM public.over_big") == [(n,)]
        assert rows(db, "SELECT id FROM geo.both") == [(n,)]
    assert rows(db, identity) == before
    run(db, "DROP VIEW public.over_big")


def test_materialised_views_are_made_again_with_all_that_is_on_them(db: Connection) -> None:
    run(
        db,
        "CREATE VIEW geo.plain AS SELECT code, name FROM geo.parks",
        "CREATE MATERIALIZED VIEW geo.counted AS SELECT count(*) AS n, max(code) AS last"
        " FROM geo.plain JOIN geo.parks USING (code)",
        "CREATE UNIQUE INDEX counted_n ON geo.counted (n)",
        "COMMENT ON MATERIALIZED VIEW geo.counted IS 'Counted'",
        "COMMENT ON COLUMN geo.counted.n IS 'Rows'",
        "GRANT SELECT ON geo.counted TO parks_reader",
        "CREATE VIEW geo.of_counted AS SELECT n * 2 AS twice, last FROM geo.counted",
        "CREATE MATERIALIZED VIEW geo.second AS SELECT * FROM geo.of_counted, geo.counted c(a, b)",
        "CREATE MATERIALIZED VIEW geo.empty AS SELECT * FROM geo.parks WITH NO DATA",
        "CREATE VIEW geo.last_of_all AS SELECT * FROM geo.second",
    )
    put(db, NEW, key_columns=["code"])
    assert rows(db, "SELECT n, last FROM geo.counted") == [(1, 7)]
    assert rows(db, "SELECT twice, last FROM geo.of_counted") == [(2, 7)]
    assert rows(db, "SELECT a, b FROM geo.second") == [(1, 7)]
    assert rows(db, "SELECT a, b FROM geo.last_of_all") == [(1, 7)]
    assert rows(db, "SELECT relispopulated FROM pg_class WHERE relname = 'empty'") == [(False,)]
    assert rows(db, "SELECT indexdef FROM pg_indexes WHERE tablename = 'counted'") == [
        ("CREATE UNIQUE INDEX counted_n ON geo.counted USING btree (n)",)
    ]
    [(comment, acl)] = rows(
        db,
        "SELECT obj_description(oid) || '/' || col_description(oid, 1), relacl::text"
        " FROM pg_class WHERE relname = 'counted'",
    )
    assert comment == "Counted/Rows"
    assert "parks_reader=r/" in acl
    assert rows(db, "SELECT count(*) FROM pg_class WHERE relname LIKE 'gf\\_%'") == [(0,)]


def test_policies_survive_and_hold(db: Connection) -> None:
    run(
        db,
        "GRANT SELECT ON geo.parks TO parks_reader",
        "ALTER TABLE geo.parks ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY named ON geo.parks FOR SELECT TO parks_reader USING (name = 'new')",
        "CREATE POLICY known ON geo.parks AS RESTRICTIVE USING"
        " (code IN (SELECT 7)) WITH CHECK (code > 0)",
    )
    query = "SELECT * FROM pg_policies WHERE schemaname = 'geo' ORDER BY policyname"
    before = rows(db, query)
    put(db, [(7, "new", (0, 0)), (8, "new", (0, 0)), (7000, "x", (0, 0))], key_columns=["code"])
    assert rows(db, query) == before
    db.execute("SET ROLE parks_reader")
    assert contents(db) == [(7, "new")]


def test_indexes_constraints_options_and_comments_survive(db: Connection) -> None:
    run(
        db,
        'CREATE INDEX "By Name" ON geo.parks (lower(name) text_pattern_ops) WHERE code > 0',
        "COMMENT ON INDEX geo.\"By Name\" IS 'For search'",
        "ALTER TABLE geo.parks ADD CONSTRAINT positive CHECK (code > 0)",
        "ALTER TABLE geo.parks ADD CONSTRAINT one_name UNIQUE (name)",
        "ALTER TABLE geo.parks SET (fillfactor = 70)",
        "COMMENT ON COLUMN geo.parks.name IS 'What the signs say'",
    )
    indexes = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'geo' ORDER BY 1"
    constraints = (
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = 'geo.parks'::regclass ORDER BY 1"
    )
    facts = (
        "SELECT reloptions, col_description(oid, 2) AS code,"
        " (SELECT col_description(oid, attnum) FROM pg_attribute"
        "  WHERE attrelid = c.oid AND attname = 'name'),"
        " obj_description('geo.\"By Name\"'::regclass)"
        " FROM pg_class c WHERE oid = 'geo.parks'::regclass"
    )
    before = rows(db, indexes), rows(db, constraints), rows(db, facts)
    assert before[2] == [(["fillfactor=70"], "CODE", "What the signs say", "For search")]
    for n in (7, 8):
        put(db, [(n, "new", (3, 4))], key_columns=["code"])
        assert (rows(db, indexes), rows(db, constraints), rows(db, facts)) == before


@pytest.mark.parametrize(
    ("statements", "named"),
    [
        (
            ["CREATE TABLE public.visits (park bigint REFERENCES geo.parks (code))"],
            "constraint visits_park_fkey on table public.visits",
        ),
        (
            [
                "CREATE TABLE public.towns (code bigint PRIMARY KEY)",
                "ALTER TABLE geo.parks ADD FOREIGN KEY (code) REFERENCES public.towns NOT VALID",
            ],
            "constraint parks_code_fkey on table geo.parks",
        ),
        (
            [
                "CREATE FUNCTION public.visits() RETURNS trigger LANGUAGE plpgsql AS"
                " 'BEGIN RETURN NEW; END'",
                "CREATE TRIGGER noted AFTER INSERT ON geo.parks"
                " FOR EACH ROW EXECUTE FUNCTION public.visits()",
            ],
            "trigger noted on table geo.parks",
        ),
        (["CREATE PUBLICATION feed FOR TABLE geo.parks"], "publication feed"),
        (["CREATE TABLE public.visits () INHERITS (geo.parks)"], "table public.visits"),
        (
            [
                "CREATE TABLE public.visits (gid bigint, code bigint, name text,"
                " geom geometry(Point, 4326))",
                "ALTER TABLE geo.parks INHERIT public.visits",
            ],
            "inheritance from table public.visits",
        ),
        (
            [
                "CREATE FUNCTION public.visits() RETURNS SETOF geo.parks LANGUAGE sql"
                " AS 'SELECT * FROM geo.parks'"
            ],
            "function public.visits()",
        ),
        (["CREATE VIEW geo.whole_rows AS SELECT p FROM geo.parks p"], "view geo.whole_rows"),
        (["CREATE TABLE public.visits (park geo.parks)"], "column park of table public.visits"),
        (["CREATE STATISTICS geo.parks_stats ON code, name FROM geo.parks"], "statistics object"),
        (["ALTER TABLE geo.parks ALTER name SET DEFAULT 'x'"], "default value for column name"),
        (["CREATE RULE quiet AS ON DELETE TO geo.parks DO INSTEAD NOTHING"], "rule quiet"),
    ],
)
def test_what_would_be_lost_stops_the_publish_by_name(
    db: Connection, statements: list[str], named: str
) -> None:
    try:
        run(db, *statements)
        with pytest.raises(PermanentTaskError) as stopped:
            put(db, NEW, key_columns=["code"])
        assert stopped.value.error_code == "replace_blocked"
        assert named in stopped.value.message
        assert contents(db) == [(1, "old"), (2, "older")]
    finally:
        run(
            db,
            "ALTER TABLE geo.parks DROP CONSTRAINT IF EXISTS parks_code_fkey",
            "DROP TABLE IF EXISTS public.towns",
            "DROP PUBLICATION IF EXISTS feed",
            "DROP TRIGGER IF EXISTS noted ON geo.parks",
            "DROP FUNCTION IF EXISTS public.visits()",
        )
        if "INHERIT public.visits" in statements[-1]:
            run(db, "ALTER TABLE geo.parks NO INHERIT public.visits")
        run(db, "DROP TABLE IF EXISTS public.visits")


def other(**changed: Any) -> FeatureTable:
    return FeatureTable(
        columns=(Column(name="code", type=ColumnType.INTEGER),),
        geometry=GeometryColumn(**{"type": "Point", "srid": 4326, **changed}),
    )


@pytest.mark.parametrize(
    ("view", "table", "named"),
    [
        ("CREATE VIEW geo.v AS SELECT name FROM geo.parks", other(), "view geo.v"),
        ("CREATE VIEW geo.v AS SELECT * FROM geo.parks", other(srid=3857), "view geo.v"),
        (
            "CREATE MATERIALIZED VIEW geo.v AS SELECT name FROM geo.parks",
            other(),
            "materialised view geo.v",
        ),
    ],
)
def test_a_view_of_what_is_gone_stops_the_publish_by_name(
    db: Connection, view: str, table: FeatureTable, named: str
) -> None:
    run(db, view)
    with pytest.raises(PermanentTaskError) as stopped:
        put(db, [(7, (0, 0))], table)
    assert stopped.value.error_code == "dependents_would_break"
    assert named in stopped.value.message
    assert contents(db) == [(1, "old"), (2, "older")]


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("CREATE INDEX by_name ON geo.parks (name)", "index by_name"),
        ("ALTER TABLE geo.parks ADD CONSTRAINT small CHECK (code < 5)", "constraint small"),
    ],
)
def test_an_index_or_constraint_that_does_not_fit_stops_the_publish_by_name(
    db: Connection, statement: str, named: str
) -> None:
    run(db, statement)
    with pytest.raises(PermanentTaskError) as stopped:
        put(db, [(7, (0, 0))], other())
    assert stopped.value.error_code == "attachment_does_not_fit"
    assert named in stopped.value.message
    assert contents(db) == [(1, "old"), (2, "older")]
