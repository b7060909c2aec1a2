-- What operators do: the record of it, accounts that are frozen or closed, start codes, and operations that wait for a second
-- operator. Programs of version 2 would move money of frozen accounts, so they cannot use these tables.

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
CREATE INDEX accounts_frozen ON accounts (name COLLATE "C") WHERE status = 1;
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
    no          int8 PRIMARY KEY CHECK (no >= 1),
    reference   bytea NOT NULL CHECK (octet_length(reference) >= 2),
    kind        int2 NOT NULL CHECK (kind BETWEEN 1 AND 7),
    account     int8 NOT NULL CHECK (account >= 3),
    amount      int8 NOT NULL CHECK (amount > 0),
    payout      int8 CHECK (payout >= 1),
    line        bytea CHECK (octet_length(line) = 16),
    text        text CHECK (length(text) BETWEEN 1 AND 200),
    operator    text NOT NULL CHECK (length(operator) BETWEEN 1 AND 64),
    at          int8 NOT NULL,
    carried_out bool,
    decided_by  text CHECK (length(decided_by) BETWEEN 1 AND 64),
    decided_at  int8,
    CONSTRAINT proposals_have_what_their_kind_needs CHECK (
        (kind IN (5, 6)) = (payout IS NOT NULL) AND (kind = 7) = (line IS NOT NULL) AND (kind = 7) = (text IS NULL)
    ),
    CONSTRAINT proposals_are_decided_completely CHECK (
        (carried_out IS NULL) = (decided_by IS NULL) AND (carried_out IS NULL) = (decided_at IS NULL)
    ),
    CONSTRAINT proposals_are_carried_out_by_another CHECK (carried_out IS NOT TRUE OR decided_by <> operator)
);
CREATE UNIQUE INDEX proposals_waiting ON proposals (reference) WHERE carried_out IS NULL;
COMMENT ON TABLE proposals IS
    'Operations that wait for a second operator, or did. What is proposed never changes, and no row is deleted.';
COMMENT ON COLUMN proposals.no IS 'Without a gap, except where a new history begins. Never given again.';
COMMENT ON COLUMN proposals.reference IS
    'What identifies the operation: that of the transaction that carries it out, or of the line of the bank. One that waits for each.';
COMMENT ON COLUMN proposals.kind IS
    '1 credit, 2 debit, 3 assign recovered money, 4 take it, 5 payout paid, 6 payout failed, 7 assign a line of the bank.';
COMMENT ON COLUMN proposals.text IS 'The reference of a payment, or why a payout has failed.';
COMMENT ON COLUMN proposals.operator IS 'Who has proposed it. Another operator carries it out.';
COMMENT ON COLUMN proposals.carried_out IS 'Whether it was carried out, or declined; null while it waits.';

UPDATE schema_compatibility SET oldest_program = 3;
