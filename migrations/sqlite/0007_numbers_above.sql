-- Books that go on from an older state do not give numbers again that others have seen. Programs before this version would.

-- Transactions and payouts of this history have higher numbers. Those up to it may have been given in the state that was lost. (So
-- payouts are numbered without a gap but where a history begins.) Such a history begins with a transaction of kind 17: an operator
-- goes on with an older state. SQLite numbers the next ones after that.
ALTER TABLE histories ADD COLUMN numbers_above INTEGER NOT NULL DEFAULT 0 CHECK (numbers_above >= 0);
UPDATE schema_compatibility SET oldest_program = 7 WHERE id = 1;
