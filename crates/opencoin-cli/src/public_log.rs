//! Opens the public log of a currency for a server.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use opencoin_config::Config;
use opencoin_issuer::log::{IssuerLog, LogOptions, Rhythm};
use opencoin_keys::{Currency, Directory, LogKeys, SystemClock};
use opencoin_ledger::{HistoryId, LogStore};
use opencoin_log::log_block::LogBlock;
use opencoin_terminal::secret_args::{KeySecretArgs, LogSecretArgs};
use rand::rngs::OsRng;

/// The log that the CDD of a currency names; `None` if it names none.
pub(crate) fn open(
    directory: &Directory,
    config: &Config,
    currency: &Currency,
    store: Arc<dyn LogStore>,
    history: HistoryId,
    secrets: (&LogSecretArgs, &KeySecretArgs),
) -> Result<Option<IssuerLog>> {
    let Some(block) = currency.log() else {
        return Ok(None);
    };
    let folder = directory.log_folder();
    let options = LogOptions {
        keys: keys(directory, block, secrets)?,
        block: block.clone(),
        rhythm: rhythm(config),
        folder: &folder,
        history,
    };
    Ok(Some(IssuerLog::new(
        options,
        store,
        Arc::new(SystemClock),
        &mut OsRng,
    )?))
}

/// The keys of the log that a description names.
pub(crate) fn keys(
    directory: &Directory,
    block: &LogBlock,
    (log, keys): (&LogSecretArgs, &KeySecretArgs),
) -> Result<LogKeys> {
    let folder = directory.log_folder();
    if !LogKeys::are_in(&folder) {
        bail!(
            "the description of the currency names a public log, but its keys are not in {}: restore them from your backup",
            folder.display()
        );
    }
    let keys = LogKeys::open(&folder, block.origin(), &log.passphrase(keys)?)
        .context("cannot open the keys of the public log")?;
    if keys.promise.verifier() != block.promise_key() {
        bail!(
            "the keys in {} are not those of the log that the description of the currency names",
            folder.display()
        );
    }
    Ok(keys)
}

fn rhythm(config: &Config) -> Rhythm {
    let settings = &config.public_log;
    let duration = |span: opencoin_config::Span| span.get().to_std().expect("a span is not negative");
    Rhythm {
        every: duration(settings.every),
        leaves_min: settings.leaves_min,
        latest: duration(settings.latest),
    }
}
