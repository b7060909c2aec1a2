-- Books that go on from an older state do not give numbers again that others have seen. Programs before this version would.

ALTER TABLE histories ADD COLUMN numbers_above int8 NOT NULL DEFAULT 0 CHECK (numbers_above >= 0);
COMMENT ON COLUMN histories.numbers_above IS
    'Transactions and payouts of this history have higher numbers. Those up to it may have been given in the state that was lost.';
COMMENT ON COLUMN payouts.no IS
    'Without a gap but where a history begins: who has read up to one misses none, since none appears below it later.';
COMMENT ON COLUMN transactions.kind IS
    '1 open account, 2 credit, 3 debit, 4 transfer, 5 register mint key, 6 stop mint key, 7 pause or resume signing, 8 mint, 9 renew, 10 redeem, 11 prune mint key, 12 retire mint key, 13 recoup, 14 request payout, 15 pay payout, 16 return payout, 17 go on with an older state, 18 give up a mint that waited for money.';
UPDATE schema_compatibility SET oldest_program = 7 WHERE id = 1;
