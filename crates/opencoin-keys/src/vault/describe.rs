//! Describes a signing request in plain words to the person who signs it.

use chrono::{DateTime, Utc};
use opencoin_schema::{WeightedUrl, text};
use opencoin_text::printable;

use super::{Vault, VaultError, cdds, check, last_cdd, mkcs, signed_mkc};
use crate::limits::{DIVISOR_MAX, check_denominations, check_name};
use crate::signing_request::{CddDraft, MintKeyDraft, SignedCertificates, SigningRequest, fingerprint};

impl Vault {
    /// The requested documents in plain words, as lines of text. Problems are lines that begin with `WARNING`. The
    /// content of the request cannot add lines or control the terminal.
    ///
    /// # Errors
    /// When the record of signed documents cannot be read.
    pub fn describe(&self, request: &SigningRequest, now: DateTime<Utc>) -> Result<Vec<String>, VaultError> {
        let past = self.past()?;
        let mut lines = Vec::new();
        match last_cdd(&past) {
            Some(cdd) => {
                let name = printable(&cdd.currency_name);
                lines.push(format!(
                    "Currency {name}, for which this machine has signed {} times.",
                    past.len()
                ));
            }
            None => lines.push("The first documents that this machine signs with this key.".to_owned()),
        }
        let current = request.current.as_ref().map(|cddc| CddDraft::of(&cddc.cdd));
        if let Some(cdd) = &request.cdd {
            let before = current.or_else(|| last_cdd(&past));
            lines.extend(describe_cdd(cdd, before.as_ref()));
        } else if let Some(CddDraft { cdd_serial, .. }) = current {
            let line = format!("The description of the currency (CDD), serial {cdd_serial}, stays as it is.");
            lines.push(line);
        }
        if request.mint_keys.is_empty() {
            lines.push("No mint keys.".to_owned());
        }
        for draft in &request.mint_keys {
            lines.extend(describe_mint_key(draft, &past, now));
        }
        let unusable = request.cdd.iter().flat_map(|cdd| unusable(cdd, now));
        let warnings = unusable.chain(disagreements(request, &past));
        lines.extend(warnings.map(|warning| format!("WARNING: {warning}")));
        if let Err(error) = check(request, &past, now) {
            lines.push(format!("WARNING: it cannot be signed: {error}"));
        }
        lines.push(format!("Fingerprint of the request: {}", request.fingerprint()));
        Ok(lines)
    }
}

/// Reasons why wallets cannot use a CDD. The master key can still sign it, because only the operator knows its
/// purpose.
fn unusable(cdd: &CddDraft, now: DateTime<Utc>) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Err(reason) = check_name(&cdd.currency_name) {
        reasons.push(format!("the name {reason}"));
    }
    if !(1..=DIVISOR_MAX).contains(&cdd.currency_divisor) {
        reasons.push(format!("the divisor must be a number from 1 to {DIVISOR_MAX}"));
    }
    if let Err(reason) = check_denominations(&cdd.denominations) {
        reasons.push(format!("the denominations {reason}"));
    }
    if cdd.cdd_expiry_date.to_utc() <= now {
        reasons.push("it has expired already; is the clock of this machine right?".to_owned());
    }
    reasons
}

/// Differences between the request and the record of this machine.
fn disagreements(request: &SigningRequest, past: &[SignedCertificates]) -> Vec<String> {
    let mut warnings = Vec::new();
    let Some(last) = last_cdd(past) else {
        if request.current.is_some() {
            let warning =
                "this machine has no record of what was signed before; is this the newest copy of the vault?";
            warnings.push(warning.to_owned());
        }
        return warnings;
    };
    let (current, last) = (
        request.current.as_ref().map_or(0, |cddc| cddc.cdd.cdd_serial),
        last.cdd_serial,
    );
    if current > last {
        warnings.push(format!(
            "the current description has serial {current}, but this machine has signed only up to {last}; is this the newest copy of the vault?"
        ));
    }
    let next = request.cdd.as_ref();
    let is_repeated = next.is_some_and(|next| cdds(past).any(|signed| signed == *next));
    if current < last && !is_repeated {
        warnings.push(format!(
            "this machine has signed a description with serial {last}, but the request says that {current} is the current one. Sign this \
             only if {last} was given up and never published, and its certificates are destroyed"
        ));
    }
    warnings
}

fn describe_cdd(next: &CddDraft, last: Option<&CddDraft>) -> Vec<String> {
    let mut lines = vec!["A description of the currency (CDD):".to_owned()];
    let before = last.map(rows);
    for (index, (name, value)) in rows(next).into_iter().enumerate() {
        let was = before
            .as_ref()
            .map(|before| &before[index].1)
            .filter(|was| **was != value);
        let change = was.map_or_else(String::new, |was| format!("   (CHANGED, was {was})"));
        lines.push(printable(&format!("  {name}: {value}{change}")));
    }
    lines
}

/// The fields of a CDD, with names for the operator.
fn rows(cdd: &CddDraft) -> Vec<(&'static str, String)> {
    let urls = |services: &[WeightedUrl]| {
        services
            .iter()
            .map(|service| service.1.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    vec![
        ("name", cdd.currency_name.clone()),
        ("serial", cdd.cdd_serial.to_string()),
        ("divisor", cdd.currency_divisor.to_string()),
        ("denominations", format!("{:?}", cdd.denominations)),
        ("cipher suite", cdd.issuer_cipher_suite.clone()),
        ("signing date", date(cdd.cdd_signing_date.to_utc())),
        ("valid until", date(cdd.cdd_expiry_date.to_utc())),
        ("location", cdd.cdd_location.clone()),
        ("info service", urls(&cdd.info_service)),
        ("mint service", urls(&cdd.mint_service)),
        ("renew service", urls(&cdd.renew_service)),
        ("redeem service", urls(&cdd.redeem_service)),
        ("additional info", cdd.additional_info.clone()),
        ("protocol version", cdd.protocol_version.clone()),
    ]
}

fn describe_mint_key(draft: &MintKeyDraft, past: &[SignedCertificates], now: DateTime<Utc>) -> Vec<String> {
    let [begins, ends, expires] = [
        draft.sign_coins_not_before,
        draft.sign_coins_not_after,
        draft.coins_expiry_date,
    ]
    .map(|moment| moment.to_utc());
    let bits = draft.public_mint_key.modulus.bits();
    let mut lines = vec![
        format!(
            "Mint key for coins of {}, {bits} bits, id {}:",
            draft.denomination,
            draft.id()
        ),
        format!(
            "  signs from {} to {}, coins are taken until {}",
            date(begins),
            date(ends),
            date(expires)
        ),
        format!(
            "  fingerprint {}",
            fingerprint(&text::compact(&draft.public_mint_key))
        ),
    ];
    let same_denomination = mkcs(past).filter(|mkc| mkc.mint_key.denomination == draft.denomination);
    let last_end = same_denomination
        .map(|mkc| mkc.mint_key.sign_coins_not_after.to_utc())
        .max();
    lines.push(last_end.map_or_else(
        || "  the first one of this denomination".to_owned(),
        |end| format!("  the last one of this denomination signs until {}", date(end)),
    ));
    if ends < now {
        lines.push("WARNING: its time is over already; is the clock of this machine right?".to_owned());
    }
    if signed_mkc(past, draft).is_some() {
        lines.push("  signed before: the answer has the same certificate again".to_owned());
    }
    lines
}

fn date(moment: DateTime<Utc>) -> String {
    moment.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
