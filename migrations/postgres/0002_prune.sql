-- Mint keys can be pruned: once the coins of a key have expired, its rows in spent go.

ALTER TABLE mint_keys ADD COLUMN pruned boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN mint_keys.pruned IS
    'Set once and for good: the key signs nothing and none of its coins come back, whatever the clock says later. Its rows in spent count for nothing from then on and are deleted in portions. The counters stay.';

ALTER TABLE transactions DROP CONSTRAINT transactions_kind_check;
-- Rows that are there satisfy the narrower check of before; NOT VALID spares reading them all again under a lock.
ALTER TABLE transactions ADD CONSTRAINT transactions_kind CHECK (kind BETWEEN 1 AND 11) NOT VALID;
COMMENT ON COLUMN transactions.kind IS
    '1 open account, 2 credit, 3 debit, 4 transfer, 5 register mint key, 6 stop mint key, 7 pause or resume signing, 8 mint, 9 renew, 10 redeem, 11 prune mint key.';
