-- Which books these are, so that books that were restored from a backup, or are others, are not taken for those of yesterday; and
-- which programs may work on them.

CREATE TABLE histories (
    no        int4 PRIMARY KEY CHECK (no >= 1),
    id        bytea NOT NULL UNIQUE CHECK (octet_length(id) = 16),
    begun_at  int8 NOT NULL,
    confirmed boolean NOT NULL
);
COMMENT ON TABLE histories IS
    'The newest row names these books. Each restore of an older state that an operator has accepted begins another one, so that servers know it from a restore that nobody has told them of.';
COMMENT ON COLUMN histories.id IS 'Random.';
COMMENT ON COLUMN histories.begun_at IS 'Microseconds since 1970 UTC.';
COMMENT ON COLUMN histories.confirmed IS 'False in books that were restored and that no operator has accepted yet: no server serves them.';
INSERT INTO histories (no, id, begun_at, confirmed) VALUES
    (1, decode(replace(gen_random_uuid()::text, '-', ''), 'hex'), (extract(epoch FROM now()) * 1000000)::int8, true);

CREATE TABLE schema_compatibility (
    id             int4 PRIMARY KEY CHECK (id = 1),
    oldest_program int8 NOT NULL
);
COMMENT ON TABLE schema_compatibility IS
    'One row. A program that knows the schema up to this version or a later one may work here, even where newer migrations were applied that it does not know. A migration that older programs cannot work with raises it to its own version.';
INSERT INTO schema_compatibility (id, oldest_program) VALUES (1, 6);
