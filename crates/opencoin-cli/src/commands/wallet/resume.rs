//! `opencoin wallet resume`: finishing what was begun.

use anyhow::Result;
use clap::Args;
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
        self.use_stored_session().await;
        let done = self.wallet.resume().await?;
        let settled = self.settle_transfers().await;
        let lines = [format!("finished {}", counted(done.value, "request"))];
        self.output.show(json!({ "finished": done.value }), lines)?;
        match done.warning {
            Some(error) => Err(error.into()),
            None => settled,
        }
    }
}
