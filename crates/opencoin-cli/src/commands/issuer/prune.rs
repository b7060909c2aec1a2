//! `opencoin issuer prune`: deletes the spent coins of mint keys whose coins have expired.
//!
//! Marks each key in a transaction of its own and then deletes its coins in portions, while the server runs. After a
//! failure the keys before it are pruned and were printed; the next call continues with the others.

use anyhow::{Context, Result};
use clap::Args;
use opencoin_issuer::PrunedMintKey;
use opencoin_terminal::output::{self, OutputArgs};
use serde_json::json;

use super::books;
use crate::dir_args::DirArgs;
use crate::operator_args::OperatorArgs;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    by: OperatorArgs,
    #[command(flatten)]
    dir: DirArgs,
}

pub(crate) async fn run(arguments: Arguments, output: OutputArgs) -> Result<()> {
    let (operator, directory) = books::open(arguments.dir, arguments.by).await?;
    let unit = super::unit(&directory)?;
    let rows_left = operator
        .finish_prunes()
        .await
        .context("the rows that an interrupted prune has left were not deleted")?;
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
        let PrunedMintKey {
            id,
            denomination,
            rows_dropped,
            coins_outstanding,
        } = pruned;
        if output.json {
            findings.push(json!({
                "mint_key": id.to_string(),
                "denomination": denomination.units(),
                "rows_dropped": rows_dropped,
                "coins_outstanding": coins_outstanding,
            }));
        } else {
            let coin = unit.show(denomination.units());
            output::line(&format!(
                "{id:?}, coins of {coin}: rows dropped {rows_dropped}, coins that never come back {coins_outstanding}"
            ))?;
        }
    }
    if output.json {
        output::json(&json!({ "pruned": findings }))?;
    } else if keys.is_empty() {
        output::line("nothing to prune: there is no unpruned mint key whose coins have expired")?;
    }
    Ok(())
}
