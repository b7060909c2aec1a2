-- Mint keys can be pruned: once the coins of a key have expired, its rows in spent go.

-- Set once and for good: the key signs nothing and none of its coins come back, whatever the clock says later. Its rows
-- in spent count for nothing from then on and are deleted in portions. The counters stay.
ALTER TABLE mint_keys ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0 CHECK (pruned IN (0, 1));

-- One more kind of record. SQLite cannot change a check, so the journal is copied, once and row by row as it is; that takes
-- as much room on the disk as it has.
CREATE TABLE transactions_with_prune (
    -- Names a row.
    id             INTEGER PRIMARY KEY,
    -- 1 open account, 2 credit, 3 debit, 4 transfer, 5 register mint key, 6 stop mint key, 7 pause or resume signing,
    -- 8 mint, 9 renew, 10 redeem, 11 prune mint key.
    kind           INTEGER NOT NULL CHECK (kind BETWEEN 1 AND 11),
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
INSERT INTO transactions_with_prune
    (id, kind, reference, content, debit_account, credit_account, amount, applied_at, blinds)
SELECT id, kind, reference, content, debit_account, credit_account, amount, applied_at, blinds FROM transactions;
DROP TABLE transactions;
ALTER TABLE transactions_with_prune RENAME TO transactions;
