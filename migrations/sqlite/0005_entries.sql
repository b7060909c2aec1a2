-- An account's entries are found by account and number, and accounts by name (the name's own index has them all). Nobody writes
-- while these are built.
CREATE INDEX transactions_debits ON transactions (debit_account, id) WHERE debit_account >= 3;
CREATE INDEX transactions_credits ON transactions (credit_account, id) WHERE credit_account >= 3;
CREATE INDEX accounts_listed ON accounts (name) WHERE listed = 1;
