-- Statements of the operator's bank and what became of their lines. Programs of version 3 can use these tables: they know
-- nothing of statements, and credits are ordinary transactions.

CREATE TABLE bank_statements (
    no            int8 PRIMARY KEY CHECK (no >= 1),
    digest        bytea NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
    reading       bytea NOT NULL CHECK (octet_length(reading) = 32),
    columns       text,
    name          text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    at            int8 NOT NULL,
    operator      text NOT NULL CHECK (length(operator) BETWEEN 1 AND 64),
    line_count    int8 NOT NULL CHECK (line_count >= 0),
    booked        bytea CHECK (octet_length(booked) = 32),
    booked_lines  int8 CHECK (booked_lines >= 0),
    booked_amount int8 CHECK (booked_amount >= 0),
    booked_at     int8,
    CONSTRAINT bank_statements_are_booked_completely CHECK (
        (booked IS NULL) = (booked_lines IS NULL)
        AND (booked IS NULL) = (booked_amount IS NULL)
        AND (booked IS NULL) = (booked_at IS NULL)
    )
);
COMMENT ON TABLE bank_statements IS 'Statements of the operator''s bank, as they were uploaded.';
COMMENT ON COLUMN bank_statements.no IS 'Without a gap.';
COMMENT ON COLUMN bank_statements.digest IS
    'Of the file and of how it was read, so that the same file is stored once.';
COMMENT ON COLUMN bank_statements.reading IS
    'Of the form of the file and the columns of a table: lines that were read in other ways may be the same movement.';
COMMENT ON COLUMN bank_statements.columns IS
    'The columns of a table as an operator typed them, in JSON. Empty: those of the settings. NULL: the file is no table.';
COMMENT ON COLUMN bank_statements.name IS 'The name of the file, for people.';
COMMENT ON COLUMN bank_statements.operator IS 'Who uploaded it.';
COMMENT ON COLUMN bank_statements.booked IS
    'The digest of the preview as which it was booked last. The same booking again changes nothing.';
COMMENT ON COLUMN bank_statements.booked_lines IS 'How many lines were claimed for accounts then.';
COMMENT ON COLUMN bank_statements.booked_amount IS 'Their sum.';

CREATE INDEX bank_statements_with_columns ON bank_statements (no) WHERE columns IS NOT NULL AND booked IS NOT NULL;

CREATE TABLE bank_statement_lines (
    statement      int8 NOT NULL,
    place          int8 NOT NULL CHECK (place >= 1),
    line           bytea CHECK (octet_length(line) = 16),
    ignored        int2 CHECK (ignored BETWEEN 0 AND 5),
    amount         int8 CHECK (amount > 0),
    is_gathered    bool NOT NULL,
    is_return      bool NOT NULL,
    codes          text NOT NULL,
    bank_account   text NOT NULL,
    day            text NOT NULL,
    is_credit      bool NOT NULL,
    currency       text NOT NULL,
    bank_amount    text NOT NULL,
    party          text NOT NULL,
    party_account  text NOT NULL,
    remittance     text NOT NULL,
    bank_reference text NOT NULL,
    end_to_end_id  text NOT NULL,
    PRIMARY KEY (statement, place),
    UNIQUE (statement, line),
    CONSTRAINT bank_statement_lines_are_booked_or_ignored CHECK (
        (line IS NULL) = (ignored IS NOT NULL) AND (line IS NULL) = (amount IS NULL)
    )
);
CREATE INDEX bank_statement_lines_by_day ON bank_statement_lines (day, amount);
COMMENT ON TABLE bank_statement_lines IS 'The lines of each statement, as the file has them. Never changed.';
COMMENT ON COLUMN bank_statement_lines.place IS 'From 1.';
COMMENT ON COLUMN bank_statement_lines.line IS
    'The identity of incoming money, the same in whatever file it comes.';
COMMENT ON COLUMN bank_statement_lines.ignored IS
    'Why there is nothing to book: 0 money went out, 1 not booked by the bank, 2 another account, 3 another currency, 4 the amount, 5 taken back by the bank.';
COMMENT ON COLUMN bank_statement_lines.amount IS 'In the smallest unit.';
COMMENT ON COLUMN bank_statement_lines.is_gathered IS
    'Several transactions that the file does not tell apart.';
COMMENT ON COLUMN bank_statement_lines.codes IS
    'The names of accounts whose payment codes are in the text, separated by spaces.';
COMMENT ON COLUMN bank_statement_lines.remittance IS
    'What strangers have written, as party and party_account, with misleading characters replaced.';

CREATE TABLE bank_lines (
    line      bytea PRIMARY KEY CHECK (octet_length(line) = 16),
    no        int8 NOT NULL UNIQUE CHECK (no >= 1),
    statement int8 NOT NULL,
    place     int8 NOT NULL,
    amount    int8 NOT NULL CHECK (amount > 0),
    state     int2 NOT NULL CHECK (state IN (0, 1, 2, 3)),
    account   int8 CHECK (account >= 3),
    reason    text CHECK (length(reason) BETWEEN 1 AND 200),
    operator  text NOT NULL CHECK (length(operator) BETWEEN 1 AND 64),
    at        int8 NOT NULL,
    CONSTRAINT bank_lines_have_what_their_state_needs CHECK (
        (state IN (1, 2)) = (account IS NOT NULL) AND (state = 3) = (reason IS NOT NULL)
    )
);
CREATE INDEX bank_lines_by_state ON bank_lines (state, no);
COMMENT ON TABLE bank_lines IS
    'What became of the lines of booked statements: one row for each movement at the bank.';
COMMENT ON COLUMN bank_lines.no IS 'In the order in which lines were kept. Without a gap.';
COMMENT ON COLUMN bank_lines.statement IS 'With place: where its text is.';
COMMENT ON COLUMN bank_lines.state IS
    '0 unmatched, 1 claimed: the account is decided and may have been credited, 2 booked: it was credited, 3 set aside.';
COMMENT ON COLUMN bank_lines.reason IS 'Why it was set aside.';
COMMENT ON COLUMN bank_lines.operator IS 'Who brought it into this state.';

CREATE TABLE payout_exports (
    no         int8 PRIMARY KEY CHECK (no >= 1),
    key        text NOT NULL UNIQUE CHECK (length(key) BETWEEN 1 AND 64),
    request    bytea NOT NULL CHECK (octet_length(request) = 32),
    format     int2 NOT NULL CHECK (format IN (0, 1)),
    message_id text NOT NULL UNIQUE CHECK (length(message_id) BETWEEN 1 AND 35),
    payouts    int8 NOT NULL CHECK (payouts >= 1),
    amount     int8 NOT NULL CHECK (amount >= 0),
    operator   text NOT NULL CHECK (length(operator) BETWEEN 1 AND 64),
    at         int8 NOT NULL,
    state      int2 NOT NULL DEFAULT 0 CHECK (state IN (0, 1, 2, 3)),
    ended_at   int8,
    file       bytea NOT NULL,
    CONSTRAINT payout_exports_end_once CHECK ((state = 0) = (ended_at IS NULL))
);
COMMENT ON TABLE payout_exports IS 'Files of payouts for the bank.';
COMMENT ON COLUMN payout_exports.no IS 'Without a gap.';
COMMENT ON COLUMN payout_exports.key IS 'The idempotency key of the request.';
COMMENT ON COLUMN payout_exports.request IS 'A digest of what the request wanted.';
COMMENT ON COLUMN payout_exports.format IS '0 pain.001, 1 a table.';
COMMENT ON COLUMN payout_exports.message_id IS 'By which the bank recognises a file that it gets twice.';
COMMENT ON COLUMN payout_exports.state IS
    '0 made, 3 the bank has paid all of it and its payouts are being settled, 1 they are settled, 2 withdrawn: it was never sent.';
COMMENT ON COLUMN payout_exports.ended_at IS 'When it was withdrawn or an operator said that it is paid.';
COMMENT ON COLUMN payout_exports.file IS 'The file, byte for byte. It has names and accounts of payees.';

CREATE INDEX payout_exports_settling ON payout_exports (no) WHERE state = 3;

CREATE TABLE exported_payouts (
    export       int8 NOT NULL CHECK (export >= 1),
    payout       int8 NOT NULL CHECK (payout >= 1),
    is_withdrawn bool NOT NULL DEFAULT false,
    PRIMARY KEY (export, payout)
);
CREATE UNIQUE INDEX exported_payouts_in_one_file ON exported_payouts (payout) WHERE NOT is_withdrawn;
COMMENT ON TABLE exported_payouts IS 'Which payout is in which file: in one at most that was not withdrawn.';
COMMENT ON COLUMN exported_payouts.is_withdrawn IS 'Whether the file was withdrawn. The row stays, so that it can be seen later.';
