//! `opencoin log status`.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use chrono::DateTime;
use opencoin_ledger::{LogHead, PublishedCheckpoint};
use opencoin_log::log_block::LogBlock;
use opencoin_log::policy::PolicyWitness;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_terminal::output::OutputArgs;
use serde_json::{Value, json};

use super::{log_key, open};
use crate::dir_args::DirArgs;

pub(super) async fn show(dir: DirArgs, output: OutputArgs) -> Result<()> {
    let (_, currency, books) = open(dir).await?;
    let block = currency.log().context("the currency has a log")?;
    let head = books
        .log
        .head()
        .await?
        .context("the log was not begun; start the server")?;
    let pending = books.log.pending().await?;
    let (published, joint) = (books.log.published().await?, books.log.joint().await?);
    let mut lines = vec![
        format!("log {}", block.origin()),
        format!("key {}", log_key(block)),
        format!("leaves: {}", head.size),
        format!("batches: {}", head.batch.get() - 1),
        format!("waiting for the next batch: {} coins and blinds", pending.coins),
    ];
    if let Some(reason) = &head.halted {
        lines.push(format!("HALTED: {reason}"));
    }
    if let Some(batch) = head.recovered_to {
        lines.push(format!(
            "recovered from a copy up to batch {}: `opencoin log recovered` shows the money",
            batch.get()
        ));
    }
    let witnesses = witnesses(block, &head, published.as_ref(), &mut lines)?;
    let auditors = auditors(block, published.as_ref(), joint.as_ref(), &mut lines)?;
    output.show(
        json!({
            "key": log_key(block),
            "origin": block.origin().to_string(),
            "size": head.size,
            "batches": head.batch.get() - 1,
            "waiting": pending.coins,
            "published": published.map(|published| published.size),
            "witnesses": witnesses,
            "joint": joint.filter(|_| block.joint().is_some()).map(|joint| joint.size),
            "auditors": auditors,
            "halted": head.halted,
            "recovered_to": head.recovered_to.map(opencoin_ledger::LogBatchNo::get),
        }),
        lines,
    )
}

/// What is published, and who has cosigned it.
fn witnesses(
    block: &LogBlock,
    head: &LogHead,
    published: Option<&PublishedCheckpoint>,
    lines: &mut Vec<String>,
) -> Result<Vec<Value>> {
    let Some(published) = published else {
        lines.push("nothing is published yet: it takes a server and a quorum of the witnesses, which must know the key above".to_owned());
        return Ok(Vec::new());
    };
    let signed: SignedCheckpoint = published.note.parse().context("the published checkpoint")?;
    lines.push(format!("published: {} leaves", published.size));
    if head.size > published.size {
        let missing = head.size - published.size;
        lines.push(format!(
            "not published yet: {missing} leaves, for want of a quorum or for a moment"
        ));
    }
    let policy = block.policy();
    let (counted, auditors) = (policy.names_in_quorum(), block.auditors());
    let is_witness = |name: &str| counted.contains(name) || !auditors.contains(name);
    let witnesses: Vec<&PolicyWitness> = policy
        .witnesses()
        .iter()
        .filter(|witness| is_witness(&witness.name))
        .collect();
    let cosigned = witnesses
        .iter()
        .map(|witness| signature(witness, &signed, lines))
        .collect();
    lines.push(match policy.verify_checkpoint(&signed, None) {
        Ok(_) if witnesses.is_empty() => "the log has no witnesses".to_owned(),
        Ok(_) => "the quorum is reached".to_owned(),
        Err(error) => error.to_string(),
    });
    Ok(cosigned)
}

/// What the auditors have signed jointly.
fn auditors(
    block: &LogBlock,
    published: Option<&PublishedCheckpoint>,
    joint: Option<&PublishedCheckpoint>,
    lines: &mut Vec<String>,
) -> Result<Vec<Value>> {
    let names: BTreeSet<&str> = block.auditors();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let Some(joint) = joint else {
        lines.push(format!(
            "signed jointly: nothing yet; the {} auditors replay what is published",
            names.len()
        ));
        return Ok(Vec::new());
    };
    let signed: SignedCheckpoint = joint.note.parse().context("the joint checkpoint")?;
    let behind = published.map_or(0, |published| published.size.saturating_sub(joint.size));
    lines.push(match behind {
        0 => format!("signed jointly: {} leaves", joint.size),
        behind => format!(
            "signed jointly: {} leaves; the auditors have {behind} more to replay, or do not agree",
            joint.size
        ),
    });
    let auditors = block.policy().witnesses().iter();
    let signatures = auditors
        .filter(|auditor| names.contains(auditor.name.as_str()))
        .map(|auditor| signature(auditor, &signed, lines))
        .collect();
    if let Err(error) = block.verify_joint(&signed, None) {
        lines.push(format!("of the auditors that are named now: {error}"));
    }
    Ok(signatures)
}

/// Whether and when a witness or auditor has signed.
fn signature(witness: &PolicyWitness, signed: &SignedCheckpoint, lines: &mut Vec<String>) -> Value {
    let PolicyWitness { name, key, .. } = witness;
    let note = signed.note();
    let line = note.signatures().iter().find(|line| line.names(key));
    let time =
        line.and_then(|line| opencoin_log::cosignature::verify(key, note.text(), &line.signature).ok());
    let said = time.map_or("has not cosigned it".to_owned(), |time| {
        let date = i64::try_from(time)
            .ok()
            .and_then(|time| DateTime::from_timestamp(time, 0));
        date.map_or("has cosigned it".to_owned(), |date| {
            format!("cosigned it at {date}")
        })
    });
    lines.push(format!("  {name} ({}): {said}", key.name()));
    json!({ "witness": name, "name": key.name().to_string(), "time": time })
}
