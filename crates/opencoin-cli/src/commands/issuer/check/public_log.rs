//! The checks of the public log: its keys, and what is published.

use opencoin_keys::Currency;
use opencoin_ledger::{LedgerError, LogStore};
use opencoin_log::log_block::LogBlock;
use opencoin_log::signed_checkpoint::SignedCheckpoint;
use opencoin_terminal::output;
use opencoin_terminal::secret_args::LogSecretArgs;

use super::{Report, Subject};
use crate::public_log;

/// Checks that the keys of the log can be opened and are those that the description of the currency names.
pub(super) fn keys(
    subject: &Subject<'_>,
    currency: Option<&Currency>,
    secret: &LogSecretArgs,
    report: &mut Report,
) {
    let Some(block) = currency.and_then(Currency::log) else {
        return;
    };
    match public_log::keys(subject.directory, block, (secret, subject.secrets)) {
        Ok(_) => report.ok(
            "log keys",
            "they can be opened, and the description of the currency names them",
        ),
        Err(error) => report.failed("log keys", output::error_text(&error)),
    }
}

/// Checks that the log goes on and that its witnesses cosign it.
pub(super) async fn state(currency: Option<&Currency>, log: Option<&dyn LogStore>, report: &mut Report) {
    let (Some(block), Some(log)) = (currency.and_then(Currency::log), log) else {
        return;
    };
    if let Err(error) = published(block, log, report).await {
        report.failed("public log", output::error_text(&error.into()));
    }
}

async fn published(block: &LogBlock, log: &dyn LogStore, report: &mut Report) -> Result<(), LedgerError> {
    const CHECK: &str = "public log";
    let Some(head) = log.head().await? else {
        report.failed(
            CHECK,
            "the books have no log, but the description of the currency names one",
        );
        return Ok(());
    };
    if let Some(reason) = head.halted {
        report.failed(CHECK, format!("it is halted, and nothing is accepted: {reason}"));
        return Ok(());
    }
    let Some(published) = log.published().await? else {
        report.ok(
            CHECK,
            "no checkpoint is published yet; a server does it when it starts",
        );
        return Ok(());
    };
    let signed: SignedCheckpoint = published
        .note
        .parse()
        .map_err(|error| LedgerError::corrupt("the published checkpoint", error))?;
    let size = published.size;
    let policy = block.policy();
    let named = policy.names_in_quorum().len();
    match policy.verify_checkpoint(&signed, None) {
        Ok(_) if named == 0 => report.warn(
            CHECK,
            format!(
                "{size} leaves are published, and no witness cosigns them: name witnesses that others run (docs/LOG.md)"
            ),
        ),
        Ok(_) => report.ok(
            CHECK,
            format!("{size} leaves are published, and a quorum of {named} witnesses has cosigned them"),
        ),
        Err(error) => report.warn(
            CHECK,
            format!("{size} leaves are published without a quorum of witnesses: {error}; `opencoin log status` shows them"),
        ),
    }
    signed_jointly(block, log, size, report).await
}

/// Checks that the auditors sign what is published.
async fn signed_jointly(
    block: &LogBlock,
    log: &dyn LogStore,
    published: u64,
    report: &mut Report,
) -> Result<(), LedgerError> {
    const CHECK: &str = "auditors";
    let named = block.auditors().len();
    if named == 0 {
        return Ok(());
    }
    let joint = log.joint().await?;
    let is_joint = |note: &str| {
        let signed = note.parse().ok();
        signed.is_some_and(|signed| block.verify_joint(&signed, None).is_ok())
    };
    match joint.filter(|joint| is_joint(&joint.note)) {
        Some(joint) if joint.size == published => report.ok(
            CHECK,
            format!("{named} auditors are named, and have signed jointly what is published"),
        ),
        Some(joint) => report.warn(
            CHECK,
            format!(
                "{named} auditors are named, and have signed jointly {} of {published} leaves: payments by key in the others are not final yet",
                joint.size
            ),
        ),
        None => report.warn(
            CHECK,
            format!("{named} auditors are named, and have signed nothing jointly: no payment by key is final"),
        ),
    }
    Ok(())
}
