-- The books of an issuer. Written by crates/opencoin-sqlite alone; the meaning is in crates/opencoin-ledger.

-- Holders. The system accounts 1 (outside) and 2 (coins) have no row: their balances are derived.
CREATE TABLE accounts (
    id         INTEGER PRIMARY KEY CHECK (id >= 3),
    name       TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
    -- The token itself is shown once and stored nowhere.
    token_hash BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    -- In the smallest unit. Always the sum of the account's transactions; kept so that spending needs no sum.
    balance    INTEGER NOT NULL CHECK (balance >= 0)
) STRICT;

-- What the certificates promise, and how many coins each key made and took back. Dates are microseconds since 1970 UTC.
CREATE TABLE mint_keys (
    -- Short name for the rows of spent.
    no              INTEGER PRIMARY KEY CHECK (no >= 1),
    id              BLOB NOT NULL UNIQUE CHECK (length(id) = 20),
    denomination    INTEGER NOT NULL CHECK (denomination > 0),
    sign_not_before INTEGER NOT NULL,
    sign_not_after  INTEGER NOT NULL,
    coins_expiry    INTEGER NOT NULL,
    -- Counted when a mint or renew is accepted, before the signature leaves.
    issued          INTEGER NOT NULL,
    -- Never above issued: more coins back than were signed means a forged coin or a stolen key.
    returned        INTEGER NOT NULL,
    -- Set once and for good: the key signs nothing and none of its coins come back.
    stopped_reason  TEXT,
    CONSTRAINT mint_keys_dates_in_order CHECK (sign_not_before <= sign_not_after AND sign_not_after <= coins_expiry),
    CONSTRAINT mint_keys_no_over_redemption CHECK (0 <= returned AND returned <= issued)
) STRICT;

-- Coins that came back. Nothing leads from here to a transaction or an account, and nothing must: that is the privacy of
-- the coins. Grouped by mint key, so that rows can go once the coins of a key have expired.
CREATE TABLE spent (
    mint_key_no  INTEGER NOT NULL,
    payload_hash BLOB NOT NULL CHECK (length(payload_hash) BETWEEN 1 AND 48),
    PRIMARY KEY (mint_key_no, payload_hash)
) STRICT, WITHOUT ROWID;

-- The journal, in double entry: one row for every applied command, never changed and never deleted. No row names a coin.
CREATE TABLE transactions (
    -- Names a row.
    id             INTEGER PRIMARY KEY,
    -- 1 open account, 2 credit, 3 debit, 4 transfer, 5 register mint key, 6 stop mint key, 7 pause or resume signing,
    -- 8 mint, 9 renew, 10 redeem.
    kind           INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 10),
    -- One byte of scope, then what is unique in it: a command sent again finds its first row here.
    reference      BLOB NOT NULL UNIQUE CHECK (length(reference) >= 2),
    -- SHA-256 of what the reference stands for: the same reference with other content is a conflict.
    content        BLOB NOT NULL CHECK (length(content) = 32),
    -- Gives the amount. 1 is outside, 2 is all coins outstanding.
    debit_account  INTEGER,
    -- Gets the amount.
    credit_account INTEGER,
    amount         INTEGER NOT NULL,
    -- The issuer's time, microseconds since 1970 UTC.
    applied_at     INTEGER NOT NULL,
    -- What to sign, now or when the wallet resumes.
    blinds         BLOB,
    CONSTRAINT transactions_double_entry CHECK (
        CASE kind
            WHEN 2 THEN debit_account = 1 AND credit_account >= 3
            WHEN 3 THEN debit_account >= 3 AND credit_account = 1
            WHEN 4 THEN debit_account >= 3 AND credit_account >= 3 AND debit_account <> credit_account
            WHEN 8 THEN debit_account >= 3 AND credit_account = 2
            WHEN 9 THEN debit_account = 2 AND credit_account = 2
            WHEN 10 THEN debit_account = 2 AND credit_account >= 3
            ELSE debit_account IS NULL AND credit_account IS NULL
        END IS TRUE
    ),
    CONSTRAINT transactions_amount CHECK (amount >= 0 AND (amount > 0) = (kind IN (2, 3, 4, 8, 9, 10))),
    CONSTRAINT transactions_blinds CHECK ((blinds IS NOT NULL) = (kind IN (8, 9)))
) STRICT;

-- One row: whether operators have paused signing. changes makes each change a transaction of its own.
CREATE TABLE signing (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    paused  INTEGER NOT NULL CHECK (paused IN (0, 1)),
    changes INTEGER NOT NULL CHECK (changes >= 0)
) STRICT;
INSERT INTO signing (id, paused, changes) VALUES (1, 0, 0);
