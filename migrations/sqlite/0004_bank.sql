-- Statements of the operator's bank and what became of their lines. Programs of version 3 can use these tables: they know
-- nothing of statements, and credits are ordinary transactions.

CREATE TABLE bank_statements (
    -- Without a gap.
    no            INTEGER PRIMARY KEY CHECK (no >= 1),
    -- Of the file and of how it was read, so that the same file is stored once.
    digest        BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
    -- Of the form of the file and the columns of a table: lines that were read in other ways may be the same movement.
    reading       BLOB NOT NULL CHECK (length(reading) = 32),
    -- The columns of a table as an operator typed them, in JSON. Empty: those of the settings. NULL: the file is no table.
    columns       TEXT,
    -- The name of the file, for people.
    name          TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    at            INTEGER NOT NULL,
    -- Who uploaded it.
    operator      TEXT NOT NULL CHECK (length(operator) BETWEEN 1 AND 64),
    line_count    INTEGER NOT NULL CHECK (line_count >= 0),
    -- The digest of the preview as which it was booked last. The same booking again changes nothing.
    booked        BLOB CHECK (length(booked) = 32),
    -- How many lines were claimed for accounts then, and their sum.
    booked_lines  INTEGER CHECK (booked_lines >= 0),
    booked_amount INTEGER CHECK (booked_amount >= 0),
    booked_at     INTEGER,
    CONSTRAINT bank_statements_are_booked_completely CHECK (
        (booked IS NULL) = (booked_lines IS NULL)
        AND (booked IS NULL) = (booked_amount IS NULL)
        AND (booked IS NULL) = (booked_at IS NULL)
    )
) STRICT;

CREATE INDEX bank_statements_with_columns ON bank_statements (no) WHERE columns IS NOT NULL AND booked IS NOT NULL;

-- The lines of each statement, as the file has them. Never changed.
CREATE TABLE bank_statement_lines (
    statement      INTEGER NOT NULL,
    -- From 1.
    place          INTEGER NOT NULL CHECK (place >= 1),
    -- The identity of incoming money, the same in whatever file it comes.
    line           BLOB CHECK (length(line) = 16),
    -- Why there is nothing to book: 0 money went out, 1 not booked by the bank, 2 another account, 3 another currency,
    -- 4 the amount, 5 taken back by the bank.
    ignored        INTEGER CHECK (ignored BETWEEN 0 AND 5),
    -- In the smallest unit.
    amount         INTEGER CHECK (amount > 0),
    -- Several transactions that the file does not tell apart.
    is_gathered    INTEGER NOT NULL CHECK (is_gathered IN (0, 1)),
    is_return      INTEGER NOT NULL CHECK (is_return IN (0, 1)),
    -- The names of accounts whose payment codes are in the text, separated by spaces.
    codes          TEXT NOT NULL,
    bank_account   TEXT NOT NULL,
    day            TEXT NOT NULL,
    is_credit      INTEGER NOT NULL CHECK (is_credit IN (0, 1)),
    currency       TEXT NOT NULL,
    bank_amount    TEXT NOT NULL,
    -- What strangers have written, with misleading characters replaced.
    party          TEXT NOT NULL,
    party_account  TEXT NOT NULL,
    remittance     TEXT NOT NULL,
    bank_reference TEXT NOT NULL,
    end_to_end_id  TEXT NOT NULL,
    PRIMARY KEY (statement, place),
    UNIQUE (statement, line),
    CONSTRAINT bank_statement_lines_are_booked_or_ignored CHECK (
        (line IS NULL) = (ignored IS NOT NULL) AND (line IS NULL) = (amount IS NULL)
    )
) STRICT;
CREATE INDEX bank_statement_lines_by_day ON bank_statement_lines (day, amount);

-- What became of the lines of booked statements: one row for each movement at the bank.
CREATE TABLE bank_lines (
    line      BLOB PRIMARY KEY CHECK (length(line) = 16),
    -- In the order in which lines were kept. Without a gap.
    no        INTEGER NOT NULL UNIQUE CHECK (no >= 1),
    -- Where its text is.
    statement INTEGER NOT NULL,
    place     INTEGER NOT NULL,
    amount    INTEGER NOT NULL CHECK (amount > 0),
    -- 0 unmatched, 1 claimed: the account is decided and may have been credited, 2 booked: it was credited, 3 set aside.
    state     INTEGER NOT NULL CHECK (state IN (0, 1, 2, 3)),
    account   INTEGER CHECK (account >= 3),
    -- Why it was set aside.
    reason    TEXT CHECK (length(reason) BETWEEN 1 AND 200),
    -- Who brought it into this state, and when.
    operator  TEXT NOT NULL CHECK (length(operator) BETWEEN 1 AND 64),
    at        INTEGER NOT NULL,
    CONSTRAINT bank_lines_have_what_their_state_needs CHECK (
        (state IN (1, 2)) = (account IS NOT NULL) AND (state = 3) = (reason IS NOT NULL)
    )
) STRICT;
CREATE INDEX bank_lines_by_state ON bank_lines (state, no);

-- Files of payouts for the bank.
CREATE TABLE payout_exports (
    -- Without a gap.
    no         INTEGER PRIMARY KEY CHECK (no >= 1),
    -- The idempotency key of the request, and a digest of what it wanted.
    key        TEXT NOT NULL UNIQUE CHECK (length(key) BETWEEN 1 AND 64),
    request    BLOB NOT NULL CHECK (length(request) = 32),
    -- 0 pain.001, 1 a table.
    format     INTEGER NOT NULL CHECK (format IN (0, 1)),
    -- By which the bank recognises a file that it gets twice.
    message_id TEXT NOT NULL UNIQUE CHECK (length(message_id) BETWEEN 1 AND 35),
    payouts    INTEGER NOT NULL CHECK (payouts >= 1),
    amount     INTEGER NOT NULL CHECK (amount >= 0),
    operator   TEXT NOT NULL CHECK (length(operator) BETWEEN 1 AND 64),
    at         INTEGER NOT NULL,
    -- 0 made, 3 the bank has paid all of it and its payouts are being settled, 1 they are settled, 2 withdrawn: it was
    -- never sent.
    state      INTEGER NOT NULL DEFAULT 0 CHECK (state IN (0, 1, 2, 3)),
    -- When it was withdrawn or an operator said that it is paid.
    ended_at   INTEGER,
    -- The file, byte for byte. It has names and accounts of payees.
    file       BLOB NOT NULL,
    CONSTRAINT payout_exports_end_once CHECK ((state = 0) = (ended_at IS NULL))
) STRICT;

CREATE INDEX payout_exports_settling ON payout_exports (no) WHERE state = 3;

-- Which payout is in which file: in one at most that was not withdrawn.
CREATE TABLE exported_payouts (
    export       INTEGER NOT NULL CHECK (export >= 1),
    payout       INTEGER NOT NULL CHECK (payout >= 1),
    -- Whether the file was withdrawn. The row stays, so that it can be seen later.
    is_withdrawn INTEGER NOT NULL DEFAULT 0 CHECK (is_withdrawn IN (0, 1)),
    PRIMARY KEY (export, payout)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX exported_payouts_in_one_file ON exported_payouts (payout) WHERE NOT is_withdrawn;
