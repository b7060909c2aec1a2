-- The books of an issuer. Written by crates/opencoin-postgres alone; the meaning is in crates/opencoin-ledger.
-- Portable on purpose: no foreign key touches spent, no sequence order carries meaning.

CREATE TABLE accounts (
    id         int8 PRIMARY KEY CHECK (id >= 3),
    name       text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
    token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    balance    int8 NOT NULL CHECK (balance >= 0)
);
COMMENT ON TABLE accounts IS
    'Holders. The system accounts 1 (outside) and 2 (coins) have no row: their balances are derived, so that no row is in every transaction.';
COMMENT ON COLUMN accounts.token_hash IS 'The token itself is shown once and stored nowhere.';
COMMENT ON COLUMN accounts.balance IS 'In the smallest unit. Always the sum of the account''s transactions; kept so that spending needs no sum.';

CREATE TABLE mint_keys (
    no              int4 PRIMARY KEY CHECK (no >= 1),
    id              bytea NOT NULL UNIQUE CHECK (octet_length(id) = 20),
    denomination    int8 NOT NULL CHECK (denomination > 0),
    sign_not_before int8 NOT NULL,
    sign_not_after  int8 NOT NULL,
    coins_expiry    int8 NOT NULL,
    issued          int8 NOT NULL,
    returned        int8 NOT NULL,
    stopped_reason  text,
    CONSTRAINT mint_keys_dates_in_order CHECK (sign_not_before <= sign_not_after AND sign_not_after <= coins_expiry),
    CONSTRAINT mint_keys_no_over_redemption CHECK (0 <= returned AND returned <= issued)
);
COMMENT ON TABLE mint_keys IS 'What the certificates promise, and how many coins each key made and took back. Dates are microseconds since 1970 UTC.';
COMMENT ON COLUMN mint_keys.no IS 'Short name for the rows of spent.';
COMMENT ON COLUMN mint_keys.issued IS 'Counted when a mint or renew is accepted, before the signature leaves.';
COMMENT ON COLUMN mint_keys.returned IS 'Never above issued: more coins back than were signed means a forged coin or a stolen key.';
COMMENT ON COLUMN mint_keys.stopped_reason IS 'Set once and for good: the key signs nothing and none of its coins come back.';

CREATE TABLE spent (
    mint_key_no  int4 NOT NULL,
    payload_hash bytea NOT NULL CHECK (octet_length(payload_hash) BETWEEN 1 AND 48),
    PRIMARY KEY (mint_key_no, payload_hash)
);
COMMENT ON TABLE spent IS
    'Coins that came back. Nothing leads from here to a transaction or an account, and nothing must: that is the privacy of the coins. Grouped by mint key, so that rows can go once the coins of a key have expired.';

CREATE TABLE transactions (
    id             int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind           int2 NOT NULL CHECK (kind BETWEEN 1 AND 10),
    reference      bytea NOT NULL UNIQUE CHECK (octet_length(reference) >= 2),
    content        bytea NOT NULL CHECK (octet_length(content) = 32),
    debit_account  int8,
    credit_account int8,
    amount         int8 NOT NULL,
    applied_at     int8 NOT NULL,
    blinds         bytea,
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
);
-- Blinds are random numbers: compressing them costs time and saves nothing.
ALTER TABLE transactions ALTER COLUMN blinds SET STORAGE EXTERNAL;
COMMENT ON TABLE transactions IS
    'The journal, in double entry: one row for every applied command, never changed and never deleted. No row names a coin.';
COMMENT ON COLUMN transactions.id IS 'Names a row. Its order says nothing: concurrent transactions commit in any order.';
COMMENT ON COLUMN transactions.kind IS
    '1 open account, 2 credit, 3 debit, 4 transfer, 5 register mint key, 6 stop mint key, 7 pause or resume signing, 8 mint, 9 renew, 10 redeem.';
COMMENT ON COLUMN transactions.reference IS 'One byte of scope, then what is unique in it: a command sent again finds its first row here.';
COMMENT ON COLUMN transactions.content IS 'SHA-256 of what the reference stands for: the same reference with other content is a conflict.';
COMMENT ON COLUMN transactions.debit_account IS 'Gives the amount. 1 is outside, 2 is all coins outstanding.';
COMMENT ON COLUMN transactions.credit_account IS 'Gets the amount.';
COMMENT ON COLUMN transactions.applied_at IS 'The issuer''s time, microseconds since 1970 UTC.';
COMMENT ON COLUMN transactions.blinds IS 'What to sign, now or when the wallet resumes.';

CREATE TABLE signing (
    id      int2 PRIMARY KEY CHECK (id = 1),
    paused  boolean NOT NULL,
    changes int8 NOT NULL CHECK (changes >= 0)
);
COMMENT ON TABLE signing IS 'One row: whether operators have paused signing. changes makes each change a transaction of its own.';
INSERT INTO signing (id, paused, changes) VALUES (1, false, 0);
