//! What needs a person, one by one, the most urgent first. The console and `opencoin issuer overview` say it in words.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_keys::KeyState;
use opencoin_ledger::LedgerTime;
use opencoin_ledger::bank::ExportNo;

use super::{LogOverview, MintKeyOverview, MintKeysOverview, Overview, Waiting};
use crate::audits::{AuditOutcome, AuditState};

/// Books that were not checked for so long should be.
const AUDIT_AGE_MAX: TimeDelta = TimeDelta::days(35);
/// The part of the time within which the public log promises its leaves, after which what waits is late: one half, as for
/// new keys.
const LATE_PARTS: i32 = 2;

/// Something that needs a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// A rule of the public log was broken, in these words. Nothing is sealed or accepted.
    LogHalted(String),
    /// There is no quorum of the witnesses since then.
    NoQuorum(DateTime<Utc>),
    /// What was accepted waits since then to be sealed, for too long.
    Unsealed(DateTime<Utc>),
    /// The last audit, then, found broken invariants.
    AuditBroken(DateTime<Utc>),
    /// The last audit, then, had no result.
    AuditFailed(DateTime<Utc>),
    /// The last audit is long ago; `None` if there was never one.
    AuditDue(Option<DateTime<Utc>>),
    /// Other operators have proposed something that this one could carry out.
    Proposals(WaitingSince),
    /// Payouts wait to be settled.
    Payouts(WaitingSince),
    /// The bank has paid a file, and not all of its payouts are settled, since then.
    UnfinishedFile(ExportNo, Option<DateTime<Utc>>),
    /// Lines of the bank belong to no account.
    UnmatchedLines(WaitingSince),
    /// No key signs for these denominations.
    NoKey(Denominations),
    /// New keys are due for these denominations, whose last keys sign until then.
    KeysDue(DateTime<Utc>, Denominations),
    /// The description of the currency has expired.
    DescriptionExpired,
    /// The description of the currency expires then, and the next one is due.
    DescriptionDue(DateTime<Utc>),
    /// An operator has paused signing.
    SigningPaused,
    /// So many accounts are frozen.
    FrozenAccounts(u64),
}

/// Some that wait, one at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitingSince {
    /// How many.
    pub count: u64,
    /// Since when the first of them waits.
    pub oldest: DateTime<Utc>,
}

/// Denominations that need a new key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denominations {
    /// They, in the smallest unit.
    pub values: Vec<u64>,
    /// Whether the newest key of one of them came too late for the public log.
    pub came_too_late: bool,
    /// Whether a key of each of them would sign, if the published log had it.
    pub awaits_log: bool,
}

/// How urgent something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Money cannot move, or may be wrong.
    Alarm,
    /// Somebody waits, or something will stop.
    Soon,
    /// Somebody should know it.
    Note,
}

impl Task {
    /// How urgent it is.
    #[must_use]
    pub const fn urgency(&self) -> Urgency {
        match self {
            Self::LogHalted(_)
            | Self::Unsealed(_)
            | Self::AuditBroken(_)
            | Self::NoKey(_)
            | Self::DescriptionExpired => Urgency::Alarm,
            Self::NoQuorum(_)
            | Self::AuditFailed(_)
            | Self::Proposals(_)
            | Self::Payouts(_)
            | Self::UnfinishedFile(..)
            | Self::UnmatchedLines(_)
            | Self::KeysDue(..)
            | Self::DescriptionDue(_)
            | Self::SigningPaused => Urgency::Soon,
            Self::AuditDue(_) | Self::FrozenAccounts(_) => Urgency::Note,
        }
    }
}

impl Overview {
    /// What needs a person, the most urgent first.
    #[must_use]
    pub fn tasks(&self) -> Vec<Task> {
        let mut tasks = self.log.as_ref().map_or_else(Vec::new, |log| log.tasks(self.at));
        tasks.extend(self.audit_task());
        tasks.extend(self.proposals.since().map(Task::Proposals));
        tasks.extend(self.payouts.since().map(Task::Payouts));
        let files = self.unfinished_files.iter();
        tasks.extend(files.map(|file| Task::UnfinishedFile(file.no, file.ended_at.map(moment))));
        tasks.extend(self.unmatched.since().map(Task::UnmatchedLines));
        tasks.extend(self.keys.tasks());
        tasks.extend((self.frozen_accounts > 0).then_some(Task::FrozenAccounts(self.frozen_accounts)));
        // A stable order: of the same urgency, the order above.
        tasks.sort_by_key(Task::urgency);
        tasks
    }

    fn audit_task(&self) -> Option<Task> {
        let AuditState { running, last } = &self.audit;
        match last {
            Some(last) if last.outcome == AuditOutcome::Broken => Some(Task::AuditBroken(moment(last.at))),
            Some(last) if last.outcome == AuditOutcome::Failed => Some(Task::AuditFailed(moment(last.at))),
            _ if running.is_some() => None,
            Some(last) => {
                let at = moment(last.at);
                (self.at - at > AUDIT_AGE_MAX).then_some(Task::AuditDue(Some(at)))
            }
            None => (self.age()? > AUDIT_AGE_MAX).then_some(Task::AuditDue(None)),
        }
    }

    /// How long ago the first key of the currency began to sign.
    fn age(&self) -> Option<TimeDelta> {
        let begun = self.keys.keys().map(|key| key.signs_from).min()?;
        Some(self.at - begun)
    }
}

impl Waiting {
    fn since(self) -> Option<WaitingSince> {
        let oldest = moment(self.oldest?);
        Some(WaitingSince {
            count: self.count,
            oldest,
        })
    }
}

impl LogOverview {
    fn tasks(&self, at: DateTime<Utc>) -> Vec<Task> {
        let halted = self.halted.clone().map(Task::LogHalted);
        let is_late = |since: &DateTime<Utc>| at - *since > self.promise / LATE_PARTS;
        let unsealed = self.unsealed_since.map(moment).filter(is_late);
        let no_quorum = self.without_quorum_since.map(Task::NoQuorum);
        let tasks = [halted, no_quorum, unsealed.map(Task::Unsealed)];
        tasks.into_iter().flatten().collect()
    }
}

impl MintKeysOverview {
    fn tasks(&self) -> Vec<Task> {
        let (mut unsigned, mut ending) = (Vec::new(), BTreeMap::<_, Vec<u64>>::new());
        for (&denomination, due) in &self.rotations {
            let own = || self.denominations.get(&denomination).into_iter().flatten();
            if !own().any(signs) {
                unsigned.push(denomination);
            } else if *due <= self.at
                && let Some(end) = own()
                    .filter(|key| will_sign(key))
                    .map(|key| key.signs_until)
                    .max()
            {
                ending.entry(end).or_default().push(denomination);
            }
        }
        let mut tasks = Vec::new();
        if !unsigned.is_empty() {
            tasks.push(Task::NoKey(self.lacking(unsigned)));
        }
        let due = ending.into_iter();
        tasks.extend(due.map(|(end, values)| Task::KeysDue(end, self.lacking(values))));
        if self.description_expires <= self.at {
            tasks.push(Task::DescriptionExpired);
        } else if self.description_due <= self.at {
            tasks.push(Task::DescriptionDue(self.description_expires));
        }
        tasks.extend(self.is_signing_paused.then_some(Task::SigningPaused));
        tasks
    }

    fn lacking(&self, values: Vec<u64>) -> Denominations {
        let came_too_late = |value| {
            let last = self.denominations.get(value).and_then(|keys| keys.last());
            last.is_some_and(|key| key.state == KeyState::Late)
        };
        let awaits_log = |value| {
            let mut own = self.denominations.get(value).into_iter().flatten();
            own.any(|key| key.state == KeyState::Signing && key.awaits_log)
        };
        Denominations {
            came_too_late: values.iter().any(came_too_late),
            awaits_log: values.iter().all(awaits_log),
            values,
        }
    }
}

fn signs(key: &MintKeyOverview) -> bool {
    key.state == KeyState::Signing && !key.awaits_log
}

fn will_sign(key: &MintKeyOverview) -> bool {
    matches!(key.state, KeyState::Signing | KeyState::Future)
}

fn moment(time: LedgerTime) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(time.unix_micros()).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
