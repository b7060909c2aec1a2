//! The tables, and their version.

use sqlx::{Sqlite, Transaction};

use super::error::StoreError;

/// The version of the schema.
const VERSION: i64 = 2;

const TABLES: &str = "
    CREATE TABLE currencies (
        no INTEGER PRIMARY KEY,
        -- The issuer.
        url TEXT NOT NULL,
        origin TEXT NOT NULL UNIQUE CHECK (length(origin) > 0),
        -- SHA-256 of the origin, by which files of the log are asked for.
        origin_hash BLOB NOT NULL UNIQUE CHECK (length(origin_hash) = 32),
        -- The id of the master key, which everything in the log must be certified by.
        master_key TEXT NOT NULL,
        -- The newest description, as compact text.
        cddc TEXT NOT NULL,
        -- 0: an operator has removed it. What was found stays.
        is_followed INTEGER NOT NULL CHECK (is_followed IN (0, 1)),
        added_at INTEGER NOT NULL
    ) STRICT;
    -- How far the log was read. All of it can be made again.
    CREATE TABLE progress (
        currency INTEGER PRIMARY KEY REFERENCES currencies (no),
        -- The newest checkpoint that was verified; NULL before the first one.
        checkpoint TEXT,
        checkpoint_at INTEGER,
        -- The entries on the disk, whose tree has this root.
        size INTEGER NOT NULL CHECK (size >= 0),
        root BLOB NOT NULL CHECK (length(root) = 32),
        -- A state of the replay, whose text is in `replay_pieces`, and the runs of the index that belong to it.
        snapshot_size INTEGER NOT NULL CHECK (snapshot_size >= 0),
        runs TEXT
    ) STRICT;
    -- What the auditor has cosigned last for a log.
    CREATE TABLE cosigned (
        currency INTEGER PRIMARY KEY REFERENCES currencies (no),
        size INTEGER NOT NULL CHECK (size >= 0),
        root BLOB NOT NULL CHECK (length(root) = 32),
        cosigned_at INTEGER NOT NULL CHECK (cosigned_at > 0),
        -- The checkpoint with the signatures of log, witnesses and auditor.
        checkpoint TEXT NOT NULL
    ) STRICT;
    CREATE TABLE evidence (
        -- SHA-256 of the text.
        id BLOB PRIMARY KEY CHECK (length(id) = 32),
        currency INTEGER REFERENCES currencies (no),
        kind TEXT NOT NULL,
        statement TEXT NOT NULL,
        verdict TEXT NOT NULL,
        text TEXT NOT NULL,
        kept_at INTEGER NOT NULL,
        -- 1: another node has sent it.
        is_received INTEGER NOT NULL CHECK (is_received IN (0, 1))
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX evidence_of_currency ON evidence (currency);
    -- Checkpoints that a log has signed, and that are larger than what it showed when another node sent them.
    CREATE TABLE unresolved (
        currency INTEGER PRIMARY KEY REFERENCES currencies (no),
        checkpoints TEXT NOT NULL
    ) STRICT;
    CREATE TABLE findings (
        no INTEGER PRIMARY KEY,
        currency INTEGER NOT NULL REFERENCES currencies (no),
        -- Leaves that show it are in every tree with more leaves.
        leaf INTEGER NOT NULL CHECK (leaf >= 0),
        -- The finding as JSON; empty for what is no rule of the replay.
        finding TEXT NOT NULL,
        text TEXT NOT NULL,
        -- 0: a remark, which does not keep the auditor from cosigning.
        is_broken INTEGER NOT NULL CHECK (is_broken IN (0, 1)),
        found_at INTEGER NOT NULL,
        evidence BLOB REFERENCES evidence (id),
        UNIQUE (currency, leaf, text)
    ) STRICT;
    -- The value of outstanding coins of a denomination at the end of an hour, in the smallest unit.
    CREATE TABLE supply (
        currency INTEGER NOT NULL REFERENCES currencies (no),
        hour INTEGER NOT NULL,
        denomination INTEGER NOT NULL,
        outstanding INTEGER NOT NULL,
        PRIMARY KEY (currency, hour, denomination)
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER cosigned_never_goes_back BEFORE UPDATE ON cosigned
        WHEN NEW.size < OLD.size OR NEW.cosigned_at < OLD.cosigned_at
            OR (NEW.size = OLD.size AND NEW.root <> OLD.root) OR NEW.currency <> OLD.currency
        BEGIN SELECT RAISE(ABORT, 'this would set the auditor back'); END;
    CREATE TRIGGER cosigned_is_never_forgotten BEFORE DELETE ON cosigned
        BEGIN SELECT RAISE(ABORT, 'this would make the auditor forget what it has cosigned'); END;
";

/// The state of a replay is as long as all key accounts of a currency, and SQLite has no values of a gigabyte.
const REPLAY_PIECES: &str = "
    CREATE TABLE replay_pieces (
        currency INTEGER NOT NULL REFERENCES currencies (no),
        piece INTEGER NOT NULL CHECK (piece >= 0),
        bytes BLOB NOT NULL,
        PRIMARY KEY (currency, piece)
    ) STRICT;
    PRAGMA user_version = 2;
";

/// What version 1 had instead: one value, which can be made again.
const WITHOUT_REPLAY: &str = "
    UPDATE progress SET snapshot_size = 0, runs = NULL;
    ALTER TABLE progress DROP COLUMN replay;
";

/// Makes the tables in a new file, or changes those of an earlier version. Tables of this version are left as they are.
pub(super) async fn make(transaction: &mut Transaction<'static, Sqlite>) -> Result<(), StoreError> {
    let version: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut **transaction)
        .await?;
    let first = match version {
        0 => TABLES,
        1 => WITHOUT_REPLAY,
        VERSION => return Ok(()),
        other => return Err(StoreError::VersionUnknown(other)),
    };
    for statements in [first, REPLAY_PIECES] {
        sqlx::raw_sql(statements).execute(&mut **transaction).await?;
    }
    Ok(())
}
