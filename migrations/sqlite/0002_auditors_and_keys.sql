-- Accounts that belong to keys, and the joint signature of auditors (docs/LOG.md). Programs of version 1 would change such an account without a leaf of the log, so
-- they cannot use these tables.

-- Accounts of holders, and from number 2^62 on of keys. The system accounts -2 (recovered money), -1 (payouts), 0 (the issuer),
-- 1 (outside) and 2 (coins) have no row: their balances are derived. A copy, since SQLite cannot make a column optional.
CREATE TABLE accounts_of_both (
    id            INTEGER PRIMARY KEY CHECK (id >= 3),
    -- Chosen by the holder; of a key, its 64 hexadecimal digits.
    name          TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
    -- The token itself is shown once and stored nowhere. A key has none.
    token_hash    BLOB UNIQUE CHECK (length(token_hash) = 32),
    -- Always the sum of the account's transactions; kept so that spending needs no sum.
    balance       INTEGER NOT NULL CHECK (balance >= 0),
    -- The number of its newest entry. Entries are numbered in the order in which the balance changed.
    last_entry    INTEGER NOT NULL DEFAULT 0 CHECK (last_entry >= 0),
    -- A PHC string: the hash of the password with its salt and parameters. Without one nobody logs in.
    password_hash TEXT,
    -- Whether the holder wants to be found by others.
    listed        INTEGER NOT NULL DEFAULT 0 CHECK (listed IN (0, 1)),
    -- How many payments the key has made: each of them is a leaf of the log with its number.
    seq           INTEGER CHECK (seq >= 0),
    -- How many credits the account of a key has got: each of them is a leaf of the log with its number.
    credits       INTEGER CHECK (credits >= 0),
    CONSTRAINT accounts_of_holders_and_keys CHECK (
        CASE WHEN id < 4611686018427387904
            THEN token_hash IS NOT NULL AND seq IS NULL AND credits IS NULL
            ELSE token_hash IS NULL AND password_hash IS NULL AND listed = 0 AND seq IS NOT NULL AND credits IS NOT NULL
        END
    )
) STRICT;
INSERT INTO accounts_of_both (id, name, token_hash, balance, last_entry, password_hash, listed)
    SELECT id, name, token_hash, balance, last_entry, password_hash, listed FROM accounts;
DROP TABLE accounts;
ALTER TABLE accounts_of_both RENAME TO accounts;
CREATE INDEX accounts_listed ON accounts (name) WHERE listed = 1;

-- The money in accounts of keys, as log_head.accounts.
ALTER TABLE log_head ADD COLUMN key_accounts INTEGER NOT NULL DEFAULT 0;
-- The tree hash over all accounts of keys; at first that over none.
ALTER TABLE log_head ADD COLUMN ledger_root BLOB NOT NULL
    DEFAULT x'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' CHECK (length(ledger_root) = 32);

-- Leaves about accounts of keys, each with its length in two bytes before it.
ALTER TABLE log_pending ADD COLUMN statements BLOB NOT NULL DEFAULT x'';
ALTER TABLE log_pending ADD COLUMN key_accounts INTEGER NOT NULL DEFAULT 0;

-- The accounts of keys as the log has them at its last batch. Changed by the sealer alone; accounts and what waits are ahead of
-- it.
CREATE TABLE log_key_accounts (
    key     BLOB PRIMARY KEY CHECK (length(key) = 32),
    balance INTEGER NOT NULL CHECK (balance >= 0),
    seq     INTEGER NOT NULL CHECK (seq >= 0),
    credits INTEGER NOT NULL CHECK (credits >= 0)
) STRICT, WITHOUT ROWID;

-- The newest published checkpoints, which auditors may still sign.
CREATE TABLE log_published (
    size INTEGER PRIMARY KEY CHECK (size >= 0),
    note TEXT NOT NULL,
    at   INTEGER NOT NULL
) STRICT;

-- The newest checkpoint with the joint signature of the auditors.
CREATE TABLE log_joint (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    size INTEGER NOT NULL CHECK (size >= 0),
    note TEXT NOT NULL,
    at   INTEGER NOT NULL
) STRICT;

UPDATE schema_compatibility SET oldest_program = 2;
