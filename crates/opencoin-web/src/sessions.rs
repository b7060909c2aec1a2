//! The sessions of operators, in memory: a restart of the server ends them.
//!
//! A session has no rights of its own. It holds the hash of the operator's token, and each request asks the file of tokens
//! what this token permits now, so a session ends with its token. A session also remembers what its forms have done, so
//! that a form that is sent twice does it once, and the start codes that were not handed over yet.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_issuer::{Reason, Refusal, StartCode};
use opencoin_keys::Clock;
use opencoin_ledger::{IdempotencyKey, LedgerTime, OperatorName, TokenHash};
use sha2::{Digest, Sha256};

use crate::notes::Note;

/// A session ends so long after the log-in.
const SESSION_AGE_MAX: TimeDelta = TimeDelta::hours(8);
/// A session ends so long after somebody has last used it.
const SESSION_IDLE_MAX: TimeDelta = TimeDelta::minutes(30);
/// How many sessions an operator may have. Another one ends the one that was not used for the longest time.
const SESSIONS_PER_OPERATOR_MAX: usize = 8;
/// How many forms a session remembers.
const FORMS_REMEMBERED_MAX: usize = 500;
/// How many start codes wait in a session until they are handed over.
const CODES_WAITING_MAX: usize = 20;

/// All sessions of operators, by the SHA-256 of their secrets, so that the time of a comparison tells nothing.
pub(crate) struct Sessions {
    clock: Arc<dyn Clock>,
    open: Mutex<HashMap<[u8; 32], Arc<Session>>>,
}

/// A session of an operator.
pub(crate) struct Session {
    /// The hash of the operator's token.
    pub(crate) token: TokenHash,
    operator: OperatorName,
    opened: DateTime<Utc>,
    last_used: Mutex<DateTime<Utc>>,
    forms: Mutex<VecDeque<(IdempotencyKey, Arc<Form>)>>,
    codes: Mutex<VecDeque<WaitingCode>>,
}

/// Who uses a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Somebody who has followed a link or sent a form.
    ByPerson,
    /// A script that keeps a page up to date.
    ByScript,
}

/// What a form has done. The lock is held while it does it.
type Form = tokio::sync::Mutex<Option<Done>>;

/// What a form has done.
#[derive(Clone)]
struct Done {
    /// The SHA-256 of what the form has said.
    content: [u8; 32],
    note: Note,
}

/// A start code that the holder has not got yet.
#[derive(Clone)]
pub(crate) struct WaitingCode {
    /// The name of the account.
    pub(crate) account: String,
    pub(crate) code: StartCode,
    pub(crate) expires: LedgerTime,
}

impl Sessions {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            open: Mutex::default(),
        }
    }

    /// Opens a session for whoever has shown this token of an operator.
    pub(crate) fn open(&self, secret: &str, operator: OperatorName, token: TokenHash) {
        let now = self.clock.now();
        let mut open = locked(&self.open);
        open.retain(|_, session| session.is_good(now));
        while let Some(oldest) = surplus(&open, &operator) {
            open.remove(&oldest);
        }
        let session = Session {
            token,
            operator,
            opened: now,
            last_used: Mutex::new(now),
            forms: Mutex::default(),
            codes: Mutex::default(),
        };
        open.insert(hash(secret), Arc::new(session));
    }

    /// The session with this secret, which a person may use now.
    pub(crate) fn find(&self, secret: &str, by: Use) -> Option<Arc<Session>> {
        let now = self.clock.now();
        let mut open = locked(&self.open);
        let key = hash(secret);
        let session = Arc::clone(open.get(&key)?);
        if !session.is_good(now) {
            open.remove(&key);
            return None;
        }
        if by == Use::ByPerson {
            *locked(&session.last_used) = now;
        }
        Some(session)
    }

    /// Ends a session.
    pub(crate) fn end(&self, secret: &str) {
        locked(&self.open).remove(&hash(secret));
    }
}

/// The session of an operator that was not used for the longest time, if they cannot have another one.
fn surplus(open: &HashMap<[u8; 32], Arc<Session>>, operator: &OperatorName) -> Option<[u8; 32]> {
    let own = || open.iter().filter(|(_, session)| session.operator == *operator);
    if own().count() < SESSIONS_PER_OPERATOR_MAX {
        return None;
    }
    let oldest = own().min_by_key(|(_, session)| *locked(&session.last_used));
    oldest.map(|(key, _)| *key)
}

impl Session {
    fn is_good(&self, now: DateTime<Utc>) -> bool {
        // A clock that was set back must not make a session younger.
        let age = |since: DateTime<Utc>| (now - since).abs();
        age(self.opened) < SESSION_AGE_MAX && age(*locked(&self.last_used)) < SESSION_IDLE_MAX
    }

    /// Does what a form says, unless it was done already. A form that is sent again while it is being done waits for the
    /// first one. If the work is refused, nothing was done, and the form may say something else.
    ///
    /// # Errors
    /// The work is refused, or the form has done something else.
    pub(crate) async fn once(
        &self,
        key: &IdempotencyKey,
        content: &str,
        work: impl Future<Output = Result<Note, Refusal>>,
    ) -> Result<(), Refusal> {
        let content = hash(content);
        let form = self.form(key);
        let mut done = form.lock().await;
        if let Some(done) = &*done {
            if done.content == content {
                return Ok(());
            }
            return Err(Refusal::new(
                Reason::ReferenceConflict,
                "the form has done something else already",
            ));
        }
        let note = work.await?;
        *done = Some(Done { content, note });
        Ok(())
    }

    fn form(&self, key: &IdempotencyKey) -> Arc<Form> {
        let mut forms = locked(&self.forms);
        if let Some((_, form)) = forms.iter().find(|(known, _)| known == key) {
            return Arc::clone(form);
        }
        if forms.len() >= FORMS_REMEMBERED_MAX {
            forms.pop_front();
        }
        let form = Arc::new(Form::default());
        forms.push_back((key.clone(), Arc::clone(&form)));
        form
    }

    /// What the form with this key has done.
    pub(crate) async fn note(&self, key: &str) -> Option<Note> {
        let form = {
            let forms = locked(&self.forms);
            let (_, form) = forms.iter().find(|(known, _)| known.as_str() == key)?;
            Arc::clone(form)
        };
        let done = form.lock().await;
        done.as_ref().map(|done| done.note.clone())
    }

    /// Keeps a start code until it is handed over.
    pub(crate) fn keep_code(&self, code: WaitingCode) {
        let mut codes = locked(&self.codes);
        if codes.len() >= CODES_WAITING_MAX {
            codes.pop_front();
        }
        codes.push_back(code);
    }

    /// The newest start code of an account that was not handed over.
    pub(crate) fn code(&self, account: &str) -> Option<WaitingCode> {
        let codes = locked(&self.codes);
        codes.iter().rev().find(|code| code.account == account).cloned()
    }

    /// Forgets the start codes of an account.
    pub(crate) fn forget_codes(&self, account: &str) {
        locked(&self.codes).retain(|code| code.account != account);
    }
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    struct TestClock(AtomicI64);

    impl Clock for TestClock {
        fn now(&self) -> DateTime<Utc> {
            DateTime::from_timestamp(self.0.load(Ordering::Relaxed), 0).unwrap()
        }
    }

    fn sessions() -> (Arc<TestClock>, Sessions) {
        let clock = Arc::new(TestClock(AtomicI64::new(0)));
        (Arc::clone(&clock), Sessions::new(clock))
    }

    fn open(sessions: &Sessions, secret: &str, operator: &str) {
        sessions.open(secret, operator.parse().unwrap(), TokenHash::new([1; 32]));
    }

    #[test]
    fn a_session_does_not_outlive_a_clock_that_is_set_back() {
        let (clock, sessions) = sessions();
        clock.0.store(100_000, Ordering::Relaxed);
        open(&sessions, "early", "desk");
        open(&sessions, "corrected", "desk");
        clock.0.store(99_999, Ordering::Relaxed);
        assert!(sessions.find("corrected", Use::ByPerson).is_some());
        clock.0.store(0, Ordering::Relaxed);
        assert!(sessions.find("early", Use::ByPerson).is_none());
    }

    #[test]
    fn a_session_ends_when_it_is_idle_old_or_logged_out() {
        let (clock, sessions) = sessions();
        let wait = |span: TimeDelta| clock.0.fetch_add(span.num_seconds(), Ordering::Relaxed);
        open(&sessions, "idle", "desk");
        wait(SESSION_IDLE_MAX - TimeDelta::seconds(1));
        assert!(sessions.find("idle", Use::ByPerson).is_some());
        wait(SESSION_IDLE_MAX);
        assert!(sessions.find("idle", Use::ByPerson).is_none());

        open(&sessions, "old", "desk");
        for _ in 0..SESSION_AGE_MAX.num_minutes() / 20 - 1 {
            wait(TimeDelta::minutes(20));
            assert!(sessions.find("old", Use::ByPerson).is_some());
        }
        wait(TimeDelta::minutes(20));
        assert!(sessions.find("old", Use::ByPerson).is_none());

        open(&sessions, "unwatched", "desk");
        wait(SESSION_IDLE_MAX - TimeDelta::seconds(1));
        assert!(sessions.find("unwatched", Use::ByScript).is_some());
        wait(TimeDelta::seconds(1));
        assert!(sessions.find("unwatched", Use::ByScript).is_none());

        open(&sessions, "left", "desk");
        sessions.end("left");
        assert!(sessions.find("left", Use::ByPerson).is_none());
    }

    #[test]
    fn another_session_ends_the_one_that_was_not_used_for_the_longest_time() {
        let (clock, sessions) = sessions();
        open(&sessions, "other", "night");
        for number in 0..SESSIONS_PER_OPERATOR_MAX {
            open(&sessions, &number.to_string(), "desk");
            clock.0.fetch_add(1, Ordering::Relaxed);
        }
        assert!(sessions.find("0", Use::ByPerson).is_some(), "it is used again");
        open(&sessions, "new", "desk");
        assert!(sessions.find("1", Use::ByPerson).is_none());
        for kept in ["0", "2", "new", "other"] {
            assert!(sessions.find(kept, Use::ByPerson).is_some(), "{kept}");
        }
    }

    #[tokio::test]
    async fn a_form_does_one_thing_once() {
        let (_, sessions) = sessions();
        open(&sessions, "a", "desk");
        let session = sessions.find("a", Use::ByPerson).unwrap();
        let key = IdempotencyKey::new("form-1").unwrap();
        let times = AtomicI64::new(0);
        let work = async |refused: bool| {
            if refused {
                return Err(Refusal::unavailable());
            }
            times.fetch_add(1, Ordering::Relaxed);
            Ok(Note::CodeHandedOver("bob".to_owned()))
        };
        assert!(session.once(&key, "b", work(true)).await.is_err());
        assert!(session.note("form-1").await.is_none());
        let (first, second) = tokio::join!(
            session.once(&key, "a", work(false)),
            session.once(&key, "a", work(false))
        );
        assert!(first.is_ok() && second.is_ok());
        let other = session.once(&key, "b", work(false)).await.unwrap_err();
        assert_eq!(other.reason, Reason::ReferenceConflict);
        assert_eq!(times.load(Ordering::Relaxed), 1);
        assert!(session.note("form-1").await.is_some());
    }
}
