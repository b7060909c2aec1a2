-- Holders use their accounts themselves: passwords, sessions and services, transfers with labels, payouts, mints that wait for money.

ALTER TABLE accounts ADD COLUMN password_hash text;
COMMENT ON COLUMN accounts.password_hash IS 'A PHC string: the hash of the password with its salt and parameters. Without one nobody logs in.';
ALTER TABLE accounts ADD COLUMN listed boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN accounts.listed IS 'Whether the holder wants to be found by others.';
COMMENT ON TABLE accounts IS
    'Holders. The system accounts -1 (payouts), 0 (the issuer), 1 (outside) and 2 (coins) have no row: their balances are derived, so that no row is in every transaction.';

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
COMMENT ON TABLE services IS 'Programs that may act for an account, each with a key of its own. Times are microseconds since 1970 UTC.';
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
COMMENT ON COLUMN payouts.no IS 'Without a gap: who has read up to one misses none, since none appears below it later.';
COMMENT ON COLUMN payouts.reference IS 'That of the transaction of its request.';
COMMENT ON COLUMN payouts.paid IS 'True: the bank has paid. False: the money went back to the account. Set once.';
COMMENT ON COLUMN payouts.settlement IS 'The bank''s reference, or why it could not be paid.';

-- Rows that are there satisfy the narrower checks of before; NOT VALID spares reading them all again under a lock.
ALTER TABLE transactions
    ADD COLUMN label text,
    ADD CONSTRAINT transactions_label CHECK (label IS NULL OR (kind = 4 AND length(label) BETWEEN 1 AND 200)) NOT VALID,
    DROP CONSTRAINT transactions_double_entry,
    DROP CONSTRAINT transactions_amount,
    ADD CONSTRAINT transactions_double_entry CHECK (
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
    ) NOT VALID,
    ADD CONSTRAINT transactions_amount
        CHECK (amount >= 0 AND (amount > 0) = (kind IN (2, 3, 4, 8, 9, 10, 13, 14, 15, 16))) NOT VALID;
COMMENT ON COLUMN transactions.id IS
    'Names a row. Among the rows of one account it ascends as its balance changed, because it is drawn while the account''s row is locked, from a sequence that keeps no numbers back (CACHE 1); otherwise its order says nothing.';
COMMENT ON COLUMN transactions.kind IS
    '1 open account, 2 credit, 3 debit, 4 transfer, 5 register mint key, 6 stop mint key, 7 pause or resume signing, 8 mint, 9 renew, 10 redeem, 11 prune mint key, 12 retire mint key, 13 recoup, 14 request payout, 15 pay payout, 16 return payout.';
COMMENT ON COLUMN transactions.debit_account IS
    'Gives the amount. -1 is payouts on their way, 0 is the issuer, for recouped coins, 1 is outside, 2 is all coins outstanding.';
COMMENT ON COLUMN transactions.label IS 'What a holder has written beside a transfer.';
