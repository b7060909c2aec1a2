//! `opencoin wallet backup`: the words from which the coins can be restored.

use anyhow::Result;
use clap::Args;
use opencoin_terminal::output;
use opencoin_wallet::PHRASE_WORDS;
use serde_json::json;

use super::session::{Session, unit};
use crate::failure;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Make a new phrase and move the coins under it, because somebody has seen the old one. Restores from the old one
    /// find no coins afterwards.
    #[arg(long)]
    new: bool,
    /// The length of a new phrase.
    #[arg(long, value_name = "12|24", default_value_t = PHRASE_WORDS[0])]
    words: usize,
}

impl Session {
    pub(super) async fn backup(&mut self, arguments: &Arguments) -> Result<()> {
        if !PHRASE_WORDS.contains(&arguments.words) {
            return Err(failure::usage("a backup phrase has 12 or 24 words"));
        }
        let known = self.wallet.phrase().filter(|_| !arguments.new);
        let phrase = match known {
            Some(phrase) => phrase,
            None => self.wallet.new_phrase(arguments.words)?,
        };
        // The phrase is shown even if the coins cannot be moved now.
        let moved = self.wallet.move_under_phrase().await;
        let (words, urls) = (phrase.words(), self.wallet.currency_urls());
        let mut lines = vec![
            "The backup phrase. Write it on paper; whoever reads it can take the coins:".to_owned(),
            String::new(),
            format!("  {}", words.expose()),
            String::new(),
            "To restore the coins, you also need the URLs of the issuers:".to_owned(),
        ];
        lines.extend(urls.iter().map(|url| format!("  {url}")));
        let left: u64 = self
            .wallet
            .balances()
            .iter()
            .map(|balance| balance.without_phrase)
            .sum();
        self.output.show_once(
            json!({ "issuers": urls, "phrase": words.expose(), "uncovered": left }),
            lines,
        )?;
        moved?;
        for balance in self
            .wallet
            .balances()
            .iter()
            .filter(|balance| balance.without_phrase > 0)
        {
            output::complain(&format!(
                "note: {} cannot be restored from the phrase yet; run `opencoin wallet backup{}` again",
                unit(balance).show(balance.without_phrase),
                self.flag
            ));
        }
        let keys = self.wallet.keys(None)?;
        for key in keys.iter().filter(|key| !key.is_covered) {
            output::complain(&format!(
                "note: key {} is of an older phrase and cannot be restored from this one; pay what it holds to a new key",
                key.key
            ));
        }
        Ok(())
    }
}
