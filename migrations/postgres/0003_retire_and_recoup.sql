-- Mint keys can be retired, so that their private halves can be destroyed, and the honest coins of stopped ones recouped.

ALTER TABLE mint_keys ADD COLUMN retired boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN mint_keys.retired IS
    'Set once and for good: the key signs nothing, whatever the clock says later. Its coins come back as before.';
ALTER TABLE mint_keys ADD COLUMN recouped int8 NOT NULL DEFAULT 0;
ALTER TABLE mint_keys ADD CONSTRAINT mint_keys_no_over_recoup CHECK (0 <= recouped AND recouped <= issued);
COMMENT ON COLUMN mint_keys.recouped IS
    'Coins that the issuer has replaced after the key was stopped. Not part of returned, which forged coins may have used up.';

CREATE TABLE recouped (
    mint_key_no  int4 NOT NULL,
    blind_digest bytea NOT NULL CHECK (octet_length(blind_digest) = 32),
    payload_hash bytea NOT NULL CHECK (octet_length(payload_hash) BETWEEN 1 AND 48),
    PRIMARY KEY (mint_key_no, blind_digest),
    UNIQUE (mint_key_no, payload_hash)
);
COMMENT ON TABLE recouped IS
    'Accepted blinds of stopped mint keys whose coins were recouped, so that none is twice: neither a blind nor a coin. The holder has shown which blind the coin came of, and a row says no more than that. Nothing else leads from here to a transaction or an account, and nothing must. Grouped by mint key, so that rows go with those of spent.';
COMMENT ON COLUMN recouped.blind_digest IS 'SHA-256 over a fixed text, the key''s id and the blinded number.';

-- Rows that are there satisfy the narrower checks of before; NOT VALID spares reading them all again under a lock. The next
-- kind that moves no money will need no change here: any number is a kind of that sort.
ALTER TABLE transactions
    DROP CONSTRAINT transactions_kind,
    DROP CONSTRAINT transactions_double_entry,
    DROP CONSTRAINT transactions_amount,
    DROP CONSTRAINT transactions_blinds,
    ADD CONSTRAINT transactions_kind CHECK (kind >= 1) NOT VALID,
    ADD CONSTRAINT transactions_double_entry CHECK (
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
    ) NOT VALID,
    ADD CONSTRAINT transactions_amount CHECK (amount >= 0 AND (amount > 0) = (kind IN (2, 3, 4, 8, 9, 10, 13))) NOT VALID,
    ADD CONSTRAINT transactions_blinds CHECK ((blinds IS NOT NULL) = (kind IN (8, 9, 13))) NOT VALID;
COMMENT ON TABLE transactions IS
    'The journal, in double entry: one row for every applied command, never deleted. Nothing in it changes but that blinds become their signatures. No row names a coin.';
COMMENT ON COLUMN transactions.kind IS
    '1 open account, 2 credit, 3 debit, 4 transfer, 5 register mint key, 6 stop mint key, 7 pause or resume signing, 8 mint, 9 renew, 10 redeem, 11 prune mint key, 12 retire mint key, 13 recoup.';
COMMENT ON COLUMN transactions.debit_account IS
    'Gives the amount. 0 is the issuer, for recouped coins, 1 is outside, 2 is all coins outstanding.';
COMMENT ON COLUMN transactions.blinds IS
    'What to sign, now or when the wallet resumes; or its signatures, kept before the key''s private half was destroyed.';
