-- The books of an issuer. Written by crates/opencoin-sqlite alone; the meaning is in crates/opencoin-ledger.
-- Times are microseconds since 1970 UTC. Amounts are in the smallest unit.

-- Holders. The system accounts -1 (payouts), 0 (the issuer), 1 (outside) and 2 (coins) have no row: their balances are derived.
CREATE TABLE accounts (
    id            INTEGER PRIMARY KEY CHECK (id >= 3),
    name          TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
    -- The token itself is shown once and stored nowhere.
    token_hash    BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    -- Always the sum of the account's transactions; kept so that spending needs no sum.
    balance       INTEGER NOT NULL CHECK (balance >= 0),
    -- The number of its newest entry. Entries are numbered in the order in which the balance changed.
    last_entry    INTEGER NOT NULL DEFAULT 0 CHECK (last_entry >= 0),
    -- A PHC string: the hash of the password with its salt and parameters. Without one nobody logs in.
    password_hash TEXT,
    -- Whether the holder wants to be found by others.
    listed        INTEGER NOT NULL DEFAULT 0 CHECK (listed IN (0, 1))
) STRICT;
CREATE INDEX accounts_listed ON accounts (name) WHERE listed = 1;

-- What the certificates promise, what operators have decided about the keys, and how many coins each key made and took back.
CREATE TABLE mint_keys (
    -- The short number of the key in other tables.
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
    -- Coins that the issuer has replaced after the key was stopped. Not part of returned, which forged coins may have used up.
    recouped        INTEGER NOT NULL DEFAULT 0,
    -- Set once and for good: the key signs nothing and none of its coins come back.
    stopped_reason  TEXT,
    -- Set once and for good: the key signs nothing, whatever the clock says later. Its coins come back as before.
    retired         INTEGER NOT NULL DEFAULT 0 CHECK (retired IN (0, 1)),
    -- Set once and for good: the key signs nothing and none of its coins come back, whatever the clock says later. Its rows in spent
    -- and recouped count for nothing from then on, and are deleted in portions, as are the blinds that expire with it. The counts
    -- stay.
    pruned          INTEGER NOT NULL DEFAULT 0 CHECK (pruned IN (0, 1)),
    CONSTRAINT mint_keys_dates_in_order CHECK (sign_not_before <= sign_not_after AND sign_not_after <= coins_expiry),
    CONSTRAINT mint_keys_no_over_redemption CHECK (0 <= returned AND returned <= issued),
    CONSTRAINT mint_keys_no_over_recoup CHECK (0 <= recouped AND recouped <= issued)
) STRICT;

-- Coins that came back. Nothing leads from here to a transaction or an account, and nothing must: that is the privacy of
-- the coins. Grouped by mint key, so that rows can be deleted when the coins of a key have expired.
CREATE TABLE spent (
    mint_key_no  INTEGER NOT NULL,
    -- SHA-256 over a fixed text, the fingerprint of the mint key, and the payload hash. It determines the coin among those of all
    -- keys.
    spent_digest BLOB NOT NULL CHECK (length(spent_digest) = 32),
    PRIMARY KEY (mint_key_no, spent_digest)
) STRICT, WITHOUT ROWID;

-- The journal, in double entry: one row for every applied command, never changed and never deleted. No row names a coin.
CREATE TABLE transactions (
    -- Names a row, and ascends as rows are written, so that programs can read the journal in pieces.
    id             INTEGER PRIMARY KEY,
    -- 1 open account, 2 credit, 3 debit, 4 transfer, 5 register mint key, 6 stop mint key, 7 pause or resume signing,
    -- 8 mint, 9 renew, 10 redeem, 11 prune mint key, 12 retire mint key, 13 recoup, 14 request payout,
    -- 15 pay payout, 16 return payout, 17 go on with an older state, 18 give up a mint that waited for money. Any other number is a
    -- kind that moves no money.
    kind           INTEGER NOT NULL CHECK (kind >= 1),
    -- One byte of scope, then what is unique in it: a command sent again finds its first row here.
    reference      BLOB NOT NULL UNIQUE CHECK (length(reference) >= 2),
    -- SHA-256 of what the reference stands for: the same reference with other content is a conflict. Covers the blinds.
    content        BLOB NOT NULL CHECK (length(content) = 32),
    -- Gives the amount. -1 is unsettled payouts, 0 is the issuer, for recouped coins, 1 is outside, 2 is all coins outstanding.
    debit_account  INTEGER,
    -- The number of this entry in the debit account: see accounts.last_entry.
    debit_entry    INTEGER,
    -- Gets the amount.
    credit_account INTEGER,
    -- The number of this entry in the credit account.
    credit_entry   INTEGER,
    amount         INTEGER NOT NULL,
    -- The issuer's time.
    applied_at     INTEGER NOT NULL,
    -- How many signatures each mint key gives: its number and the count, in 4 bytes each, big-endian, for one key after the other.
    issued         BLOB,
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
    CONSTRAINT transactions_entries CHECK (
        (debit_entry IS NOT NULL) = coalesce(debit_account >= 3, 0)
        AND (credit_entry IS NOT NULL) = coalesce(credit_account >= 3, 0)
    ),
    CONSTRAINT transactions_amount CHECK (amount >= 0 AND (amount > 0) = (kind IN (2, 3, 4, 8, 9, 10, 13, 14, 15, 16))),
    CONSTRAINT transactions_issued CHECK ((issued IS NOT NULL) = (kind IN (8, 9, 13))),
    CONSTRAINT transactions_label CHECK (label IS NULL OR (kind = 4 AND length(label) BETWEEN 1 AND 200))
) STRICT;
CREATE INDEX transactions_debits ON transactions (debit_account, debit_entry) WHERE debit_account >= 3;
CREATE INDEX transactions_credits ON transactions (credit_account, credit_entry) WHERE credit_account >= 3;

-- What to sign for a transaction, now or when the wallet resumes; or the signatures, kept before a key's private half was destroyed.
-- By far the most bytes, so rows are deleted when all coins of the transaction have expired.
CREATE TABLE blinds (
    -- That of the transaction.
    reference    BLOB PRIMARY KEY NOT NULL CHECK (length(reference) >= 2),
    -- The number of the mint key, among those of the transaction, whose coins expire last. When that is pruned, the row is deleted.
    expires_with INTEGER NOT NULL,
    blinds       BLOB NOT NULL
) STRICT;
CREATE INDEX blinds_by_expiry ON blinds (expires_with);

-- Accepted blinds of stopped mint keys whose coins were recouped, so that none is twice: neither a blind nor a coin. The holder has
-- shown which blind the coin came from, and a row says no more than that. Nothing else leads from here to a transaction or an
-- account, and nothing must. Grouped by mint key, so that rows go with those of spent.
CREATE TABLE recouped (
    mint_key_no  INTEGER NOT NULL,
    -- SHA-256 over a fixed text, the key's id and the blinded number.
    blind_digest BLOB NOT NULL CHECK (length(blind_digest) = 32),
    -- As in spent.
    spent_digest BLOB NOT NULL CHECK (length(spent_digest) = 32),
    PRIMARY KEY (mint_key_no, blind_digest),
    UNIQUE (mint_key_no, spent_digest)
) STRICT, WITHOUT ROWID;

-- One row: whether operators have paused signing. changes makes each change a transaction of its own.
CREATE TABLE signing (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    paused  INTEGER NOT NULL CHECK (paused IN (0, 1)),
    changes INTEGER NOT NULL CHECK (changes >= 0)
) STRICT;
INSERT INTO signing (id, paused, changes) VALUES (1, 0, 0);

-- Programs that may act for an account, each with a key of its own.
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
    -- Without a gap except where a history begins: who has read up to one misses none, since none appears below it later.
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

-- The newest row names these books. Each restore of an older state that an operator has accepted begins another one, so that
-- servers can tell it from a restore that no operator knows of.
CREATE TABLE histories (
    no        INTEGER PRIMARY KEY CHECK (no >= 1),
    -- Random.
    id        BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    begun_at  INTEGER NOT NULL,
    -- 0 in books that were restored and that no operator has accepted yet: no server serves them.
    confirmed INTEGER NOT NULL CHECK (confirmed IN (0, 1)),
    -- Transactions and payouts of this history have higher numbers, and so have entries of the accounts that were there when it began.
    -- Those up to it may have been given in the state that was lost.
    numbers_above INTEGER NOT NULL DEFAULT 0 CHECK (numbers_above >= 0)
) STRICT;
INSERT INTO histories (no, id, begun_at, confirmed) VALUES (1, randomblob(16), CAST(strftime('%s', 'now') AS INTEGER) * 1000000, 1);

-- One row. A program that knows the schema up to this version or a later one may work here, even where newer migrations were
-- applied that it does not know. A migration that older programs cannot work with raises it to its own version.
CREATE TABLE schema_compatibility (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    oldest_program INTEGER NOT NULL
) STRICT;
INSERT INTO schema_compatibility (id, oldest_program) VALUES (1, 1);
