//! `opencoin wallet restore`: the coins and keys of a lost wallet, from its backup phrase.

use anyhow::{Context, Result};
use clap::Args;
use opencoin_terminal::output;
use opencoin_terminal::progress::ProgressBar;
use opencoin_terminal::secret_args::PhraseArgs;
use opencoin_text::{IssuerUrl, printable};
use opencoin_wallet::{Phrase, RestoreProgress, Restored, RestoredKeys};
use serde_json::{Value, json};

use super::counted;
use super::session::{Session, unit};
use crate::network_args::warn_if_exposed;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The URLs of the issuers.
    #[arg(required = true)]
    urls: Vec<IssuerUrl>,
    #[command(flatten)]
    phrase: PhraseArgs,
    /// Encrypt the new wallet with a passphrase.
    #[arg(long)]
    pub(super) encrypt: bool,
}

impl Session {
    pub(super) async fn restore(&mut self, arguments: &Arguments) -> Result<()> {
        let words = arguments.phrase.read()?;
        let phrase: Phrase = words.text().parse().context("this is not a backup phrase")?;
        self.wallet.use_phrase(&phrase)?;
        let (mut all, mut lines, mut failed) = (Vec::new(), Vec::new(), None);
        for url in &arguments.urls {
            warn_if_exposed(url, "change the documents of the issuer");
            let added = self.wallet.add(url.as_str()).await?;
            let restored = self.restore_one(&added.currency).await?;
            let keys = self.wallet.restore_keys(Some(&added.currency)).await;
            let keys = keys.unwrap_or_else(|error| {
                failed.get_or_insert(error);
                RestoredKeys::default()
            });
            let chosen = self.wallet.balance_of(Some(&added.currency))?;
            let show = |units| unit(&chosen).show(units);
            lines.push(format!(
                "restored {} of {}: {} coins of {} requests; the wallet holds {}",
                show(restored.value),
                printable(&chosen.name),
                restored.coins,
                restored.requests,
                show(chosen.balance)
            ));
            if !keys.keys.is_empty() {
                lines.push(format!(
                    "  found {} with {}; `opencoin key list{}` shows them",
                    counted(keys.keys.len(), "key account"),
                    show(keys.balance),
                    self.flag
                ));
            }
            for (count, what) in [
                (
                    restored.waiting,
                    "requests wait for the issuer; restore again later",
                ),
                (
                    restored.revoked,
                    "requests have coins of revoked mint keys, which are not restored",
                ),
                (
                    restored.unknown as u64,
                    "signatures are of mint keys that the issuer no longer names",
                ),
            ] {
                if count > 0 {
                    lines.push(format!("  {count} {what}"));
                }
            }
            all.push(json!({
                "amount": restored.value,
                "balance": chosen.balance,
                "coins": restored.coins,
                "currency": chosen.name,
                "id": chosen.currency,
                "key_balance": keys.balance,
                "keys": keys.keys.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "requests": restored.requests,
                "revoked": restored.revoked,
                "unknown": restored.unknown,
                "waiting": restored.waiting,
            }));
        }
        self.output.show(Value::Array(all), lines)?;
        match failed {
            Some(error) => Err(error).context(
                "the coins are restored, but key accounts could not be looked for; restore again later",
            ),
            None => Ok(()),
        }
    }

    async fn restore_one(&mut self, currency: &str) -> Result<Restored> {
        let (mut found, mut bar) = (0, None::<ProgressBar>);
        let mut progress = |progress| match progress {
            RestoreProgress::Asking { found: now, .. } => {
                if now / 100 > found / 100 {
                    output::complain(&format!("found {now} requests"));
                }
                found = now;
            }
            RestoreProgress::Renewing { tried, all } => bar
                .get_or_insert_with(|| ProgressBar::new("renewing coins"))
                .set(tried, all),
        };
        let restored = self.wallet.restore(Some(currency), &mut progress).await;
        drop(bar);
        Ok(restored?)
    }
}
