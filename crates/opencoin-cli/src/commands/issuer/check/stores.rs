//! Checks the books, private keys, the signer and the clock.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use opencoin_crypto::{KeyStore, LanesState, choose_lanes};
use opencoin_issuer::{OpenedBooks, StoreMode, books_layout, database_protection, open_books, schema_state};
use opencoin_keys::{Clock, Currency, SystemClock};
use opencoin_ledger::{Ledger, LedgerError, LedgerTime, MintKeyId, MintKeyStatus, SchemaState};

use super::{Report, Subject};
use crate::dates::utc;
use crate::{key_store, signer_link};

/// The time limit for the connection to the signer.
const SIGNER_DURATION_MAX: Duration = Duration::from_secs(5);
/// The largest accepted difference between the clocks of the database and of this machine.
const CLOCK_DIFFERENCE_MAX_S: i64 = 5;

/// Checks that the books can be read, and that their tables have a version that this program supports.
pub(super) async fn books(subject: &Subject<'_>, report: &mut Report) -> Option<OpenedBooks> {
    let (database, root) = (&subject.config.database, subject.directory.root());
    let opened = match open_books(database, root, StoreMode::Reading).await {
        Ok(opened) => opened,
        Err(error @ LedgerError::SchemaOlder { .. }) => {
            report.failed("schema", format!("{error} (--dir {})", root.display()));
            return None;
        }
        Err(error @ LedgerError::SchemaUnknown(_)) => {
            report.failed("schema", error.to_string());
            return None;
        }
        Err(error) => {
            report.failed("books", format!("{error}; check `database` in the settings"));
            return None;
        }
    };
    match opened.books.ledger.mint_keys().await {
        Ok(keys) => report.ok(
            "books",
            format!("they can be read and know {} mint keys", keys.len()),
        ),
        Err(error) => report.failed("books", error.to_string()),
    }
    match database_protection(database, root).await {
        Ok(None) => {}
        Ok(Some(protection)) if protection.is_enough() => {
            report.ok("database", format!("it is reached {protection}"));
        }
        Ok(Some(protection)) => report.warn(
            "database",
            format!(
                "it is reached {protection}: others may read or change the data; use sslmode=verify-full"
            ),
        ),
        Err(error) => report.failed("database", error.to_string()),
    }
    match books_layout(database, root).await {
        Ok(None) => {}
        Ok(Some(layout)) => report.ok("tables", layout.to_string()),
        Err(error) => report.failed("tables", error.to_string()),
    }
    match schema_state(database, root).await {
        Ok(state) => schema(&state, report),
        Err(error) => report.failed("schema", error.to_string()),
    }
    Some(opened)
}

fn schema(state: &SchemaState, report: &mut Report) {
    let (version, known) = (state.version.unwrap_or_default(), state.known);
    if version > known {
        report.warn(
            "schema",
            format!(
                "the tables have version {version}, this program has version {known}: it works, but update it soon"
            ),
        );
    } else {
        report.ok(
            "schema",
            format!("the tables have the version of this program, {version}"),
        );
    }
}

/// Reports whether this machine calculates RSA in lanes.
pub(super) fn lanes(subject: &Subject<'_>, report: &mut Report) {
    match choose_lanes(subject.config.signer.lanes.into()) {
        LanesState::Used => report.ok("lanes", "eight RSA operations at once, with AVX-512 IFMA; the self-test passed"),
        LanesState::Off => report.ok("lanes", "off: AWS-LC computes all RSA operations one by one (signer.lanes)"),
        LanesState::NotOnThisCpu => report.ok(
            "lanes",
            "not on this CPU, which has no AVX-512 IFMA: AWS-LC computes all RSA operations one by one",
        ),
        LanesState::SelfTestFailed => report.failed(
            "lanes",
            "their results differ from those of AWS-LC, which therefore computes everything: test this machine's CPU and memory",
        ),
    }
}

/// Checks the private mint keys, or the connection to the signer process.
pub(super) async fn keys(
    subject: &Subject<'_>,
    currency: Option<&Currency>,
    ledger: Option<&dyn Ledger>,
    report: &mut Report,
) {
    let Some(currency) = currency else { return };
    if let Some(address) = &subject.config.signer.process {
        let remote = match signer_link::remote(subject.directory, address, currency) {
            Ok(remote) => remote,
            Err(error) => return report.failed("signer", format!("{error:#}")),
        };
        return match tokio::time::timeout(SIGNER_DURATION_MAX, remote.connected()).await {
            Ok(()) => report.ok("signer", "it answers"),
            Err(_) => report.failed(
                "signer",
                "it does not answer: start `opencoin signer`; the logs of both processes have details",
            ),
        };
    }
    let store = match key_store::open(subject.directory, subject.config, subject.secrets) {
        Ok(store) => store,
        Err(error) => return report.failed("keys", format!("{error:#}")),
    };
    let statuses = match ledger {
        Some(ledger) => ledger.mint_keys().await.unwrap_or_default(),
        None => Vec::new(),
    };
    match opened(store.as_ref(), currency, &statuses) {
        Ok(count) => report.ok("keys", format!("{count} private mint keys can be opened")),
        Err(error) => report.failed("keys", error),
    }
}

/// Opens the private keys and returns their number. Fails if a needed one is missing.
fn opened(store: &dyn KeyStore, currency: &Currency, statuses: &[MintKeyStatus]) -> Result<usize, String> {
    let there = store.ids().map_err(|error| error.to_string())?;
    let missing = currency
        .mint_keys()
        .filter(|key| key_store::is_needed(currency, key, statuses))
        .map(|key| &key.verified.mint_key().id);
    if let Some(missing) = missing.into_iter().find(|id| !there.contains(id)) {
        return Err(format!(
            "the private half of mint key {missing} is missing: restore it from your backup"
        ));
    }
    store.signer().map_err(|error| error.to_string())?;
    Ok(there.len())
}

/// Checks that every denomination has a key that signs now.
pub(super) async fn windows(currency: Option<&Currency>, ledger: Option<&dyn Ledger>, report: &mut Report) {
    let (Some(currency), Some(ledger)) = (currency, ledger) else {
        return;
    };
    let Ok(statuses) = ledger.mint_keys().await else {
        return;
    };
    let now = SystemClock.now();
    let is_out = |status: &&MintKeyStatus| status.stopped.is_some() || status.retired;
    let left_out = currency
        .mint_keys()
        .filter(|key| currency.is_left_out(key, &statuses, now));
    let out: BTreeSet<MintKeyId> = statuses
        .iter()
        .filter(is_out)
        .map(|status| status.id)
        .chain(left_out.map(|key| key.ledger_id))
        .collect();
    let current = currency.current_mint_keys(now, &out);
    let denominations: BTreeSet<u64> = current
        .iter()
        .map(|key| key.verified.mint_key().denomination)
        .collect();
    let all: BTreeSet<u64> = currency.current().cdd().denominations.iter().copied().collect();
    let uncovered: Vec<String> = all.difference(&denominations).map(u64::to_string).collect();
    let end = current
        .iter()
        .map(|key| key.verified.mint_key().sign_coins_not_after.to_utc())
        .min();
    match end.filter(|_| uncovered.is_empty()) {
        Some(end) => report.ok(
            "signing windows",
            format!(
                "every denomination has a key that signs, at least until {}",
                utc(end)
            ),
        ),
        None => report.failed(
            "signing windows",
            format!(
                "no key signs now for {}: run `opencoin issuer keys rotate`, or correct the clock",
                uncovered.join(", ")
            ),
        ),
    }
}

/// Warns of mint keys that only a server enters in the books, because the currency has a public log.
pub(super) async fn waiting_keys(
    currency: Option<&Currency>,
    ledger: Option<&dyn Ledger>,
    report: &mut Report,
) {
    let (Some(currency), Some(ledger)) = (currency, ledger) else {
        return;
    };
    let Ok(statuses) = ledger.mint_keys().await else {
        return;
    };
    let now = SystemClock.now();
    let deadlines: Vec<DateTime<Utc>> = currency
        .mint_keys()
        .filter_map(|key| currency.waits_until(key, &statuses, now))
        .collect();
    if let Some(first) = deadlines.iter().min() {
        report.warn(
            "new mint keys",
            format!(
                "{} wait for a server to enter them in the books, which must run by {}: later they are never used",
                deadlines.len(),
                utc(*first)
            ),
        );
    }
}

/// Checks that this machine's clock is plausible.
pub(super) async fn clock(currency: Option<&Currency>, ledger: Option<&dyn Ledger>, report: &mut Report) {
    let now = SystemClock.now();
    let shown = utc(now);
    let moments = match ledger {
        Some(ledger) => ledger.moments().await.unwrap_or_default(),
        None => opencoin_ledger::Moments::default(),
    };
    let known = [
        (
            "the description of the currency was signed",
            currency.map(|currency| currency.current().cdd().cdd_signing_date.to_utc()),
        ),
        (
            "the last entry of the books was made",
            moments.last_applied.and_then(moment),
        ),
    ];
    let later = known.into_iter().find_map(|(what, at)| {
        at.filter(|at| *at > now)
            .map(|at| format!("{what} at {}", utc(at)))
    });
    if let Some(later) = later {
        return report.failed(
            "clock",
            format!("it is {shown} here, but {later}: correct the clock first"),
        );
    }
    let Some(database_now) = moments.database_now.and_then(moment) else {
        return report.ok(
            "clock",
            format!("it is {shown}, later than all certificates and entries"),
        );
    };
    let difference_s = (database_now - now).num_seconds();
    if difference_s.abs() > CLOCK_DIFFERENCE_MAX_S {
        report.warn(
            "clock",
            format!("the database's clock differs by {difference_s} s: synchronise both with NTP"),
        );
    } else {
        report.ok(
            "clock",
            format!(
                "it is {shown}, later than all certificates and entries, and the database's clock agrees"
            ),
        );
    }
}

fn moment(time: LedgerTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(time.unix_micros())
}
