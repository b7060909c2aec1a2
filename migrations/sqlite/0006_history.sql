-- Which books these are, so that books that were restored from a backup, or are others, are not taken for those of yesterday; and
-- which programs may work on them.

-- The newest row names these books. Each restore of an older state that an operator has accepted begins another one, so that
-- servers know it from a restore that nobody has told them of.
CREATE TABLE histories (
    no        INTEGER PRIMARY KEY CHECK (no >= 1),
    -- Random.
    id        BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    -- Microseconds since 1970 UTC.
    begun_at  INTEGER NOT NULL,
    -- 0 in books that were restored and that no operator has accepted yet: no server serves them.
    confirmed INTEGER NOT NULL CHECK (confirmed IN (0, 1))
) STRICT;
INSERT INTO histories (no, id, begun_at, confirmed) VALUES (1, randomblob(16), CAST(strftime('%s', 'now') AS INTEGER) * 1000000, 1);

-- One row. A program that knows the schema up to this version or a later one may work here, even where newer migrations were
-- applied that it does not know. A migration that older programs cannot work with raises it to its own version.
CREATE TABLE schema_compatibility (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    oldest_program INTEGER NOT NULL
) STRICT;
INSERT INTO schema_compatibility (id, oldest_program) VALUES (1, 6);
