-- The books of an issuer. Written by crates/opencoin-postgres alone; the meaning is in crates/opencoin-ledger.
-- Times are microseconds since 1970 UTC. Amounts are in the smallest unit.
--
-- spent, transactions and blinds grow with the coins. Each has one unique key, so that a distributed database can enforce
-- it. The other tables are small. No foreign key touches spent, and no sequence order carries meaning.

CREATE TABLE accounts (
    id            int8 PRIMARY KEY CHECK (id >= 3),
    name          text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
    token_hash    bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    balance       int8 NOT NULL CHECK (balance >= 0),
    last_entry    int8 NOT NULL DEFAULT 0 CHECK (last_entry >= 0),
    password_hash text,
    listed        boolean NOT NULL DEFAULT false
);
CREATE INDEX accounts_by_name ON accounts (name COLLATE "C");
CREATE INDEX accounts_listed ON accounts (name COLLATE "C") WHERE listed;
COMMENT ON TABLE accounts IS
    'Holders. The system accounts -2 (recovered money), -1 (payouts), 0 (the issuer), 1 (outside) and 2 (coins) have no row: their balances are derived, so that no row is in every transaction.';
COMMENT ON COLUMN accounts.token_hash IS 'The token itself is shown once and stored nowhere.';
COMMENT ON COLUMN accounts.balance IS 'Always the sum of the account''s transactions; kept so that spending needs no sum.';
COMMENT ON COLUMN accounts.last_entry IS
    'The number of its newest entry. Changes with the balance, in the same statement, so entries are numbered in the order in which the balance changed.';
COMMENT ON COLUMN accounts.password_hash IS 'A PHC string: the hash of the password with its salt and parameters. Without one nobody logs in.';
COMMENT ON COLUMN accounts.listed IS 'Whether the holder wants to be found by others.';

CREATE TABLE mint_keys (
    no              int4 PRIMARY KEY CHECK (no >= 1),
    id              bytea NOT NULL UNIQUE CHECK (octet_length(id) = 20),
    fingerprint     bytea NOT NULL CHECK (octet_length(fingerprint) = 32),
    modulus_bytes   int4 NOT NULL CHECK (modulus_bytes > 0),
    denomination    int8 NOT NULL CHECK (denomination > 0),
    sign_not_before int8 NOT NULL,
    sign_not_after  int8 NOT NULL,
    coins_expiry    int8 NOT NULL,
    recouped        int8 NOT NULL DEFAULT 0 CHECK (recouped >= 0),
    stopped_reason  text,
    retired         boolean NOT NULL DEFAULT false,
    pruned          boolean NOT NULL DEFAULT false,
    awaits_log      boolean NOT NULL DEFAULT false,
    CONSTRAINT mint_keys_dates_in_order CHECK (sign_not_before <= sign_not_after AND sign_not_after <= coins_expiry)
);
COMMENT ON TABLE mint_keys IS 'What the certificates promise, and what operators have decided about the keys.';
COMMENT ON COLUMN mint_keys.no IS 'The short number of the key in other tables and in the log. Without a gap.';
COMMENT ON COLUMN mint_keys.fingerprint IS 'SHA-256 of the public key. Digests in the log cover it.';
COMMENT ON COLUMN mint_keys.modulus_bytes IS 'The length of the modulus, to which blinds are padded before they are hashed.';
COMMENT ON COLUMN mint_keys.awaits_log IS 'The key does not sign yet: its certificate is not in a published checkpoint of the log.';
COMMENT ON COLUMN mint_keys.recouped IS
    'Coins that the issuer has replaced after the key was stopped. Not counted as returned, which forged coins may have used up.';
COMMENT ON COLUMN mint_keys.stopped_reason IS 'Set once and for good: the key signs nothing and none of its coins come back.';
COMMENT ON COLUMN mint_keys.retired IS
    'Set once and for good: the key signs nothing, whatever the clock says later. Its coins come back as before.';
COMMENT ON COLUMN mint_keys.pruned IS
    'Set once and for good: the key signs nothing and none of its coins come back, whatever the clock says later. Its rows in spent and recouped count for nothing from then on, and are deleted in portions, as are the blinds that expire with it. The counts stay.';

CREATE TABLE mint_key_counts (
    mint_key_no int4 NOT NULL,
    slot        int2 NOT NULL CHECK (slot >= 0),
    issued      int8 NOT NULL,
    returned    int8 NOT NULL,
    signs       boolean NOT NULL,
    takes       boolean NOT NULL,
    PRIMARY KEY (mint_key_no, slot),
    CONSTRAINT mint_key_counts_no_over_redemption CHECK (0 <= returned AND returned <= issued)
) WITH (fillfactor = 50);
COMMENT ON TABLE mint_key_counts IS
    'How many coins each key made and took back, in several rows for each key, so that batches do not wait for each other. Only the sums over the slots mean something. Each process counts in a few slots, and each batch in one of them. If that has too few coins issued for those that come back, the process locks all slots of the key and moves counts of issued coins between them.';
COMMENT ON COLUMN mint_key_counts.issued IS 'Counted when a mint or renew is accepted, before the signature leaves.';
COMMENT ON COLUMN mint_key_counts.returned IS
    'Never above issued, so the sum is never above that of issued: more coins back than were signed means a forged coin or a stolen key.';
COMMENT ON COLUMN mint_key_counts.signs IS
    'False if the key is stopped, retired or pruned, or waits for the log. Repeated here, so that a statement that waits for the row sees it.';
COMMENT ON COLUMN mint_key_counts.takes IS 'False if the key is stopped or pruned, so that no coin comes back.';

CREATE SEQUENCE mint_key_slots;
COMMENT ON SEQUENCE mint_key_slots IS 'Gives each process a number, modulo the number of processes that have slots for themselves.';

CREATE TABLE spent (
    mint_key_no  int4 NOT NULL,
    spent_digest bytea NOT NULL CHECK (octet_length(spent_digest) = 32),
    log_batch    int4,
    PRIMARY KEY (mint_key_no, spent_digest)
);
COMMENT ON TABLE spent IS
    'Coins that came back. Nothing leads from here to a transaction or an account, and nothing must: that is the privacy of the coins. Grouped by mint key, so that rows can be deleted when the coins of a key have expired.';
COMMENT ON COLUMN spent.spent_digest IS 'SHA-256 over a fixed text, the fingerprint of the mint key, and the payload hash. It determines the coin among those of all keys.';

COMMENT ON COLUMN spent.log_batch IS
    'The batch of the log that was open when the coin came back, so that its leaf is found. The log, which is public, says no less.';

CREATE SEQUENCE transaction_numbers;

CREATE TABLE transactions (
    reference      bytea PRIMARY KEY CHECK (octet_length(reference) >= 2),
    id             int8 NOT NULL,
    kind           int2 NOT NULL CHECK (kind >= 1),
    content        bytea NOT NULL CHECK (octet_length(content) = 32),
    debit_account  int8,
    debit_entry    int8,
    credit_account int8,
    credit_entry   int8,
    amount         int8 NOT NULL,
    applied_at     int8 NOT NULL,
    issued         bytea,
    label          text,
    log_batch      int4,
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
        (debit_entry IS NOT NULL) = coalesce(debit_account >= 3, false)
        AND (credit_entry IS NOT NULL) = coalesce(credit_account >= 3, false)
    ),
    CONSTRAINT transactions_amount CHECK (
        amount >= 0 AND (kind = 24 OR (amount > 0) = (kind IN (2, 3, 4, 8, 9, 10, 13, 14, 15, 16, 22, 23, 27)))
    ),
    CONSTRAINT transactions_issued CHECK (
        (issued IS NOT NULL) = (kind IN (8, 9, 13, 24, 25, 26) OR kind = 22 AND credit_account = 2)
    ),
    CONSTRAINT transactions_label CHECK (label IS NULL OR (kind = 4 AND length(label) BETWEEN 1 AND 200))
);
CREATE INDEX transactions_by_number ON transactions (id);
CREATE INDEX transactions_debits ON transactions (debit_account, debit_entry) WHERE debit_account >= 3;
CREATE INDEX transactions_credits ON transactions (credit_account, credit_entry) WHERE credit_account >= 3;
CREATE INDEX transactions_recovered ON transactions (id) WHERE debit_account = -2 OR credit_account = -2;
COMMENT ON TABLE transactions IS
    'The journal, in double entry: one row for every applied command, never changed and never deleted. No row names a coin.';
COMMENT ON COLUMN transactions.reference IS 'One byte of scope, then what is unique in it: a command sent again finds its first row here.';
COMMENT ON COLUMN transactions.id IS
    'From transaction_numbers, so that programs can read the journal in pieces. Its order is roughly that of time: concurrent transactions commit in any order.';
COMMENT ON COLUMN transactions.kind IS
    '1 open account, 2 credit, 3 debit, 4 transfer, 5 register mint key, 6 stop mint key, 7 pause or resume signing, 8 mint, 9 renew, 10 redeem, 11 prune mint key, 12 retire mint key, 13 recoup, 14 request payout, 15 pay payout, 16 return payout, 17 go on with an older state, 18 give up a mint that waited for money, 19 open the log, 20 add a description of the currency to the log, 21 release a mint key, 22 book something of a lost time as the log has it, 23 assign recovered money, 24 mint, 25 renew or 26 recoup of the lost time again, 27 bear what accounts owe after it. Any other number is a kind that moves no money.';
COMMENT ON COLUMN transactions.content IS 'SHA-256 of what the reference stands for: the same reference with other content is a conflict. Covers the blinds.';
COMMENT ON COLUMN transactions.debit_account IS
    'Gives the amount. -2 is recovered money that is not assigned to accounts, -1 is unsettled payouts, 0 is the issuer, for recouped coins, 1 is outside, 2 is all coins outstanding.';
COMMENT ON COLUMN transactions.debit_entry IS 'The number of this entry in the debit account: see accounts.last_entry.';
COMMENT ON COLUMN transactions.credit_account IS 'Gets the amount.';
COMMENT ON COLUMN transactions.credit_entry IS 'The number of this entry in the credit account.';
COMMENT ON COLUMN transactions.applied_at IS 'The issuer''s time.';
COMMENT ON COLUMN transactions.issued IS
    'How many signatures each mint key gives: its number and the count, in 4 bytes each, big-endian, for one key after the other.';
COMMENT ON COLUMN transactions.log_batch IS
    'The batch of the log that was open then, for mints, renews, redeems and recoups.';
COMMENT ON COLUMN transactions.label IS 'What a holder has written beside a transfer.';

CREATE TABLE blinds (
    reference    bytea PRIMARY KEY CHECK (octet_length(reference) >= 2),
    expires_with int4 NOT NULL,
    blinds       bytea NOT NULL
);
-- Blinds are random numbers: compressing them costs time and saves nothing.
ALTER TABLE blinds ALTER COLUMN blinds SET STORAGE EXTERNAL;
CREATE INDEX blinds_by_expiry ON blinds (expires_with);
COMMENT ON TABLE blinds IS
    'What to sign for a transaction, now or when the wallet resumes; or the signatures, kept before a key''s private half was destroyed. By far the most bytes, so rows are deleted when all coins of the transaction have expired.';
COMMENT ON COLUMN blinds.reference IS 'That of the transaction.';
COMMENT ON COLUMN blinds.expires_with IS 'The number of the mint key, among those of the transaction, whose coins expire last. When that is pruned, the row is deleted.';

CREATE TABLE recouped (
    mint_key_no   int4 NOT NULL,
    issued_digest bytea NOT NULL CHECK (octet_length(issued_digest) = 32),
    spent_digest  bytea NOT NULL CHECK (octet_length(spent_digest) = 32),
    PRIMARY KEY (mint_key_no, issued_digest),
    UNIQUE (mint_key_no, spent_digest)
);
COMMENT ON TABLE recouped IS
    'Accepted blinds of stopped mint keys whose coins were recouped, so that none is twice: neither a blind nor a coin. The holder has shown which blind the coin came from, and a row says no more than that. Nothing else leads from here to a transaction or an account, and nothing must. Grouped by mint key, so that rows go with those of spent.';
COMMENT ON COLUMN recouped.issued_digest IS 'SHA-256 over a fixed text, the fingerprint of the mint key and the blinded number, as in the log.';
COMMENT ON COLUMN recouped.spent_digest IS 'As in spent.';

CREATE TABLE recovered_blinds (
    mint_key_no   int4 NOT NULL,
    issued_digest bytea NOT NULL CHECK (octet_length(issued_digest) = 32),
    log_batch     int4 NOT NULL,
    PRIMARY KEY (mint_key_no, issued_digest, log_batch)
);
COMMENT ON TABLE recovered_blinds IS
    'Blinds that were accepted in a lost time, as the log has them. A request that has them is signed again, and takes the rows. The others go with those of spent.';
COMMENT ON COLUMN recovered_blinds.issued_digest IS 'As in recouped.';
COMMENT ON COLUMN recovered_blinds.log_batch IS 'The batch of the log that has it.';

CREATE TABLE signing (
    id      int2 PRIMARY KEY CHECK (id = 1),
    paused  boolean NOT NULL,
    changes int8 NOT NULL CHECK (changes >= 0)
);
COMMENT ON TABLE signing IS 'One row: whether operators have paused signing. changes makes each change a transaction of its own.';
INSERT INTO signing (id, paused, changes) VALUES (1, false, 0);

CREATE TABLE services (
    id        text PRIMARY KEY CHECK (length(id) = 32),
    account   int8 NOT NULL CHECK (account >= 3),
    name      text NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    scopes    int2 NOT NULL CHECK (scopes >= 0),
    key_hash  bytea NOT NULL CHECK (octet_length(key_hash) = 32),
    key_at    int8 NOT NULL,
    last_seen int8,
    UNIQUE (account, name)
);
COMMENT ON TABLE services IS 'Programs that may act for an account, each with a key of its own.';
COMMENT ON COLUMN services.scopes IS 'Bits: 1 mint, 2 redeem, 4 read.';
COMMENT ON COLUMN services.key_hash IS 'The key itself is shown once and stored nowhere.';

CREATE TABLE sessions (
    token_hash bytea PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    account    int8 NOT NULL CHECK (account >= 3),
    service_id text,
    opened_at  int8 NOT NULL,
    expires_at int8 NOT NULL
);
CREATE INDEX sessions_of ON sessions (account, service_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
COMMENT ON TABLE sessions IS 'Who has logged in, until when. A row goes with its service, a new key, or a new password.';
COMMENT ON COLUMN sessions.service_id IS 'The service that logged in; none where it was a password.';

CREATE TABLE failed_logins (
    name_hash bytea PRIMARY KEY CHECK (octet_length(name_hash) = 32),
    count     int4 NOT NULL CHECK (count >= 1),
    last_at   int8 NOT NULL
);
CREATE INDEX failed_logins_by_time ON failed_logins (last_at);
COMMENT ON TABLE failed_logins IS
    'Passwords that were guessed wrongly, by SHA-256 of the account''s name. Names that nobody has are counted as well, so that the answers are the same.';

CREATE TABLE waiting_mints (
    reference  bytea PRIMARY KEY CHECK (octet_length(reference) >= 2),
    account    int8 NOT NULL CHECK (account >= 3),
    content    bytea NOT NULL CHECK (octet_length(content) = 32),
    amount     int8 NOT NULL CHECK (amount > 0),
    asked_at   int8 NOT NULL,
    expires_at int8 NOT NULL CHECK (expires_at > asked_at),
    blinds     bytea NOT NULL
);
ALTER TABLE waiting_mints ALTER COLUMN blinds SET STORAGE EXTERNAL;
CREATE INDEX waiting_mints_of ON waiting_mints (account);
CREATE INDEX waiting_mints_by_age ON waiting_mints (asked_at, reference);
COMMENT ON TABLE waiting_mints IS
    'Mints whose accounts hold too little. No money is set aside for them. A row goes in the transaction that carries the mint out or gives it up.';
COMMENT ON COLUMN waiting_mints.reference IS 'As in transactions, which has a row of the reference only after the waiting.';
COMMENT ON COLUMN waiting_mints.content IS 'As in transactions.';

CREATE TABLE payouts (
    no           int8 PRIMARY KEY CHECK (no >= 1),
    account      int8 NOT NULL CHECK (account >= 3),
    amount       int8 NOT NULL CHECK (amount > 0),
    destination  text NOT NULL CHECK (length(destination) BETWEEN 1 AND 200),
    reference    bytea NOT NULL UNIQUE CHECK (octet_length(reference) >= 2),
    requested_at int8 NOT NULL,
    paid         boolean,
    settlement   text CHECK (length(settlement) BETWEEN 1 AND 200),
    settled_at   int8,
    CONSTRAINT payouts_settled_at_once CHECK ((paid IS NULL) = (settlement IS NULL) AND (paid IS NULL) = (settled_at IS NULL))
);
CREATE INDEX payouts_of ON payouts (account, no);
CREATE INDEX payouts_requested ON payouts (no) WHERE paid IS NULL;
COMMENT ON TABLE payouts IS 'Money that holders want outside. Those that are not settled sum up to the system account -1.';
COMMENT ON COLUMN payouts.no IS
    'Without a gap except where a history begins: who has read up to one misses none, since none appears below it later.';
COMMENT ON COLUMN payouts.reference IS 'That of the transaction of its request.';
COMMENT ON COLUMN payouts.paid IS 'True: the bank has paid. False: the money went back to the account. Set once.';
COMMENT ON COLUMN payouts.settlement IS 'The bank''s reference, or why it could not be paid.';

CREATE TABLE log_head (
    id           int2 PRIMARY KEY CHECK (id = 1),
    batch        int4 NOT NULL CHECK (batch >= 1),
    size         int8 NOT NULL CHECK (size >= 0),
    root         bytea NOT NULL CHECK (octet_length(root) = 32),
    previous     int8,
    time_s       int8 NOT NULL,
    accounts     int8 NOT NULL,
    paid_in      int8 NOT NULL,
    paid_out     int8 NOT NULL,
    recouped     int8 NOT NULL,
    began_late   boolean NOT NULL,
    recovered_to int4,
    halted       text,
    CONSTRAINT log_head_begins_empty CHECK ((previous IS NULL) = (size = 0))
);
COMMENT ON TABLE log_head IS
    'One row if the currency has a public log: its end. Read by every transaction that accepts coins, and locked only by the sealer.';
COMMENT ON COLUMN log_head.batch IS 'The batch that is open: what is accepted now is in this one or a later one.';
COMMENT ON COLUMN log_head.root IS 'The tree hash over all leaves.';
COMMENT ON COLUMN log_head.previous IS 'The index of the last batch leaf.';
COMMENT ON COLUMN log_head.accounts IS 'The totals at the last batch, or those with which the log began.';
COMMENT ON COLUMN log_head.began_late IS 'The currency had coins or money before it had a log.';
COMMENT ON COLUMN log_head.recovered_to IS 'The last batch of a lost time that was recovered from a copy of the log.';
COMMENT ON COLUMN log_head.halted IS 'The rule that would have been broken. Then nothing is sealed or accepted.';

CREATE TABLE log_pending (
    id       int8 PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    at       int8 NOT NULL,
    coins    bytea NOT NULL,
    others   bytea NOT NULL,
    accounts int8 NOT NULL,
    paid_in  int8 NOT NULL CHECK (paid_in >= 0),
    paid_out int8 NOT NULL CHECK (paid_out >= 0),
    recouped int8 NOT NULL CHECK (recouped >= 0)
);
-- Digests are random: compressing them costs time and saves nothing.
ALTER TABLE log_pending ALTER COLUMN coins SET STORAGE EXTERNAL;
COMMENT ON TABLE log_pending IS
    'What commits add to the log, one row for each commit, until the sealer has moved it into the tree. The order of the rows means nothing.';
COMMENT ON COLUMN log_pending.coins IS 'Leaves of coins and blinds, 38 bytes each.';
COMMENT ON COLUMN log_pending.others IS 'Leaves of documents, each with its length in two bytes before it.';
COMMENT ON COLUMN log_pending.accounts IS 'The changes of the totals.';

CREATE TABLE log_keys (
    key_no         int4 PRIMARY KEY,
    issued         int8 NOT NULL CHECK (issued >= 0),
    spent          int8 NOT NULL CHECK (spent BETWEEN 0 AND issued),
    batch          int4,
    signing_closed boolean NOT NULL,
    coins_closed   boolean NOT NULL
);
COMMENT ON TABLE log_keys IS 'What the log has counted for each mint key. Changed by the sealer alone.';
COMMENT ON COLUMN log_keys.batch IS 'The batch that has the certificate of the key.';
COMMENT ON COLUMN log_keys.signing_closed IS 'The log has stated that the key signs no more.';
COMMENT ON COLUMN log_keys.coins_closed IS 'The log has stated that its coins are no longer taken.';

CREATE TABLE log_batches (
    no     int4 PRIMARY KEY CHECK (no >= 1),
    first  int8 NOT NULL,
    count  int8 NOT NULL CHECK (count >= 1),
    root   bytea NOT NULL CHECK (octet_length(root) = 32),
    time_s int8 NOT NULL
);
COMMENT ON TABLE log_batches IS 'The batches of the log. The last leaf of each is the batch leaf.';
COMMENT ON COLUMN log_batches.root IS 'The tree hash over the log up to the end of the batch.';

CREATE TABLE log_bundles (
    no    int8 PRIMARY KEY CHECK (no >= 0),
    width int2 NOT NULL CHECK (width BETWEEN 1 AND 256),
    data  bytea NOT NULL
);
ALTER TABLE log_bundles ALTER COLUMN data SET STORAGE EXTERNAL;
COMMENT ON TABLE log_bundles IS
    'The leaves of the log, 256 in a row, each with its length in two bytes before it. A full row never changes. Tiles of level 0 follow from them.';

CREATE TABLE log_tiles (
    level int2 NOT NULL CHECK (level BETWEEN 1 AND 63),
    no    int8 NOT NULL CHECK (no >= 0),
    width int2 NOT NULL CHECK (width BETWEEN 1 AND 256),
    data  bytea NOT NULL,
    PRIMARY KEY (level, no)
);
ALTER TABLE log_tiles ALTER COLUMN data SET STORAGE EXTERNAL;
COMMENT ON TABLE log_tiles IS 'Hashes of the tree from level 1 on, up to 256 in a row.';

CREATE TABLE log_checkpoint (
    id   int2 PRIMARY KEY CHECK (id = 1),
    size int8 NOT NULL CHECK (size >= 0),
    note text NOT NULL,
    at   int8 NOT NULL
);
COMMENT ON TABLE log_checkpoint IS 'The checkpoint that is published, with its signatures.';

CREATE TABLE log_lease (
    id     int2 PRIMARY KEY CHECK (id = 1),
    holder bytea NOT NULL CHECK (octet_length(holder) = 16),
    until  int8 NOT NULL
);
COMMENT ON TABLE log_lease IS 'Which process seals. It saves work: two that both believe to hold it do no harm.';

CREATE TABLE histories (
    no            int4 PRIMARY KEY CHECK (no >= 1),
    id            bytea NOT NULL UNIQUE CHECK (octet_length(id) = 16),
    begun_at      int8 NOT NULL,
    confirmed     boolean NOT NULL,
    numbers_above int8 NOT NULL DEFAULT 0 CHECK (numbers_above >= 0)
);
COMMENT ON TABLE histories IS
    'The newest row names these books. Each restore of an older state that an operator has accepted begins another one, so that servers can tell it from a restore that no operator knows of.';
COMMENT ON COLUMN histories.id IS 'Random.';
COMMENT ON COLUMN histories.confirmed IS 'False in books that were restored and that no operator has accepted yet: no server serves them.';
COMMENT ON COLUMN histories.numbers_above IS
    'Transactions and payouts of this history have higher numbers, and so have entries of the accounts that were there when it began. Those up to it may have been given in the state that was lost.';
INSERT INTO histories (no, id, begun_at, confirmed) VALUES
    (1, decode(replace(gen_random_uuid()::text, '-', ''), 'hex'), (extract(epoch FROM now()) * 1000000)::int8, true);

CREATE TABLE schema_compatibility (
    id             int4 PRIMARY KEY CHECK (id = 1),
    oldest_program int8 NOT NULL
);
COMMENT ON TABLE schema_compatibility IS
    'One row. A program that knows the schema up to this version or a later one may work here, even where newer migrations were applied that it does not know. A migration that older programs cannot work with raises it to its own version.';
INSERT INTO schema_compatibility (id, oldest_program) VALUES (1, 1);
