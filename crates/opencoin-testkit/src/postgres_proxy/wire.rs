//! The part of PostgreSQL's protocol (version 3.0) that shows when a client is about to commit a write.
//!
//! The client sends groups of messages: a `Query`, or `Parse`, `Bind`, `Execute` and so on up to a `Sync`.
//! The server ends its answer to each with `ReadyForQuery`, which says whether a transaction is open. A group
//! commits a write when it ends a transaction that wrote with `COMMIT`, or when it writes outside any
//! transaction. The two phases of a distributed commit (`PREPARE TRANSACTION`, `COMMIT PREPARED`) count each.
//!
//! Statements are classified by their words only. Words in comments and strings are not told apart.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read};

/// The client asks whether to encrypt the connection.
const SSL_REQUEST: u32 = 80_877_103;
const GSS_ENCRYPTION_REQUEST: u32 = 80_877_104;
/// Size of the length field, which counts itself.
const LENGTH_BYTES: usize = 4;
/// Far more than any test sends, and little enough to fit into memory.
const MESSAGE_BYTES_MAX: usize = 1 << 30;

pub(super) mod kind {
    pub(crate) const BIND: u8 = b'B';
    pub(crate) const EXECUTE: u8 = b'E';
    pub(crate) const PARSE: u8 = b'P';
    pub(crate) const QUERY: u8 = b'Q';
    pub(crate) const SYNC: u8 = b'S';
    /// Messages that must be forwarded before the end of their group: `CopyData`, `CopyDone`, `CopyFail`,
    /// `Flush`, `PasswordMessage`, `Terminate`.
    pub(crate) const UNGROUPED: [u8; 6] = [b'd', b'c', b'f', b'H', b'p', b'X'];

    pub(crate) const ERROR_RESPONSE: u8 = b'E';
    pub(crate) const READY_FOR_QUERY: u8 = b'Z';
}

/// The status in `ReadyForQuery` when no transaction is open.
pub(super) const IDLE: u8 = b'I';
/// The status in `ReadyForQuery` when the open transaction has failed: its `COMMIT` is a rollback.
pub(super) const FAILED: u8 = b'E';

/// A message with its type byte and its length.
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn read(reader: &mut impl Read) -> io::Result<Self> {
        let mut kind = [0];
        reader.read_exact(&mut kind)?;
        Ok(Self(read_counted(reader, &kind)?))
    }

    pub(super) fn kind(&self) -> u8 {
        self.0[0]
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.0[1 + LENGTH_BYTES..]
    }

    /// The zero-terminated texts at the beginning of the body.
    fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.body().split(|&byte| byte == 0)
    }
}

/// What the end of a group does to a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It commits the write.
    Commit,
    /// It prepares the write for a commit on several servers.
    Prepare,
    /// It commits a write that was prepared.
    CommitPrepared,
}

/// The first message of a client, which has no type byte.
pub(super) enum Opening {
    /// A request for encryption. The proxy refuses it with `N`, and the client sends another opening.
    Encryption,
    /// The startup message, to forward unchanged.
    Startup(Vec<u8>),
}

impl Opening {
    pub(super) fn read(reader: &mut impl Read) -> io::Result<Self> {
        let bytes = read_counted(reader, &[])?;
        let code = bytes
            .get(LENGTH_BYTES..2 * LENGTH_BYTES)
            .and_then(|code| code.try_into().ok())
            .map(u32::from_be_bytes);
        Ok(if matches!(code, Some(SSL_REQUEST | GSS_ENCRYPTION_REQUEST)) {
            Self::Encryption
        } else {
            Self::Startup(bytes)
        })
    }
}

fn read_counted(reader: &mut impl Read, kind: &[u8]) -> io::Result<Vec<u8>> {
    let mut length = [0; LENGTH_BYTES];
    reader.read_exact(&mut length)?;
    let count = usize::try_from(u32::from_be_bytes(length)).expect("at least 32 bits");
    if !(LENGTH_BYTES..=MESSAGE_BYTES_MAX).contains(&count) {
        return Err(io::Error::new(
            ErrorKind::InvalidData,
            format!("a message of {count} bytes"),
        ));
    }
    let mut bytes = [kind, &length].concat();
    let begin = bytes.len();
    bytes.resize(begin + count - LENGTH_BYTES, 0);
    reader.read_exact(&mut bytes[begin..])?;
    Ok(bytes)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Statement {
    Begin,
    Commit,
    Prepare,
    CommitPrepared,
    Rollback,
    Write,
    Other,
}

impl Statement {
    fn of(text: &str) -> Self {
        let words = || {
            text.split(|c: char| !(c.is_alphanumeric() || c == '_'))
                .filter(|word| !word.is_empty())
        };
        let upper: Vec<String> = words().map(str::to_uppercase).collect();
        // `SELECT ... FOR UPDATE` and `FOR NO KEY UPDATE` only lock.
        let locks = |index: usize| index > 0 && ["FOR", "KEY"].contains(&upper[index - 1].as_str());
        let writes = |(index, word): (usize, &String)| match word.as_str() {
            "INSERT" | "DELETE" | "MERGE" => true,
            "UPDATE" => !locks(index),
            "COPY" => index == 0,
            _ => false,
        };
        match upper.first().map(String::as_str) {
            Some("BEGIN" | "START") => Self::Begin,
            Some("COMMIT") if upper.get(1).is_some_and(|word| word == "PREPARED") => Self::CommitPrepared,
            Some("COMMIT" | "END") => Self::Commit,
            Some("PREPARE") if upper.get(1).is_some_and(|word| word == "TRANSACTION") => Self::Prepare,
            Some("ROLLBACK" | "ABORT") if upper.get(1).is_none_or(|word| word != "TO") => Self::Rollback,
            _ if upper.iter().enumerate().any(writes) => Self::Write,
            _ => Self::Other,
        }
    }
}

/// A client's prepared statements and the state of its transaction.
#[derive(Default)]
pub(super) struct Session {
    prepared: HashMap<Vec<u8>, Statement>,
    portals: HashMap<Vec<u8>, Statement>,
    group: Vec<Statement>,
    in_transaction: bool,
    wrote: bool,
}

impl Session {
    /// Records a message. Returns true if it ends its group.
    pub(super) fn see(&mut self, message: &Message) -> bool {
        let mut texts = message.texts();
        let mut next = || texts.next().unwrap_or_default();
        match message.kind() {
            kind::PARSE => {
                let name = next().to_vec();
                self.prepared
                    .insert(name, Statement::of(&String::from_utf8_lossy(next())));
            }
            kind::BIND => {
                let portal = next().to_vec();
                let statement = self.prepared.get(next()).copied().unwrap_or(Statement::Other);
                self.portals.insert(portal, statement);
            }
            kind::EXECUTE => self
                .group
                .push(self.portals.get(next()).copied().unwrap_or(Statement::Other)),
            kind::QUERY => self
                .group
                .extend(String::from_utf8_lossy(next()).split(';').map(Statement::of)),
            _ => {}
        }
        matches!(message.kind(), kind::QUERY | kind::SYNC)
    }

    /// Ends the group. Returns how it commits a write if the server accepts all of it; `None` if it commits none.
    /// `status` is the server's last transaction status, or `None` while answers are outstanding.
    pub(super) fn commits_at_end_of_group(&mut self, status: Option<u8>) -> Option<Phase> {
        if let Some(status) = status {
            self.in_transaction = status != IDLE;
            self.wrote &= self.in_transaction && status != FAILED;
        }
        let mut commits = None;
        for statement in self.group.drain(..) {
            match statement {
                Statement::Begin => self.in_transaction = true,
                Statement::Commit | Statement::Prepare => {
                    let phase = match statement {
                        Statement::Prepare => Phase::Prepare,
                        _ => Phase::Commit,
                    };
                    commits = self.wrote.then_some(phase).or(commits);
                    (self.in_transaction, self.wrote) = (false, false);
                }
                Statement::CommitPrepared => commits = Some(Phase::CommitPrepared),
                Statement::Rollback => (self.in_transaction, self.wrote) = (false, false),
                Statement::Write if self.in_transaction => self.wrote = true,
                Statement::Write => commits = Some(Phase::Commit),
                Statement::Other => {}
            }
        }
        commits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Message {
        let length = u32::try_from(body.len() + LENGTH_BYTES).unwrap().to_be_bytes();
        Message::read(&mut &[&[kind][..], &length, body].concat()[..]).unwrap()
    }

    fn query(session: &mut Session, text: &str) -> bool {
        assert!(session.see(&message(kind::QUERY, format!("{text}\0").as_bytes())));
        session.commits_at_end_of_group(None) == Some(Phase::Commit)
    }

    fn execute(session: &mut Session, text: Option<&str>) -> bool {
        if let Some(text) = text {
            assert!(!session.see(&message(kind::PARSE, format!("s1\0{text}\0\0\0").as_bytes())));
        }
        assert!(!session.see(&message(kind::BIND, b"\0s1\0\0\0\0\0\0\0")));
        assert!(!session.see(&message(kind::EXECUTE, b"\0\0\0\0\0")));
        assert!(session.see(&message(kind::SYNC, b"")));
        session.commits_at_end_of_group(None) == Some(Phase::Commit)
    }

    #[test]
    fn a_commit_counts_when_its_transaction_wrote() {
        let mut session = Session::default();
        assert!(!query(&mut session, "BEGIN ISOLATION LEVEL READ COMMITTED"));
        assert!(!execute(
            &mut session,
            Some("SELECT balance FROM accounts WHERE id = ANY($1) FOR NO KEY UPDATE")
        ));
        assert!(!query(&mut session, "COMMIT"));
        assert!(!query(&mut session, "BEGIN"));
        assert!(!execute(&mut session, Some("UPDATE accounts SET balance = 1")));
        assert!(query(&mut session, "COMMIT"));
        assert!(!query(&mut session, "BEGIN"));
        assert!(!execute(&mut session, None));
        assert!(!query(&mut session, "ROLLBACK"));
        assert!(!query(&mut session, "COMMIT"));
    }

    #[test]
    fn a_statement_that_writes_outside_a_transaction_counts() {
        let mut session = Session::default();
        assert!(execute(
            &mut session,
            Some("WITH a AS (INSERT INTO spent SELECT 1 RETURNING 1) SELECT count(*) FROM a")
        ));
        assert!(execute(&mut session, None), "prepared before");
        assert!(!execute(
            &mut session,
            Some("SELECT updated, inserted FROM t FOR UPDATE")
        ));
        assert!(query(&mut session, "BEGIN; DELETE FROM t; COMMIT"));
    }

    #[test]
    fn the_server_knows_better_whether_a_transaction_is_open() {
        let mut session = Session::default();
        assert!(!query(&mut session, "BEGIN; INSERT INTO t VALUES (1)"));
        assert!(session.see(&message(kind::QUERY, b"COMMIT\0")));
        assert_eq!(session.commits_at_end_of_group(Some(FAILED)), None);
        assert!(session.see(&message(kind::QUERY, b"INSERT INTO t VALUES (1)\0")));
        assert_eq!(session.commits_at_end_of_group(Some(IDLE)), Some(Phase::Commit));
    }

    #[test]
    fn both_phases_of_a_distributed_commit_count() {
        let mut session = Session::default();
        let mut end = |text: &str| {
            assert!(session.see(&message(kind::QUERY, format!("{text}\0").as_bytes())));
            session.commits_at_end_of_group(None)
        };
        assert_eq!(end("BEGIN; INSERT INTO spent_1 VALUES (1)"), None);
        assert_eq!(end("PREPARE TRANSACTION 'a'"), Some(Phase::Prepare));
        assert_eq!(end("COMMIT PREPARED 'a'"), Some(Phase::CommitPrepared));
        assert_eq!(end("ROLLBACK PREPARED 'b'"), None);
        assert_eq!(end("BEGIN; SELECT 1; PREPARE TRANSACTION 'c'"), None);
    }
}
