//! `opencoin wallet receipts`: what was paid and received in live transfers, with proofs.

use std::path::PathBuf;

use anyhow::{Context, Result};
use chrono::DateTime;
use clap::Args;
use opencoin_text::AmountDisplay;
use opencoin_transfer::machine::receiver::ReceiverState;
use opencoin_transfer::machine::sender::SenderState;
use opencoin_transfer::receipt::Receipt;
use opencoin_transfer_client::StoredRecord;
use serde_json::{Value, json};

use super::new_file::NewFile;
use super::quoted;
use super::session::Session;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Write all receipts to this new file, as JSON. They contain no coins and may be shown to anybody.
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
}

/// A receipt, and which side of it this wallet is.
struct Kept {
    receipt: Receipt,
    is_payer: bool,
    subject: String,
}

impl Session {
    pub(super) fn receipts(&self, Arguments { export }: &Arguments) -> Result<()> {
        let kept = self.kept_receipts()?;
        if let Some(path) = export {
            let receipts: Vec<&Receipt> = kept.iter().map(|kept| &kept.receipt).collect();
            let create = || format!("cannot create {}", path.display());
            let file = NewFile::create(path).with_context(create)?;
            file.finish(serde_json::to_string_pretty(&receipts)?.as_bytes())
                .with_context(create)?;
            let lines = [format!(
                "wrote {} to {}",
                super::counted(kept.len(), "receipt"),
                path.display()
            )];
            return self
                .output
                .show(json!({ "file": path, "receipts": kept.len() }), lines);
        }
        let values: Value = kept.iter().map(Kept::value).collect();
        let lines: Vec<String> = kept.iter().map(|kept| self.line(kept)).collect();
        self.output.show(values, lines)
    }

    fn kept_receipts(&self) -> Result<Vec<Kept>> {
        let mut transfers = self.wallet.transfers();
        transfers.extend(self.wallet.ended_transfers()?);
        let records = transfers
            .iter()
            .filter_map(|transfer| StoredRecord::read(&transfer.id, &transfer.record).ok());
        let mut kept: Vec<Kept> = records.filter_map(Kept::of).collect();
        kept.sort_by_key(|kept| kept.receipt.paid.time);
        Ok(kept)
    }

    fn line(&self, kept: &Kept) -> String {
        let paid = &kept.receipt.paid;
        let at = i64::try_from(paid.time)
            .ok()
            .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
            .map_or_else(String::new, |at| at.format("%Y-%m-%d %H:%M:%S").to_string());
        let issuer = paid.issuer_id.to_string();
        let amount = self.wallet.balance_of(Some(&issuer)).map_or_else(
            |_| paid.amount.to_string(),
            |balance| AmountDisplay::new(paid.amount, balance.divisor, &balance.name).to_string(),
        );
        let what = if kept.is_payer { "paid" } else { "received" };
        let subject = match kept.subject.as_str() {
            "" => String::new(),
            subject => format!("  {}", quoted(subject)),
        };
        format!("{at}  {what:<8} {amount}  {}{subject}", paid.transfer)
    }
}

impl Kept {
    fn of(record: StoredRecord) -> Option<Self> {
        match record {
            StoredRecord::Sender(entry) => match entry.record.state {
                SenderState::Delivered { receipt, .. } => Some(Self {
                    receipt,
                    is_payer: true,
                    subject: entry.record.subject,
                }),
                _ => None,
            },
            StoredRecord::Receiver { record } => match record.state {
                ReceiverState::Paid { receipt, .. } => Some(Self {
                    receipt,
                    is_payer: false,
                    subject: record.offer.map(|offer| offer.subject).unwrap_or_default(),
                }),
                _ => None,
            },
            StoredRecord::Till(_) => None,
        }
    }

    fn value(&self) -> Value {
        let side = if self.is_payer { "paid" } else { "received" };
        json!({ "side": side, "subject": self.subject, "receipt": self.receipt })
    }
}
