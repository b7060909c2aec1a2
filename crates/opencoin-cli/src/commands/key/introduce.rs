//! `opencoin key introduce`.

use anyhow::Result;
use clap::Args;
use opencoin_log::key_account::WORK_BITS;
use opencoin_terminal::progress::ProgressBar;
use serde_json::json;

use super::KeySession;

/// The progress bar is full after this many attempts. One in fifty introductions takes more.
const ATTEMPTS_SHOWN: usize = 4 << WORK_BITS;

#[derive(Debug, Args)]
pub(super) struct Arguments {}

impl KeySession {
    pub(super) async fn introduce(&mut self, Arguments {}: &Arguments) -> Result<()> {
        let info = self.chosen()?;
        let bar = ProgressBar::new("proof of work");
        let mut attempts = |done: u64| bar.set(usize::try_from(done).unwrap_or(usize::MAX), ATTEMPTS_SHOWN);
        let introduced = self.session.wallet.introduce_key(&info.key, &mut attempts).await;
        drop(bar);
        introduced?;
        let key = info.key.to_string();
        self.session.output.show(
            json!({ "currency": info.name, "id": info.currency, "key": key }),
            [format!("introduced {key}; it can be paid now")],
        )
    }
}
