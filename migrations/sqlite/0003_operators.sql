-- What operators do: the record of it, accounts that are frozen or closed, start codes, and operations that wait for a second
-- operator. Programs of version 2 would move money of frozen accounts, so they cannot use these tables.

-- A copy, since SQLite cannot change a constraint.
CREATE TABLE accounts_with_status (
    id            INTEGER PRIMARY KEY CHECK (id >= 3),
    -- Chosen by the holder; of a key, its 64 hexadecimal digits. The name of a closed account is never used again.
    name          TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
    -- The token itself is shown once and stored nowhere. A key has none, and a holder may have none.
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
    -- 0 open, 1 frozen: the holder moves no money, 2 closed for good.
    status        INTEGER NOT NULL DEFAULT 0 CHECK (status IN (0, 1, 2)),
    CONSTRAINT accounts_of_holders_and_keys CHECK (
        CASE WHEN id < 4611686018427387904
            THEN seq IS NULL AND credits IS NULL
            ELSE token_hash IS NULL AND password_hash IS NULL AND listed = 0 AND status = 0
                AND seq IS NOT NULL AND credits IS NOT NULL
        END
    ),
    CONSTRAINT accounts_closed_are_empty CHECK (
        status <> 2 OR balance = 0 AND token_hash IS NULL AND password_hash IS NULL AND listed = 0
    )
) STRICT;
INSERT INTO accounts_with_status (id, name, token_hash, balance, last_entry, password_hash, listed, seq, credits)
    SELECT id, name, token_hash, balance, last_entry, password_hash, listed, seq, credits FROM accounts;
DROP TABLE accounts;
ALTER TABLE accounts_with_status RENAME TO accounts;
CREATE INDEX accounts_listed ON accounts (name) WHERE listed = 1;
CREATE INDEX accounts_frozen ON accounts (name) WHERE status = 1;

-- What operators have done, one row for each change, written in the transaction of the change. Never changed and never deleted.
CREATE TABLE operator_actions (
    -- Without a gap.
    no       INTEGER PRIMARY KEY CHECK (no >= 1),
    at       INTEGER NOT NULL,
    -- The name of the operator's token, or the name that a command was given.
    operator TEXT NOT NULL CHECK (length(operator) BETWEEN 1 AND 64),
    -- A fixed word.
    kind     TEXT NOT NULL CHECK (length(kind) BETWEEN 1 AND 64),
    -- What was changed: the name of an account, the number of a payout, the id of a mint key, ...
    subject  TEXT NOT NULL CHECK (length(subject) BETWEEN 1 AND 200),
    amount   INTEGER CHECK (amount >= 0),
    -- For people. Never a secret.
    detail   TEXT CHECK (length(detail) BETWEEN 1 AND 500)
) STRICT;
CREATE INDEX operator_actions_of ON operator_actions (subject, no);

-- Codes with which holders set their first password, at most one for each account. A row goes with its use.
CREATE TABLE start_codes (
    account    INTEGER PRIMARY KEY CHECK (account >= 3),
    -- As accounts.password_hash. The code itself is shown once and stored nowhere.
    code_hash  TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

-- Operations that wait for a second operator, or did. What is proposed never changes, and no row is deleted.
CREATE TABLE proposals (
    -- Without a gap, except where a new history begins. Never given again.
    no          INTEGER PRIMARY KEY CHECK (no >= 1),
    -- What identifies the operation: that of the transaction that carries it out, or of the line of the bank.
    reference   BLOB NOT NULL CHECK (length(reference) >= 2),
    -- 1 credit, 2 debit, 3 assign recovered money, 4 take it, 5 payout paid, 6 payout failed, 7 assign a line of the bank.
    kind        INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 7),
    account     INTEGER NOT NULL CHECK (account >= 3),
    amount      INTEGER NOT NULL CHECK (amount > 0),
    payout      INTEGER CHECK (payout >= 1),
    line        BLOB CHECK (length(line) = 16),
    -- The reference of a payment, or why a payout has failed.
    text        TEXT CHECK (length(text) BETWEEN 1 AND 200),
    -- Who has proposed it. Another operator carries it out.
    operator    TEXT NOT NULL CHECK (length(operator) BETWEEN 1 AND 64),
    at          INTEGER NOT NULL,
    -- Whether it was carried out, or declined; null while it waits.
    carried_out INTEGER CHECK (carried_out IN (0, 1)),
    decided_by  TEXT CHECK (length(decided_by) BETWEEN 1 AND 64),
    decided_at  INTEGER,
    CONSTRAINT proposals_have_what_their_kind_needs CHECK (
        (kind IN (5, 6)) = (payout IS NOT NULL) AND (kind = 7) = (line IS NOT NULL) AND (kind = 7) = (text IS NULL)
    ),
    CONSTRAINT proposals_are_decided_completely CHECK (
        (carried_out IS NULL) = (decided_by IS NULL) AND (carried_out IS NULL) = (decided_at IS NULL)
    ),
    CONSTRAINT proposals_are_carried_out_by_another CHECK (carried_out IS NULL OR carried_out = 0 OR decided_by <> operator)
) STRICT;
-- One that waits for each operation.
CREATE UNIQUE INDEX proposals_waiting ON proposals (reference) WHERE carried_out IS NULL;

UPDATE schema_compatibility SET oldest_program = 3;
