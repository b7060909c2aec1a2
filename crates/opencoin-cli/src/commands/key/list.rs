//! `opencoin key list`.

use anyhow::Result;
use clap::Args;
use opencoin_text::printable;
use opencoin_wallet::KeyInfo;
use serde_json::{Value, json};

use super::{KeySession, unit_of};
use crate::dates::utc;

#[derive(Debug, Args)]
pub(super) struct Arguments {}

impl KeySession {
    pub(super) fn list(&self, Arguments {}: &Arguments) -> Result<()> {
        let session = &self.session;
        let keys = session.wallet.keys(session.currency.as_deref())?;
        let values: Vec<Value> = keys.iter().map(to_json).collect();
        if keys.is_empty() {
            let lines = [format!("no keys; `opencoin key new{}` makes one", session.flag)];
            return session.output.show(values.into(), lines);
        }
        session.output.show(
            values.into(),
            keys.iter().flat_map(|info| lines(info, &session.flag)),
        )
    }
}

fn to_json(info: &KeyInfo) -> Value {
    json!({
        "balance": info.proven.as_ref().map(|proven| proven.balance),
        "covered": info.is_covered,
        "currency": info.name,
        "id": info.currency,
        "introduced": info.is_open,
        "key": info.key.to_string(),
        "made_at": info.made_at,
        "proven_at": info.proven.as_ref().map(|proven| proven.time),
    })
}

fn lines(info: &KeyInfo, flag: &str) -> Vec<String> {
    let mut lines = vec![info.key.to_string()];
    lines.push(match &info.proven {
        _ if !info.is_open => format!(
            "  {}: not introduced; `opencoin key introduce --key {}{flag}`",
            printable(&info.name),
            &info.key.to_string()[..SHORT_DIGITS]
        ),
        Some(proven) if proven.exists => format!(
            "  {}, as the log has proven on {}",
            unit_of(info).show(proven.balance),
            utc(proven.time)
        ),
        Some(_) | None => format!(
            "  {}: introduced; `opencoin key show{flag}` looks for it in the log",
            printable(&info.name)
        ),
    });
    if !info.is_covered {
        lines.push("  the backup phrase does not restore it; pay what it holds to a new key".to_owned());
    }
    lines
}

/// As many digits of a key as name it among a few.
const SHORT_DIGITS: usize = 8;
