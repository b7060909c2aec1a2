-- Accounts that belong to keys, and the joint signature of auditors (docs/LOG.md). Programs of version 1 would change such an account without a leaf of the log, so
-- they cannot use these tables.

ALTER TABLE accounts
    ALTER COLUMN token_hash DROP NOT NULL,
    ADD COLUMN seq int8 CHECK (seq >= 0),
    ADD COLUMN credits int8 CHECK (credits >= 0),
    ADD CONSTRAINT accounts_of_holders_and_keys CHECK (
        CASE WHEN id < 4611686018427387904
            THEN token_hash IS NOT NULL AND seq IS NULL AND credits IS NULL
            ELSE token_hash IS NULL AND password_hash IS NULL AND NOT listed AND seq IS NOT NULL AND credits IS NOT NULL
        END
    );
COMMENT ON TABLE accounts IS
    'Accounts of holders, and from number 2^62 on of keys. The system accounts -2 (recovered money), -1 (payouts), 0 (the issuer), 1 (outside) and 2 (coins) have no row: their balances are derived, so that no row is in every transaction.';
COMMENT ON COLUMN accounts.name IS 'Chosen by the holder; of a key, its 64 hexadecimal digits.';
COMMENT ON COLUMN accounts.token_hash IS 'The token itself is shown once and stored nowhere. A key has none.';
COMMENT ON COLUMN accounts.seq IS 'How many payments the key has made: each of them is a leaf of the log with its number.';
COMMENT ON COLUMN accounts.credits IS 'How many credits the account of a key has got: each of them is a leaf of the log with its number.';

COMMENT ON COLUMN transactions.kind IS
    '1 open account, 2 credit, 3 debit, 4 transfer or payment by a key, 5 register mint key, 6 stop mint key, 7 pause or resume signing, 8 mint, 9 renew, 10 redeem, 11 prune mint key, 12 retire mint key, 13 recoup, 14 request payout, 15 pay payout, 16 return payout, 17 go on with an older state, 18 give up a mint that waited for money, 19 open the log, 20 add a description of the currency to the log, 21 release a mint key, 22 book something of a lost time as the log has it, 23 assign recovered money, 24 mint, 25 renew or 26 recoup of the lost time again, 27 bear what accounts owe after it, 28 introduce a key, 29 pay by a key for a mint. Any other number is a kind that moves no money.';
COMMENT ON COLUMN transactions.log_batch IS
    'The batch of the log that was open then, for mints, renews, redeems, recoups, introductions of keys and their payments.';

ALTER TABLE log_head
    ADD COLUMN key_accounts int8 NOT NULL DEFAULT 0,
    ADD COLUMN ledger_root bytea NOT NULL
        DEFAULT '\xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' CHECK (octet_length(ledger_root) = 32);
COMMENT ON COLUMN log_head.key_accounts IS 'The money in accounts of keys, as log_head.accounts.';
COMMENT ON COLUMN log_head.ledger_root IS 'The tree hash over all accounts of keys; at first that over none.';

ALTER TABLE log_pending
    ADD COLUMN statements bytea NOT NULL DEFAULT '',
    ADD COLUMN key_accounts int8 NOT NULL DEFAULT 0;
COMMENT ON COLUMN log_pending.statements IS 'Leaves about accounts of keys, each with its length in two bytes before it.';

CREATE TABLE log_key_accounts (
    key     bytea PRIMARY KEY CHECK (octet_length(key) = 32),
    balance int8 NOT NULL CHECK (balance >= 0),
    seq     int8 NOT NULL CHECK (seq >= 0),
    credits int8 NOT NULL CHECK (credits >= 0)
);
COMMENT ON TABLE log_key_accounts IS
    'The accounts of keys as the log has them at its last batch. Changed by the sealer alone; accounts and what waits are ahead of it.';

CREATE TABLE log_published (
    size int8 PRIMARY KEY CHECK (size >= 0),
    note text NOT NULL,
    at   int8 NOT NULL
);
COMMENT ON TABLE log_published IS 'The newest published checkpoints, which auditors may still sign.';

CREATE TABLE log_joint (
    id   int2 PRIMARY KEY CHECK (id = 1),
    size int8 NOT NULL CHECK (size >= 0),
    note text NOT NULL,
    at   int8 NOT NULL
);
COMMENT ON TABLE log_joint IS 'The newest checkpoint with the joint signature of the auditors.';

UPDATE schema_compatibility SET oldest_program = 2;
