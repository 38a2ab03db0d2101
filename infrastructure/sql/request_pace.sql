-- When the next request to a service may go out: app.request_pace. A time that lies further off than
-- one can have to wait was written down while the clock was ahead, and counts as none.

-- name: reserve
-- Take the next free slot, by the database's clock, and say how long it is until then.
WITH reserved AS (
    INSERT INTO app.request_pace AS pace (service, next_at)
    VALUES (%(service)s, clock_timestamp() + make_interval(secs => %(gap)s))
    ON CONFLICT (service) DO UPDATE
    SET next_at = greatest(
            CASE
                WHEN pace.next_at <= clock_timestamp() + make_interval(secs => %(taken_at_most)s)
                THEN pace.next_at
            END,
            CASE
                WHEN pace.held_until <= clock_timestamp() + make_interval(secs => %(held_at_most)s)
                THEN pace.held_until
            END,
            clock_timestamp()
        ) + make_interval(secs => %(gap)s)
    RETURNING next_at - make_interval(secs => %(gap)s) AS slot
)
SELECT slot, extract(epoch FROM slot - clock_timestamp())::float8 AS seconds FROM reserved

-- name: is_held
-- Whether the service has asked, since a slot was taken, to wait beyond it.
SELECT
    held_until > %(slot)s
    AND held_until <= clock_timestamp() + make_interval(secs => %(held_at_most)s) AS held
FROM app.request_pace
WHERE service = %(service)s

-- name: hold_back
-- Nobody asks for so many seconds. A longer wait that was asked for before stays.
INSERT INTO app.request_pace AS pace (service, next_at, held_until)
VALUES (
    %(service)s, clock_timestamp(), clock_timestamp() + make_interval(secs => %(seconds)s)
)
ON CONFLICT (service) DO UPDATE
SET held_until = greatest(
    CASE
        WHEN pace.held_until <= clock_timestamp() + make_interval(secs => %(held_at_most)s)
        THEN pace.held_until
    END,
    excluded.held_until
)
