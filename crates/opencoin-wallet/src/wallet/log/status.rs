//! What the wallet knows of a currency's public log, and what it can prove.

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_evidence::{Claim, Evidence, StalledLog};
use opencoin_log::log_block::LogBlock;
use opencoin_log_reader::checkpoint::{quorum_time, verify_quorum};
use opencoin_schema::BigInt;

use super::{Wallet, evidence, promised_claim};
use crate::error::WalletError;
use crate::public_log::LogError;
use crate::public_log::memory::{Challenged, LogChallenge, LogMemory, OpenPromise, SeenCheckpoint, encode};

/// A log whose newest checkpoint is older than a promise's deadline counts as stalled only after this time: witnesses
/// date an unchanged log anew every ten minutes.
const STALL_PAUSE: TimeDelta = TimeDelta::minutes(20);

/// The state of a currency's public log, as the wallet has seen it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStatus {
    /// The currency's id.
    pub currency: String,
    /// The currency's name.
    pub name: String,
    /// The name of the log; `None` if the currency has none.
    pub log: Option<String>,
    /// The newest checkpoint that was verified.
    pub newest: Option<SeenLog>,
    /// The number of mint keys whose leaves were found.
    pub mint_keys: usize,
    /// The number of promises that are not fulfilled yet.
    pub open: usize,
    /// The number of open promises whose time is over by the wallet's clock.
    pub overdue: usize,
    /// The number of open promises that could not be verified, because mint keys were used without a look at the log.
    pub unverified: usize,
    /// The number of fulfilled promises.
    pub kept: u64,
    /// How often mint keys were used without a look at the log.
    pub unchecked_uses: usize,
    /// Everything that was ever wrong, the oldest first.
    pub faults: Vec<ShownFault>,
    /// What the issuer owes and has not shown in time. It may still do so.
    pub challenges: Vec<ShownFault>,
    /// Why the last check did not come to its end.
    pub problem: Option<LogError>,
}

/// A checkpoint that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenLog {
    /// The number of entries.
    pub size: u64,
    /// When the quorum was reached by those who cosigned last; `None` for a currency without witnesses.
    pub time: Option<DateTime<Utc>>,
    /// The names of the witnesses that cosigned it.
    pub witnesses: Vec<String>,
    /// The number of witnesses that the currency names.
    pub witnesses_named: usize,
}

/// Something that is wrong with the log or with a promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownFault {
    /// When the wallet noticed it.
    pub at: DateTime<Utc>,
    /// What is wrong.
    pub description: String,
    /// The kind of evidence that the wallet has of it.
    pub evidence: Option<&'static str>,
}

impl Wallet {
    /// Returns the number of promises whose time is over and that were not found in the log yet. It only counts;
    /// [`Self::check_log`] looks.
    #[must_use]
    pub fn overdue_promises(&self) -> usize {
        let now = (self.clock)();
        self.state.logs.values().map(|memory| overdue(memory, now)).sum()
    }

    /// Returns everything that the wallet can prove to others, of the currency with this name or id or of all.
    ///
    /// # Errors
    /// The wallet has no such currency.
    pub fn evidence(&self, currency: Option<&str>) -> Result<Vec<Evidence>, WalletError> {
        let ids: Vec<BigInt> = match currency {
            Some(_) => vec![self.choose(currency)?],
            None => self.state.logs.keys().cloned().collect(),
        };
        let mut all = Vec::new();
        for id in &ids {
            let Some(memory) = self.log_memory(id) else {
                continue;
            };
            all.extend(
                memory
                    .faults
                    .iter()
                    .filter_map(|fault| fault.evidence.as_deref().cloned()),
            );
            all.extend(self.stalled(id, memory)?);
            all.extend(self.challenges(id).map(|challenge| (*challenge.evidence).clone()));
        }
        Ok(all)
    }

    /// Returns a complaint about the promise that has been due for the longest time, if the log shows nothing newer.
    fn stalled(&self, id: &BigInt, memory: &LogMemory) -> Result<Option<Evidence>, WalletError> {
        let Some(newest) = &memory.newest else {
            return Ok(None);
        };
        let looked_at = newest.at.timestamp();
        let is_due = |open: &&OpenPromise| {
            let due = open
                .promise
                .deadline()
                .saturating_add(STALL_PAUSE.num_seconds().unsigned_abs());
            open.is_verified && u64::try_from(looked_at).is_ok_and(|looked_at| due < looked_at)
        };
        let due = memory.promises.values().filter(is_due);
        let Some(open) = due.min_by_key(|open| open.promise.deadline()) else {
            return Ok(None);
        };
        let then = self.other_description(id, open.cdd_serial)?;
        let leaves = encode(&open.leaves, &memory.keys);
        let promised = leaves.and_then(|leaves| promised_claim(&open.promise, &leaves, 0, then));
        let currency = self.currency(id)?;
        Ok(promised.and_then(|promised| {
            let claim = StalledLog::new(promised, &newest.note, looked_at.unsigned_abs());
            evidence(currency, Claim::StalledLog(Box::new(claim)))
        }))
    }

    pub(super) fn log_status(
        &self,
        id: &BigInt,
        problem: Option<LogError>,
    ) -> Result<LogStatus, WalletError> {
        let cdd = self.currency(id)?.cddc.cdd();
        let block = self.log_block(id).ok().flatten();
        let none = LogMemory::default();
        let memory = self.log_memory(id).unwrap_or(&none);
        let shown = memory.faults.iter().map(|fault| ShownFault {
            at: fault.at,
            description: fault.description.clone(),
            evidence: fault.evidence.as_ref().map(|evidence| evidence.kind()),
        });
        Ok(LogStatus {
            currency: id.to_string(),
            name: cdd.currency_name.clone(),
            log: block.as_ref().map(|block| block.origin().as_str().to_owned()),
            newest: memory
                .newest
                .as_ref()
                .and_then(|seen| seen_log(block.as_ref()?, seen)),
            mint_keys: memory.keys.len(),
            open: memory.promises.len(),
            overdue: overdue(memory, self.now),
            unverified: memory.promises.values().filter(|open| !open.is_verified).count(),
            kept: memory.kept_count,
            unchecked_uses: memory.unchecked_uses,
            faults: shown.collect(),
            challenges: self.challenges(id).map(shown_challenge).collect(),
            problem,
        })
    }
}

fn shown_challenge(challenge: &LogChallenge) -> ShownFault {
    let description = match &challenge.about {
        Challenged::Signatures(operation) => format!(
            "request number {operation} is in the public log, and the issuer does not give out its signatures"
        ),
        Challenged::Coin(_) => {
            "the issuer has refused a coin as spent, and the public log does not have it where it should be"
                .to_owned()
        }
    };
    ShownFault {
        at: challenge.at,
        description,
        evidence: Some(challenge.evidence.kind()),
    }
}

fn overdue(memory: &LogMemory, now: DateTime<Utc>) -> usize {
    let now = u64::try_from(now.timestamp()).unwrap_or(0);
    let open = memory.promises.values();
    open.filter(|open| open.promise.deadline() < now).count()
}

fn seen_log(block: &LogBlock, seen: &SeenCheckpoint) -> Option<SeenLog> {
    let verified = verify_quorum(block, &seen.note, None).ok()?;
    let time = quorum_time(block.policy(), &verified);
    let time = time.and_then(|time| DateTime::from_timestamp(i64::try_from(time).ok()?, 0));
    let named = block.policy().names_in_quorum();
    let cosigned = verified.cosigned_by.into_iter().map(|by| by.witness);
    Some(SeenLog {
        size: seen.note.checkpoint().size(),
        time,
        witnesses: cosigned.filter(|witness| named.contains(&**witness)).collect(),
        witnesses_named: named.len(),
    })
}
