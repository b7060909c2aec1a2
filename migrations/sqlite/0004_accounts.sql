-- Holders use their accounts themselves: passwords, sessions and services, transfers with labels, payouts, mints that wait for money.

-- A PHC string: the hash of the password with its salt and parameters. Without one nobody logs in.
ALTER TABLE accounts ADD COLUMN password_hash TEXT;
-- Whether the holder wants to be found by others.
ALTER TABLE accounts ADD COLUMN listed INTEGER NOT NULL DEFAULT 0 CHECK (listed IN (0, 1));

-- Programs that may act for an account, each with a key of its own. Times are microseconds since 1970 UTC.
CREATE TABLE services (
    id        TEXT PRIMARY KEY CHECK (length(id) = 32),
    account   INTEGER NOT NULL CHECK (account >= 3),
    name      TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    -- Bits: 1 mint, 2 redeem, 4 read.
    scopes    INTEGER NOT NULL CHECK (scopes >= 0),
    -- The key itself is shown once and stored nowhere.
    key_hash  BLOB NOT NULL CHECK (length(key_hash) = 32),
    key_at    INTEGER NOT NULL,
    last_seen INTEGER,
    UNIQUE (account, name)
) STRICT, WITHOUT ROWID;

-- Who has logged in, until when. A row goes with its service, a new key, or a new password.
CREATE TABLE sessions (
    token_hash BLOB PRIMARY KEY CHECK (length(token_hash) = 32),
    account    INTEGER NOT NULL CHECK (account >= 3),
    -- The service that logged in; none where it was a password.
    service_id TEXT,
    opened_at  INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_of ON sessions (account, service_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- Passwords that were guessed wrongly, by SHA-256 of the account's name. Names that nobody has are counted as well, so that the
-- answers are the same.
CREATE TABLE failed_logins (
    name_hash BLOB PRIMARY KEY CHECK (length(name_hash) = 32),
    count     INTEGER NOT NULL CHECK (count >= 1),
    last_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX failed_logins_by_time ON failed_logins (last_at);

-- Mints whose accounts hold too little. No money is set aside for them. A row goes in the transaction that carries the mint out
-- or gives it up.
CREATE TABLE waiting_mints (
    -- As in transactions, which has a row of the reference only after the waiting.
    reference  BLOB PRIMARY KEY CHECK (length(reference) >= 2),
    account    INTEGER NOT NULL CHECK (account >= 3),
    -- As in transactions.
    content    BLOB NOT NULL CHECK (length(content) = 32),
    amount     INTEGER NOT NULL CHECK (amount > 0),
    asked_at   INTEGER NOT NULL,
    expires_at INTEGER NOT NULL CHECK (expires_at > asked_at),
    blinds     BLOB NOT NULL
) STRICT;
CREATE INDEX waiting_mints_of ON waiting_mints (account);
CREATE INDEX waiting_mints_by_age ON waiting_mints (asked_at, reference);

-- Money that holders want outside. Those that are not settled sum up to the system account -1.
CREATE TABLE payouts (
    -- Without a gap: who has read up to one misses none, since none appears below it later.
    no           INTEGER PRIMARY KEY CHECK (no >= 1),
    account      INTEGER NOT NULL CHECK (account >= 3),
    amount       INTEGER NOT NULL CHECK (amount > 0),
    destination  TEXT NOT NULL CHECK (length(destination) BETWEEN 1 AND 200),
    -- That of the transaction of its request.
    reference    BLOB NOT NULL UNIQUE CHECK (length(reference) >= 2),
    requested_at INTEGER NOT NULL,
    -- 1: the bank has paid. 0: the money went back to the account. Set once.
    paid         INTEGER CHECK (paid IN (0, 1)),
    -- The bank's reference, or why it could not be paid.
    settlement   TEXT CHECK (length(settlement) BETWEEN 1 AND 200),
    settled_at   INTEGER,
    CONSTRAINT payouts_settled_at_once CHECK ((paid IS NULL) = (settlement IS NULL) AND (paid IS NULL) = (settled_at IS NULL))
) STRICT;
CREATE INDEX payouts_of ON payouts (account, no);
CREATE INDEX payouts_requested ON payouts (no) WHERE paid IS NULL;

-- Three more kinds of record, and labels. SQLite cannot change a check, so the journal is copied, once and row by row as it is;
-- that takes as much room on the disk as it has, and nobody writes meanwhile.
-- One row for every applied command, never deleted. Nothing in it changes but that blinds become their signatures. No row names
-- a coin.
CREATE TABLE transactions_with_payouts (
    -- Names a row, and ascends as rows are written.
    id             INTEGER PRIMARY KEY,
    -- 1 open account, 2 credit, 3 debit, 4 transfer, 5 register mint key, 6 stop mint key, 7 pause or resume signing,
    -- 8 mint, 9 renew, 10 redeem, 11 prune mint key, 12 retire mint key, 13 recoup, 14 request payout,
    -- 15 pay payout, 16 return payout.
    kind           INTEGER NOT NULL CHECK (kind >= 1),
    -- One byte of scope, then what is unique in it: a command sent again finds its first row here.
    reference      BLOB NOT NULL UNIQUE CHECK (length(reference) >= 2),
    -- SHA-256 of what the reference stands for: the same reference with other content is a conflict.
    content        BLOB NOT NULL CHECK (length(content) = 32),
    -- Gives the amount. -1 is payouts on their way, 0 is the issuer, for recouped coins, 1 is outside, 2 is all coins outstanding.
    debit_account  INTEGER,
    -- Gets the amount.
    credit_account INTEGER,
    amount         INTEGER NOT NULL,
    -- The issuer's time, microseconds since 1970 UTC.
    applied_at     INTEGER NOT NULL,
    -- What to sign, now or when the wallet resumes; or its signatures, kept before the key's private half was destroyed.
    blinds         BLOB,
    -- What a holder has written beside a transfer.
    label          TEXT,
    CONSTRAINT transactions_double_entry CHECK (
        CASE kind
            WHEN 2 THEN debit_account = 1 AND credit_account >= 3
            WHEN 3 THEN debit_account >= 3 AND credit_account = 1
            WHEN 4 THEN debit_account >= 3 AND credit_account >= 3 AND debit_account <> credit_account
            WHEN 8 THEN debit_account >= 3 AND credit_account = 2
            WHEN 9 THEN debit_account = 2 AND credit_account = 2
            WHEN 10 THEN debit_account = 2 AND credit_account >= 3
            WHEN 13 THEN debit_account = 0 AND credit_account = 2
            WHEN 14 THEN debit_account >= 3 AND credit_account = -1
            WHEN 15 THEN debit_account = -1 AND credit_account = 1
            WHEN 16 THEN debit_account = -1 AND credit_account >= 3
            ELSE debit_account IS NULL AND credit_account IS NULL
        END IS TRUE
    ),
    CONSTRAINT transactions_amount CHECK (amount >= 0 AND (amount > 0) = (kind IN (2, 3, 4, 8, 9, 10, 13, 14, 15, 16))),
    CONSTRAINT transactions_blinds CHECK ((blinds IS NOT NULL) = (kind IN (8, 9, 13))),
    CONSTRAINT transactions_label CHECK (label IS NULL OR (kind = 4 AND length(label) BETWEEN 1 AND 200))
) STRICT;
INSERT INTO transactions_with_payouts
    (id, kind, reference, content, debit_account, credit_account, amount, applied_at, blinds)
SELECT id, kind, reference, content, debit_account, credit_account, amount, applied_at, blinds FROM transactions;
DROP TABLE transactions;
ALTER TABLE transactions_with_payouts RENAME TO transactions;
