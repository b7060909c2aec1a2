-- Mint keys can be retired, so that their private halves can be destroyed, and the honest coins of stopped ones recouped.

-- Set once and for good: the key signs nothing, whatever the clock says later. Its coins come back as before.
ALTER TABLE mint_keys ADD COLUMN retired INTEGER NOT NULL DEFAULT 0 CHECK (retired IN (0, 1));
-- Coins that the issuer has replaced after the key was stopped. Not part of returned, which forged coins may have used up.
ALTER TABLE mint_keys ADD COLUMN recouped INTEGER NOT NULL DEFAULT 0 CHECK (0 <= recouped AND recouped <= issued);

-- Accepted blinds of stopped mint keys whose coins were recouped, so that none is twice: neither a blind nor a coin. The holder
-- has shown which blind the coin came of, and a row says no more than that. Nothing else leads from here to a transaction or an
-- account, and nothing must. Grouped by mint key, so that rows go with those of spent.
CREATE TABLE recouped (
    mint_key_no  INTEGER NOT NULL,
    -- SHA-256 over a fixed text, the key's id and the blinded number.
    blind_digest BLOB NOT NULL CHECK (length(blind_digest) = 32),
    payload_hash BLOB NOT NULL CHECK (length(payload_hash) BETWEEN 1 AND 48),
    PRIMARY KEY (mint_key_no, blind_digest),
    UNIQUE (mint_key_no, payload_hash)
) STRICT, WITHOUT ROWID;

-- Two more kinds of record. SQLite cannot change a check, so the journal is copied, once and row by row as it is; that takes
-- as much room on the disk as it has. The next kind that moves no money will not need it: any number is a kind of that sort.
-- One row for every applied command, never deleted. Nothing in it changes but that blinds become their signatures. No row names
-- a coin.
CREATE TABLE transactions_with_recoup (
    -- Names a row.
    id             INTEGER PRIMARY KEY,
    -- 1 open account, 2 credit, 3 debit, 4 transfer, 5 register mint key, 6 stop mint key, 7 pause or resume signing,
    -- 8 mint, 9 renew, 10 redeem, 11 prune mint key, 12 retire mint key, 13 recoup.
    kind           INTEGER NOT NULL CHECK (kind >= 1),
    -- One byte of scope, then what is unique in it: a command sent again finds its first row here.
    reference      BLOB NOT NULL UNIQUE CHECK (length(reference) >= 2),
    -- SHA-256 of what the reference stands for: the same reference with other content is a conflict.
    content        BLOB NOT NULL CHECK (length(content) = 32),
    -- Gives the amount. 0 is the issuer, for recouped coins, 1 is outside, 2 is all coins outstanding.
    debit_account  INTEGER,
    -- Gets the amount.
    credit_account INTEGER,
    amount         INTEGER NOT NULL,
    -- The issuer's time, microseconds since 1970 UTC.
    applied_at     INTEGER NOT NULL,
    -- What to sign, now or when the wallet resumes; or its signatures, kept before the key's private half was destroyed.
    blinds         BLOB,
    CONSTRAINT transactions_double_entry CHECK (
        CASE kind
            WHEN 2 THEN debit_account = 1 AND credit_account >= 3
            WHEN 3 THEN debit_account >= 3 AND credit_account = 1
            WHEN 4 THEN debit_account >= 3 AND credit_account >= 3 AND debit_account <> credit_account
            WHEN 8 THEN debit_account >= 3 AND credit_account = 2
            WHEN 9 THEN debit_account = 2 AND credit_account = 2
            WHEN 10 THEN debit_account = 2 AND credit_account >= 3
            WHEN 13 THEN debit_account = 0 AND credit_account = 2
            ELSE debit_account IS NULL AND credit_account IS NULL
        END IS TRUE
    ),
    CONSTRAINT transactions_amount CHECK (amount >= 0 AND (amount > 0) = (kind IN (2, 3, 4, 8, 9, 10, 13))),
    CONSTRAINT transactions_blinds CHECK ((blinds IS NOT NULL) = (kind IN (8, 9, 13)))
) STRICT;
INSERT INTO transactions_with_recoup
    (id, kind, reference, content, debit_account, credit_account, amount, applied_at, blinds)
SELECT id, kind, reference, content, debit_account, credit_account, amount, applied_at, blinds FROM transactions;
DROP TABLE transactions;
ALTER TABLE transactions_with_recoup RENAME TO transactions;
