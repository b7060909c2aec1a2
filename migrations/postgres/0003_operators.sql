-- What operators do: the record of it, accounts that are frozen or closed, start codes, and payments that wait for a second
-- person. Programs of version 2 would move money of frozen accounts, so they cannot use these tables.

ALTER TABLE accounts
    ADD COLUMN status int2 NOT NULL DEFAULT 0 CHECK (status IN (0, 1, 2)),
    DROP CONSTRAINT accounts_of_holders_and_keys,
    ADD CONSTRAINT accounts_of_holders_and_keys CHECK (
        CASE WHEN id < 4611686018427387904
            THEN seq IS NULL AND credits IS NULL
            ELSE token_hash IS NULL AND password_hash IS NULL AND NOT listed AND status = 0
                AND seq IS NOT NULL AND credits IS NOT NULL
        END
    ),
    ADD CONSTRAINT accounts_closed_are_empty CHECK (
        status <> 2 OR balance = 0 AND token_hash IS NULL AND password_hash IS NULL AND NOT listed
    );
COMMENT ON COLUMN accounts.name IS
    'Chosen by the holder; of a key, its 64 hexadecimal digits. The name of a closed account is never used again.';
COMMENT ON COLUMN accounts.token_hash IS
    'The token itself is shown once and stored nowhere. A key has none, and a holder may have none.';
COMMENT ON COLUMN accounts.status IS '0 open, 1 frozen: the holder moves no money, 2 closed for good.';

CREATE TABLE operator_actions (
    no       int8 PRIMARY KEY CHECK (no >= 1),
    at       int8 NOT NULL,
    operator text NOT NULL CHECK (length(operator) BETWEEN 1 AND 64),
    kind     text NOT NULL CHECK (length(kind) BETWEEN 1 AND 64),
    subject  text NOT NULL CHECK (length(subject) BETWEEN 1 AND 200),
    amount   int8 CHECK (amount >= 0),
    detail   text CHECK (length(detail) BETWEEN 1 AND 500)
);
CREATE INDEX operator_actions_of ON operator_actions (subject, no);
COMMENT ON TABLE operator_actions IS
    'What operators have done, one row for each change, written in the transaction of the change. Never changed and never deleted.';
COMMENT ON COLUMN operator_actions.no IS 'Without a gap.';
COMMENT ON COLUMN operator_actions.operator IS 'The name of the operator''s token, or the name that a command was given.';
COMMENT ON COLUMN operator_actions.kind IS 'A fixed word.';
COMMENT ON COLUMN operator_actions.subject IS
    'What was changed: the name of an account, the number of a payout, the id of a mint key, ...';
COMMENT ON COLUMN operator_actions.detail IS 'For people. Never a secret.';

CREATE TABLE start_codes (
    account    int8 PRIMARY KEY CHECK (account >= 3),
    code_hash  text NOT NULL,
    expires_at int8 NOT NULL
);
COMMENT ON TABLE start_codes IS
    'Codes with which holders set their first password, at most one for each account. A row goes with its use.';
COMMENT ON COLUMN start_codes.code_hash IS
    'As accounts.password_hash. The code itself is shown once and stored nowhere.';

CREATE TABLE proposals (
    reference bytea PRIMARY KEY CHECK (octet_length(reference) >= 2),
    content   bytea NOT NULL CHECK (octet_length(content) = 32),
    kind      int2 NOT NULL CHECK (kind IN (2, 3)),
    account   int8 NOT NULL CHECK (account >= 3),
    amount    int8 NOT NULL CHECK (amount > 0),
    operator  text NOT NULL CHECK (length(operator) BETWEEN 1 AND 64),
    at        int8 NOT NULL
);
CREATE INDEX proposals_by_age ON proposals (at, reference);
COMMENT ON TABLE proposals IS
    'Credits and debits by hand that wait for a second operator. A row goes in the transaction that carries the payment out.';
COMMENT ON COLUMN proposals.reference IS 'That of the transaction that is proposed.';
COMMENT ON COLUMN proposals.content IS 'As in transactions.';
COMMENT ON COLUMN proposals.kind IS '2 credit, 3 debit, as in transactions.';
COMMENT ON COLUMN proposals.operator IS 'Who has proposed it. Another operator carries it out.';

UPDATE schema_compatibility SET oldest_program = 3;
