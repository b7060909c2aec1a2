-- The books of an issuer. Written by crates/opencoin-sqlite alone; the meaning is in crates/opencoin-ledger.
-- Times are microseconds since 1970 UTC. Amounts are in the smallest unit.

-- Holders. The system accounts -2 (recovered money), -1 (payouts), 0 (the issuer), 1 (outside) and 2 (coins) have no row:
-- their balances are derived.
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
    -- The short number of the key in other tables and in the log. Without a gap.
    no              INTEGER PRIMARY KEY CHECK (no >= 1),
    id              BLOB NOT NULL UNIQUE CHECK (length(id) = 20),
    -- SHA-256 of the public key. Digests in the log cover it.
    fingerprint     BLOB NOT NULL CHECK (length(fingerprint) = 32),
    -- The length of the modulus, to which blinds are padded before they are hashed.
    modulus_bytes   INTEGER NOT NULL CHECK (modulus_bytes > 0),
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
    -- The key does not sign yet: its certificate is not in a published checkpoint of the log.
    awaits_log      INTEGER NOT NULL DEFAULT 0 CHECK (awaits_log IN (0, 1)),
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
    -- The batch of the log that was open when the coin came back, so that its leaf is found. The log, which is public, says no less.
    log_batch    INTEGER,
    PRIMARY KEY (mint_key_no, spent_digest)
) STRICT, WITHOUT ROWID;

-- The journal, in double entry: one row for every applied command, never changed and never deleted. No row names a coin.
CREATE TABLE transactions (
    -- Names a row, and ascends as rows are written, so that programs can read the journal in pieces.
    id             INTEGER PRIMARY KEY,
    -- 1 open account, 2 credit, 3 debit, 4 transfer, 5 register mint key, 6 stop mint key, 7 pause or resume signing,
    -- 8 mint, 9 renew, 10 redeem, 11 prune mint key, 12 retire mint key, 13 recoup, 14 request payout,
    -- 15 pay payout, 16 return payout, 17 go on with an older state, 18 give up a mint that waited for money, 19 open the log,
    -- 20 add a description of the currency to the log, 21 release a mint key, 22 book something of a lost time as the log has
    -- it, 23 assign recovered money, 24 mint, 25 renew or 26 recoup of the lost time again, 27 bear what accounts owe after it. Any other number is a kind that
    -- moves no money.
    kind           INTEGER NOT NULL CHECK (kind >= 1),
    -- One byte of scope, then what is unique in it: a command sent again finds its first row here.
    reference      BLOB NOT NULL UNIQUE CHECK (length(reference) >= 2),
    -- SHA-256 of what the reference stands for: the same reference with other content is a conflict. Covers the blinds.
    content        BLOB NOT NULL CHECK (length(content) = 32),
    -- Gives the amount. -2 is recovered money that is not assigned to accounts, -1 is unsettled payouts, 0 is the issuer, for
    -- recouped coins, 1 is outside, 2 is all coins outstanding.
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
    -- The batch of the log that was open then, for mints, renews, redeems and recoups.
    log_batch      INTEGER,
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
            WHEN 22 THEN debit_account = -2 AND credit_account IN (1, 2) OR debit_account IN (0, 1, 2) AND credit_account = -2
            WHEN 23 THEN debit_account = -2 AND credit_account >= 3 OR debit_account >= 3 AND credit_account = -2
            WHEN 24 THEN debit_account >= 3 AND credit_account = -2
            WHEN 27 THEN debit_account = 0 AND credit_account = -2
            ELSE debit_account IS NULL AND credit_account IS NULL
        END IS TRUE
    ),
    CONSTRAINT transactions_entries CHECK (
        (debit_entry IS NOT NULL) = coalesce(debit_account >= 3, 0)
        AND (credit_entry IS NOT NULL) = coalesce(credit_account >= 3, 0)
    ),
    CONSTRAINT transactions_amount CHECK (
        amount >= 0 AND (kind = 24 OR (amount > 0) = (kind IN (2, 3, 4, 8, 9, 10, 13, 14, 15, 16, 22, 23, 27)))
    ),
    CONSTRAINT transactions_issued CHECK (
        (issued IS NOT NULL) = (kind IN (8, 9, 13, 24, 25, 26) OR kind = 22 AND credit_account = 2)
    ),
    CONSTRAINT transactions_label CHECK (label IS NULL OR (kind = 4 AND length(label) BETWEEN 1 AND 200))
) STRICT;
CREATE INDEX transactions_debits ON transactions (debit_account, debit_entry) WHERE debit_account >= 3;
CREATE INDEX transactions_credits ON transactions (credit_account, credit_entry) WHERE credit_account >= 3;
CREATE INDEX transactions_recovered ON transactions (id) WHERE debit_account = -2 OR credit_account = -2;

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
    mint_key_no   INTEGER NOT NULL,
    -- SHA-256 over a fixed text, the fingerprint of the mint key and the blinded number, as in the log.
    issued_digest BLOB NOT NULL CHECK (length(issued_digest) = 32),
    -- As in spent.
    spent_digest  BLOB NOT NULL CHECK (length(spent_digest) = 32),
    PRIMARY KEY (mint_key_no, issued_digest),
    UNIQUE (mint_key_no, spent_digest)
) STRICT, WITHOUT ROWID;

-- Blinds that were accepted in a lost time, as the log has them. A request that has them is signed again, and takes
-- the rows. The others go with those of spent.
CREATE TABLE recovered_blinds (
    mint_key_no   INTEGER NOT NULL,
    -- As in recouped.
    issued_digest BLOB NOT NULL CHECK (length(issued_digest) = 32),
    -- The batch of the log that has it.
    log_batch     INTEGER NOT NULL,
    PRIMARY KEY (mint_key_no, issued_digest, log_batch)
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

-- One row if the currency has a public log: its end.
CREATE TABLE log_head (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    -- The batch that is open: what is accepted now is in this one.
    batch      INTEGER NOT NULL CHECK (batch >= 1),
    size       INTEGER NOT NULL CHECK (size >= 0),
    -- The tree hash over all leaves.
    root       BLOB NOT NULL CHECK (length(root) = 32),
    -- The index of the last batch leaf.
    previous   INTEGER,
    time_s     INTEGER NOT NULL,
    -- The totals at the last batch, or those with which the log began.
    accounts   INTEGER NOT NULL,
    paid_in    INTEGER NOT NULL,
    paid_out   INTEGER NOT NULL,
    recouped   INTEGER NOT NULL,
    -- The currency had coins or money before it had a log.
    began_late INTEGER NOT NULL CHECK (began_late IN (0, 1)),
    -- The last batch of a lost time that was recovered from a copy of the log.
    recovered_to INTEGER,
    -- The rule that would have been broken. Then nothing is sealed or accepted.
    halted     TEXT,
    CONSTRAINT log_head_begins_empty CHECK ((previous IS NULL) = (size = 0))
) STRICT;

-- What commits add to the log, one row for each commit, until the sealer has moved it into the tree. The order of the rows means
-- nothing.
CREATE TABLE log_pending (
    id       INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    -- Leaves of coins and blinds, 38 bytes each.
    coins    BLOB NOT NULL,
    -- Leaves of documents, each with its length in two bytes before it.
    others   BLOB NOT NULL,
    -- The changes of the totals.
    accounts INTEGER NOT NULL,
    paid_in  INTEGER NOT NULL CHECK (paid_in >= 0),
    paid_out INTEGER NOT NULL CHECK (paid_out >= 0),
    recouped INTEGER NOT NULL CHECK (recouped >= 0)
) STRICT;

-- What the log has counted for each mint key. Changed by the sealer alone.
CREATE TABLE log_keys (
    key_no         INTEGER PRIMARY KEY,
    issued         INTEGER NOT NULL CHECK (issued >= 0),
    spent          INTEGER NOT NULL CHECK (spent BETWEEN 0 AND issued),
    -- The batch that has the certificate of the key.
    batch          INTEGER,
    -- The log has stated that the key signs no more.
    signing_closed INTEGER NOT NULL CHECK (signing_closed IN (0, 1)),
    -- The log has stated that its coins are no longer taken.
    coins_closed   INTEGER NOT NULL CHECK (coins_closed IN (0, 1))
) STRICT;

-- The batches of the log. The last leaf of each is the batch leaf.
CREATE TABLE log_batches (
    no     INTEGER PRIMARY KEY CHECK (no >= 1),
    first  INTEGER NOT NULL,
    count  INTEGER NOT NULL CHECK (count >= 1),
    -- The tree hash over the log up to the end of the batch.
    root   BLOB NOT NULL CHECK (length(root) = 32),
    time_s INTEGER NOT NULL
) STRICT;

-- The leaves of the log, 256 in a row, each with its length in two bytes before it. A full row never changes. Tiles of level 0 follow
-- from them.
CREATE TABLE log_bundles (
    no    INTEGER PRIMARY KEY CHECK (no >= 0),
    width INTEGER NOT NULL CHECK (width BETWEEN 1 AND 256),
    data  BLOB NOT NULL
) STRICT;

-- Hashes of the tree from level 1 on, up to 256 in a row.
CREATE TABLE log_tiles (
    level INTEGER NOT NULL CHECK (level BETWEEN 1 AND 63),
    no    INTEGER NOT NULL CHECK (no >= 0),
    width INTEGER NOT NULL CHECK (width BETWEEN 1 AND 256),
    data  BLOB NOT NULL,
    PRIMARY KEY (level, no)
) STRICT;

-- The checkpoint that is published, with its signatures.
CREATE TABLE log_checkpoint (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    size INTEGER NOT NULL CHECK (size >= 0),
    note TEXT NOT NULL,
    at   INTEGER NOT NULL
) STRICT;

-- Which process seals. It saves work: two that both believe to hold it do no harm.
CREATE TABLE log_lease (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    holder BLOB NOT NULL CHECK (length(holder) = 16),
    until  INTEGER NOT NULL
) STRICT;

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
