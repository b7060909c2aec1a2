//! What an auditor says of a currency: to people on its page, and to programs.

use std::collections::BTreeMap;

use opencoin_log::hash::Hash;
use opencoin_text::AmountDisplay;
use serde_json::{Value, json};

use crate::auditor::Auditor;
use crate::description::Description;
use crate::status::{LiveStatus, UncomparedCheckpoint};
use crate::store::{AuditedCurrency, KeptEvidence, LastCosignature, StoreError, StoredFinding, SupplyPoint};

/// Everything that is known of a currency.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub(crate) currency: AuditedCurrency,
    pub(crate) description: Option<Description>,
    pub(crate) live: LiveStatus,
    /// When the newest checkpoint was seen, in seconds since 1970.
    pub(crate) checkpoint_at: Option<u64>,
    pub(crate) cosigned: Option<LastCosignature>,
    pub(crate) findings: Vec<StoredFinding>,
    pub(crate) evidence: Vec<KeptEvidence>,
    /// In the order of size. They may be of a second history.
    pub(crate) unresolved: Vec<UncomparedCheckpoint>,
    /// In the order of time.
    pub(crate) supply: Vec<SupplyPoint>,
}

/// In one word how a currency stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A rule is broken.
    Broken,
    /// The log cannot be read, or the auditor is not at its end.
    Behind,
    /// Every rule holds up to the newest checkpoint.
    Good,
    /// Nothing is wrong with what was looked at, which is not everything.
    Sampled,
}

impl Auditor {
    /// Reports on all currencies that are followed.
    pub(crate) async fn reports(&self) -> Result<Vec<Report>, StoreError> {
        let mut reports = Vec::new();
        for currency in self.store.currencies().await? {
            if currency.is_followed {
                reports.push(self.report(currency).await?);
            }
        }
        Ok(reports)
    }

    async fn report(&self, currency: AuditedCurrency) -> Result<Report, StoreError> {
        let no = currency.no;
        let live = self.statuses.get(no);
        let stored = self.store.unresolved(no).await?;
        let stored = stored.iter();
        let heard = stored.map(|one| UncomparedCheckpoint::new(&one.signed, one.since_s));
        Ok(Report {
            description: Description::of(&currency.cddc).ok(),
            unresolved: without_repeats(heard.chain(live.waiting.iter().cloned())),
            live,
            checkpoint_at: self.store.checkpoint_at(no).await?,
            cosigned: self.store.cosigned(no).await?,
            findings: self.store.findings(no).await?,
            evidence: self.store.evidence_of(no).await?,
            supply: self.store.supply(no).await?,
            currency,
        })
    }
}

/// Each checkpoint once, since it was first seen.
fn without_repeats(seen: impl Iterator<Item = UncomparedCheckpoint>) -> Vec<UncomparedCheckpoint> {
    let mut once: BTreeMap<(u64, Hash), u64> = BTreeMap::new();
    for UncomparedCheckpoint { size, root, since_s } in seen {
        let since = once.entry((size, root)).or_insert(since_s);
        *since = since_s.min(*since);
    }
    let once = once.into_iter();
    once.map(|((size, root), since_s)| UncomparedCheckpoint { size, root, since_s })
        .collect()
}

impl Report {
    /// The number of broken rules. What the replay knows counts also if it is not stored.
    pub(crate) fn broken_rules(&self) -> usize {
        let stored = self.findings.iter().filter(|finding| finding.is_broken);
        stored.count().max(usize::from(self.live.first_broken.is_some()))
    }

    pub(crate) fn verdict(&self, is_light: bool) -> Verdict {
        let checkpoint = self.live.checkpoint_size;
        if self.broken_rules() > 0 {
            Verdict::Broken
        } else if self.live.trouble.is_some() || self.live.read_at.is_none() {
            Verdict::Behind
        } else if is_light {
            Verdict::Sampled
        } else if self.live.ended < checkpoint {
            Verdict::Behind
        } else {
            Verdict::Good
        }
    }

    /// An amount in the currency's unit.
    pub(crate) fn amount(&self, units: u64) -> String {
        match &self.description {
            Some(description) => {
                AmountDisplay::new(units, description.divisor(), description.name()).to_string()
            }
            None => units.to_string(),
        }
    }

    /// The supply of each denomination at the last hour that is known.
    pub(crate) fn supply_now(&self) -> BTreeMap<u64, u64> {
        let last = self.supply.last().map(|point| point.hour);
        let of_last = self.supply.iter().filter(|point| Some(point.hour) == last);
        of_last
            .map(|point| (point.denomination, point.outstanding))
            .collect()
    }

    /// For programs.
    pub(crate) fn to_json(&self, is_light: bool) -> Value {
        let (live, currency) = (&self.live, &self.currency);
        let description = self.description.as_ref();
        let cosigned_by: Vec<Value> = live
            .cosigned_by
            .iter()
            .map(|(witness, time)| json!({ "witness": witness, "time": time }))
            .collect();
        let findings: Vec<Value> = self.findings.iter().map(finding_json).collect();
        let evidence: Vec<Value> = self.evidence.iter().map(evidence_json).collect();
        let supply: Vec<Value> = self
            .supply_now()
            .into_iter()
            .map(|(denomination, outstanding)| json!({ "denomination": denomination, "outstanding": outstanding }))
            .collect();
        let unresolved: Vec<Value> = self
            .unresolved
            .iter()
            .map(|one| json!({ "size": one.size, "root": one.root.to_string(), "seen_at": one.since_s }))
            .collect();
        json!({
            "name": description.map(Description::name),
            "divisor": description.map(Description::divisor),
            "url": currency.url,
            "origin": currency.origin,
            "origin_hash": currency.origin_hash.to_string(),
            "id": description.map(Description::id),
            "master_key": currency.master_key,
            "description": description.map(Description::serial),
            "size": if is_light { live.checkpoint_size } else { live.replayed },
            "verdict": self.verdict(is_light).word(),
            "checkpoint": {
                "size": live.checkpoint_size,
                "cosigned_by": cosigned_by,
                "seen_at": self.checkpoint_at,
            },
            "copied": live.copied,
            "replayed": live.replayed,
            "sampled": live.sampled,
            "last_batch": live.last_batch,
            "cosigned": self.cosigned.as_ref().map(|last| json!({ "size": last.size, "time": last.time })),
            "refusal": live.refusal,
            "trouble": live.trouble,
            "read_at": live.read_at,
            "findings": findings,
            "evidence": evidence,
            "unresolved": unresolved,
            "supply": supply,
        })
    }
}

fn finding_json(finding: &StoredFinding) -> Value {
    json!({
        "leaf": finding.leaf,
        "text": finding.text,
        "broken": finding.is_broken,
        "rule": finding.finding.as_ref().map(|finding| &finding.rule),
        "found_at": finding.found_at,
        "evidence": finding.evidence.as_ref().map(ToString::to_string),
    })
}

pub(crate) fn evidence_json(evidence: &KeptEvidence) -> Value {
    json!({
        "id": evidence.id.to_string(),
        "kind": evidence.kind,
        "verdict": evidence.verdict,
        "statement": evidence.statement,
        "kept_at": evidence.kept_at,
        "received": evidence.is_received,
    })
}

impl Verdict {
    /// For programs.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::Behind => "behind",
            Self::Good => "good",
            Self::Sampled => "sampled",
        }
    }

    /// For people.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Broken => "A rule is broken.",
            Self::Behind => "Not at the end of the log.",
            Self::Good => "Every rule holds.",
            Self::Sampled => "Nothing wrong in the samples.",
        }
    }
}
