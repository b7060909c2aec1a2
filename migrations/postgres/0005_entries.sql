-- An account's entries are found by account and number, and accounts by name in the order of their bytes.
--
-- A migration of its own: building these indexes lets others read, and holds those who write back until it is done, about a second
-- for a million transactions. Servers wait for it and try again. Accounts come first, in the order in which batches lock.
CREATE INDEX accounts_by_name ON accounts (name COLLATE "C");
CREATE INDEX accounts_listed ON accounts (name COLLATE "C") WHERE listed;
CREATE INDEX transactions_debits ON transactions (debit_account, id) WHERE debit_account >= 3;
CREATE INDEX transactions_credits ON transactions (credit_account, id) WHERE credit_account >= 3;
