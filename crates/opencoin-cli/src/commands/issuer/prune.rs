//! `opencoin issuer prune`: drops the spent coins of mint keys whose coins have expired.
//!
//! Each key is marked in a transaction of its own, and its coins are then deleted in portions, beside a server that
//! goes on. After a failure at one key the others are pruned and were printed; the next call goes on with the rest.

use anyhow::{Context, Result};
use clap::Args;
use opencoin_issuer::PrunedMintKey;
use opencoin_terminal::output::{self, OutputArgs};
use serde::Serialize;

use super::books;
use crate::dir_args::DirArgs;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    dir: DirArgs,
}

pub(crate) async fn run(arguments: Arguments, output: OutputArgs) -> Result<()> {
    let (operator, directory) = books::open(arguments.dir).await?;
    let unit = super::unit(&directory)?;
    let rows_left = operator
        .finish_prunes()
        .await
        .context("what an interrupted prune has left was not deleted")?;
    if rows_left > 0 && !output.json {
        output::line(&format!("rows of an interrupted prune dropped {rows_left}"))?;
    }
    let keys = operator.prunable_mint_keys().await?;
    let mut findings = Vec::with_capacity(keys.len());
    for key in &keys {
        let pruned = operator
            .prune(key)
            .await
            .with_context(|| format!("{:?} was not pruned", key.id))?;
        if output.json {
            findings.push(Finding::from(pruned));
        } else {
            let coin = unit.show(pruned.denomination.units());
            let PrunedMintKey {
                id,
                denomination: _,
                rows_dropped,
                coins_outstanding,
            } = pruned;
            let fate = format!("rows dropped {rows_dropped}, coins that never come back {coins_outstanding}");
            output::line(&format!("{id:?}, coins of {coin}: {fate}"))?;
        }
    }
    if output.json {
        output::json(&serde_json::json!({ "pruned": findings }))?;
    } else if keys.is_empty() {
        output::line("nothing to prune: there is no unpruned mint key whose coins have expired")?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Finding {
    mint_key: String,
    denomination: u64,
    rows_dropped: u64,
    coins_outstanding: u64,
}

impl From<PrunedMintKey> for Finding {
    fn from(pruned: PrunedMintKey) -> Self {
        let PrunedMintKey {
            id,
            denomination,
            rows_dropped,
            coins_outstanding,
        } = pruned;
        Self {
            mint_key: id.to_string(),
            denomination: denomination.units(),
            rows_dropped,
            coins_outstanding,
        }
    }
}
