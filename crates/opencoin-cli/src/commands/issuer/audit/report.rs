//! The report of an audit, as lines or as JSON. docs/AUDIT.md describes the format.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, Utc};
use opencoin_audit::{AuditFacts, Audited, Check, Extent, MintKeyFacts};
use opencoin_issuer::audits::certificates_check;
use opencoin_keys::{Currency, DirectoryError};
use serde::Serialize;

/// The version of the format. It changes when the meaning of a field changes, not when a field is added.
const VERSION: u32 = 1;

/// The JSON form of an audit.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    format: &'static str,
    version: u32,
    /// The currency's id, if the certificates verify.
    currency: Option<String>,
    time: String,
    database: &'static str,
    extent: &'static str,
    /// The number of the newest journal entry.
    position: i64,
    /// Entries up to this number need not be read again.
    settled: i64,
    records: u64,
    records_read: u64,
    holds: bool,
    checks: Vec<Finding>,
    totals: Totals,
    denominations: Vec<Denomination>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signatures: Option<SignaturesReport>,
}

/// The result for one invariant.
#[derive(Debug, Serialize)]
struct Finding {
    name: &'static str,
    holds: bool,
    detail: String,
}

/// Sums of the books, in the smallest unit.
#[derive(Debug, Serialize)]
struct Totals {
    accounts: usize,
    accounts_sum: i128,
    paid_in: i128,
    paid_out: i128,
    /// Payouts that are not settled.
    payouts_open: usize,
    payouts_open_sum: i128,
    coins_outstanding: i128,
    recouped: i128,
    recovered_unassigned: i128,
}

/// The numbers of coins of one denomination.
#[derive(Debug, Default, Serialize)]
struct Denomination {
    denomination: i128,
    signed: i128,
    returned: i128,
    recouped: i128,
    outstanding: i128,
}

/// The result of checking stored acceptances.
#[derive(Debug, Default, Serialize)]
pub(super) struct SignaturesReport {
    /// `None` if all were checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seed: Option<u64>,
    pub(super) acceptances: u64,
    pub(super) blinds: u64,
    pub(super) signatures: u64,
    /// Mints whose digest proves that they are what was requested.
    pub(super) proven_by_digest: u64,
    /// Descriptions of the first wrong ones.
    #[serde(skip)]
    pub(super) wrong: Vec<String>,
    #[serde(skip)]
    pub(super) wrong_count: u64,
}

impl Report {
    pub(super) fn new(
        currency: Result<&Currency, &DirectoryError>,
        database: &'static str,
        time: DateTime<Utc>,
        audited: &Audited,
    ) -> Self {
        let facts = &audited.facts;
        let mut checks = vec![finding(&certificates_check(currency, facts))];
        checks.extend(audited.report.checks.iter().map(finding));
        Self {
            format: "opencoin-audit",
            version: VERSION,
            currency: currency.ok().map(|currency| currency.issuer_id().to_string()),
            time: time.to_rfc3339_opts(SecondsFormat::Micros, true),
            database,
            extent: extent_name(audited.extent),
            position: audited.position.get(),
            settled: audited.settled.get(),
            records: facts.transactions,
            records_read: audited.rows_read,
            holds: checks.iter().all(|check| check.holds),
            checks,
            totals: totals(facts),
            denominations: denominations(&facts.mint_keys),
            signatures: None,
        }
    }

    pub(super) fn add_signatures(&mut self, signatures: SignaturesReport) {
        let SignaturesReport {
            seed,
            acceptances,
            blinds,
            signatures: kept,
            proven_by_digest,
            ref wrong,
            wrong_count,
        } = signatures;
        let holds = wrong_count == 0;
        let drawn = seed.map_or(String::new(), |seed| format!(", drawn with the seed {seed}"));
        let detail = if holds {
            format!(
                "{acceptances} acceptances{drawn}: {blinds} blinds, of which {kept} are kept signatures; {proven_by_digest} proven by their digests"
            )
        } else {
            format!(
                "{} of {acceptances} acceptances{drawn} are wrong: {}",
                wrong_count,
                wrong.join("; ")
            )
        };
        self.holds &= holds;
        self.checks.push(Finding {
            name: "stored acceptances are what mint keys sign",
            holds,
            detail,
        });
        self.signatures = Some(signatures);
    }

    pub(super) fn holds(&self) -> bool {
        self.holds
    }

    pub(super) fn extent(&self) -> Extent {
        if self.extent == extent_name(Extent::Full) {
            Extent::Full
        } else {
            Extent::New
        }
    }

    /// The names of the broken invariants.
    pub(super) fn broken(&self) -> Vec<&'static str> {
        self.checks
            .iter()
            .filter(|check| !check.holds)
            .map(|check| check.name)
            .collect()
    }

    /// One line for each invariant.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        self.checks.iter().map(|check| {
            let mark = if check.holds { "ok    " } else { "BROKEN" };
            format!("{mark} {}: {}", check.name, check.detail)
        })
    }
}

fn extent_name(extent: Extent) -> &'static str {
    match extent {
        Extent::Full => "full",
        Extent::New => "new",
    }
}

fn finding(check: &Check) -> Finding {
    Finding {
        name: check.name,
        holds: check.holds,
        detail: check.detail.clone(),
    }
}

fn totals(facts: &AuditFacts) -> Totals {
    let open = || facts.payouts.iter().filter(|payout| payout.paid.is_none());
    Totals {
        accounts: facts.accounts.len(),
        accounts_sum: facts.accounts.iter().map(|account| account.balance).sum(),
        paid_in: facts.paid_in,
        paid_out: facts.paid_out,
        payouts_open: open().count(),
        payouts_open_sum: open().map(|payout| payout.amount).sum(),
        coins_outstanding: facts.coins_outstanding,
        recouped: facts.recouped,
        recovered_unassigned: facts.recovered_unassigned,
    }
}

fn denominations(keys: &[MintKeyFacts]) -> Vec<Denomination> {
    let mut sums: BTreeMap<i128, Denomination> = BTreeMap::new();
    for key in keys {
        let sum = sums.entry(key.denomination).or_default();
        sum.denomination = key.denomination;
        sum.signed += key.issued;
        sum.returned += key.returned;
        sum.recouped += key.recouped;
        sum.outstanding += key.issued - key.returned;
    }
    sums.into_values().collect()
}
