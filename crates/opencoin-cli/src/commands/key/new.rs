//! `opencoin key new`.

use anyhow::Result;
use clap::Args;
use opencoin_terminal::output;
use opencoin_text::printable;
use serde_json::json;

use super::KeySession;

#[derive(Debug, Args)]
pub(super) struct Arguments {}

impl KeySession {
    pub(super) fn new_key(&mut self, Arguments {}: &Arguments) -> Result<()> {
        let session = &mut self.session;
        let info = session.wallet.new_key(session.currency.as_deref())?;
        let key = info.key.to_string();
        session.output.show(
            json!({ "currency": info.name, "id": info.currency, "key": key }),
            [&key],
        )?;
        if !session.output.json {
            output::complain(&format!(
                "a key for {}; `opencoin key introduce{}` opens its account",
                printable(&info.name),
                session.flag
            ));
        }
        Ok(())
    }
}
