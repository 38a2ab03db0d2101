"""From rows that someone has to a table that everyone reads.

    staging.create(connection, name, table)          # a hidden table, filled by COPY
    with staging.copy_into(connection, name, table) as write: ...
    findings = checks.examine(connection, name, table)   # what must not be published
    checks.finish(connection, name, table)           # indexes, statistics, counts
    publish.publish(connection, target, name, table, mode="replace", ...)

Nothing here knows where the rows come from. `publish.rollback` brings earlier versions back.
"""
