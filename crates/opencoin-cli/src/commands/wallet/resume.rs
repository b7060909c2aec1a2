//! `opencoin wallet resume`: finishing what was begun.

use anyhow::Result;
use clap::Args;
use opencoin_terminal::output;
use opencoin_wallet::account::StoredSession;
use serde_json::json;

use super::counted;
use super::session::Session;
use crate::token_args::TokenArgs;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    token: TokenArgs,
}

impl Session {
    pub(super) async fn resume(&mut self, Arguments { token }: &Arguments) -> Result<()> {
        if let Some(token) = token.given()? {
            self.wallet.use_token(token);
        }
        match StoredSession::read(&self.dir) {
            Ok(Some(session)) => self.wallet.use_session(session),
            Ok(None) => {}
            // Not fatal, because some requests need no session.
            Err(error) => output::complain(&format!("note: the session cannot be read: {error}")),
        }
        let done = self.wallet.resume().await?;
        let lines = [format!("finished {}", counted(done.value, "request"))];
        self.output.show(json!({ "finished": done.value }), lines)?;
        done.warning.map_or(Ok(()), |error| Err(error.into()))
    }
}
