"""Named queries out of the commented .sql files in infrastructure/sql/.

A file holds queries, each under a line `-- name: <name>`; the comment lines that follow say
what it is for. `load("tasks")["claim"]` is the text of query `claim` in sql/tasks.sql, ready
for psycopg with its %(named)s parameters.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import LiteralString

_HEADER = re.compile(r"^-- name: ([a-z][a-z0-9_]*)\s*$", re.MULTILINE)


@lru_cache
def load(file: str) -> MappingProxyType[str, LiteralString]:
    """The queries of sql/<file>.sql by name. Two queries of one name are an error."""
    text = resources.files("infrastructure").joinpath("sql", f"{file}.sql").read_text("utf-8")
    parts = _HEADER.split(text)[1:]
    queries: dict[str, LiteralString] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name in queries:
            raise ValueError(f"sql/{file}.sql has two queries named {name!r}")
        # The comments stay in the file: psycopg would take a % in one for a placeholder.
        lines = [line for line in body.splitlines() if not line.lstrip().startswith("--")]
        queries[name] = "\n".join(lines).strip()
    return MappingProxyType(queries)
