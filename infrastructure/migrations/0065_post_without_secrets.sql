-- What people may search in JSON: of each text that is an address, the query is `?***`, and user
-- and password are `***@`, as in `core.addresses.without_secrets`, by which it is shown. Else a
-- signature could be found, one character after the other.
CREATE OR REPLACE FUNCTION app.without_secrets(document jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN document::text ~* '"https?://' THEN
        regexp_replace(
            regexp_replace(
                document::text, '("https?://)(?:[^"/?#\\]|\\.)*@', '\1***@', 'gi'
            ),
            '("https?://(?:[^"?\\]|\\.)*)\?(?:[^"\\]|\\.)*', '\1?***', 'gi'
        )
    ELSE document::text
END;
