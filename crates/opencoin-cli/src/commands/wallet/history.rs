//! `opencoin wallet history`: what the wallet has done.

use anyhow::Result;
use clap::Args;
use opencoin_text::printable;
use serde_json::json;

use super::quoted;
use super::session::Session;

#[derive(Debug, Args)]
pub(super) struct Arguments {}

impl Session {
    pub(super) fn history(&self, Arguments {}: &Arguments) -> Result<()> {
        let entries = self.wallet.history()?;
        let value = entries.iter().map(|entry| {
            json!({
                "id": entry.id,
                "at": entry.at,
                "kind": entry.kind,
                "amount": entry.amount.units(),
                "currency": entry.currency,
                "subject": entry.subject,
                "state": entry.state,
            })
        });
        let lines = entries.iter().map(|entry| {
            let at = entry.at.format("%Y-%m-%d %H:%M:%S");
            let subject = match entry.subject.as_str() {
                "" => String::new(),
                subject => format!("  {}", quoted(subject)),
            };
            let (id, kind, amount, state) = (entry.id, &entry.kind, &entry.amount, printable(&entry.state));
            format!("{id:>4}  {at}  {kind:<8} {amount}  {state}{subject}")
        });
        self.output.show(value.collect(), lines)
    }
}
