//! `opencoin issuer keys`, `issuer import` and `issuer cdd`: the keys and certificates of a currency, over
//! the years.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use opencoin_config::{Config, KeyConfig};
use opencoin_issuer::{Operator, StoreMode};
use opencoin_keys::{
    CddChange, Change, Clock, Directory, Due, KeyEntry, KeyManager, KeyState, OpenVault, Passphrase,
    SignedCertificates, Step, SystemClock, Vault, change_passphrase,
};
use opencoin_ledger::StopReason;
use opencoin_schema::{BigInt, from_json};
use opencoin_text::AmountDisplay;
use rand::rngs::OsRng;
use serde_json::json;

use super::key_store::KeySecret;
use super::{DirArgs, Purpose};
use crate::commands::master;
use crate::progress::ProgressBar;
use crate::secret_args::{KeySecretArgs, MasterSecretArgs};
use crate::{output, secret_args};

/// The fewest characters of an id that name a key.
const ID_CHARS_MIN: usize = 6;

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Show what is due and when: keys to make, to destroy, to prune.
    Plan(LookArguments),
    /// Show each key's window, state, coins signed, come back, outstanding.
    List(LookArguments),
    /// Make the keys that are due. Where the master key is elsewhere, a request for it is left in
    /// `pending.json`.
    Rotate(RotateArguments),
    /// Stop a key at once and for good, in all processes: it signs nothing, and none of its coins come back
    /// but by recoup.
    Revoke(RevokeArguments),
    /// Destroy the private halves of keys past their resume window, and of revoked ones. It cannot be undone.
    Destroy(DestroyArguments),
    /// Encrypt all private mint keys with another passphrase; `opencoin master passphrase` is for the master
    /// key.
    Passphrase(PassphraseArguments),
}

#[derive(Debug, Subcommand)]
pub(crate) enum CddCommand {
    /// Publish the next description of the currency: another URL, other denominations, a later expiry.
    Change(CddChangeArguments),
}

#[derive(Debug, Args)]
pub(crate) struct LookArguments {
    #[command(flatten)]
    dir: DirArgs,
    #[command(flatten)]
    secrets: KeySecretArgs,
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RotateArguments {
    #[command(flatten)]
    dir: DirArgs,
    /// Make a key for every denomination, due or not, that signs from now on: after a theft.
    #[arg(long)]
    now: bool,
    #[command(flatten)]
    secrets: KeySecretArgs,
    #[command(flatten)]
    master: MasterSecretArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeArguments {
    /// The key's id, or its beginning.
    id: String,
    /// Why: for the books, and for everybody to read (`/v1/revocations`).
    #[arg(long)]
    reason: StopReason,
    #[command(flatten)]
    dir: DirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DestroyArguments {
    #[command(flatten)]
    dir: DirArgs,
    /// Instead, destroy private halves that have no certificate and wait for none.
    #[arg(long)]
    uncertified: bool,
    #[command(flatten)]
    secrets: KeySecretArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PassphraseArguments {
    #[command(flatten)]
    dir: DirArgs,
    #[command(flatten)]
    secrets: KeySecretArgs,
    /// A file that holds the new passphrase. Without it: `OPENCOIN_NEW_PASSPHRASE`, a systemd credential
    /// `opencoin-new-passphrase`, or a prompt.
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// What `opencoin master sign` wrote.
    certificates: PathBuf,
    /// The id of the currency as `opencoin master create` has shown it: the first import takes in no other.
    /// Without it you are asked.
    #[arg(long)]
    id: Option<BigInt>,
    #[command(flatten)]
    dir: DirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CddChangeArguments {
    #[command(flatten)]
    dir: DirArgs,
    /// Where wallets reach the issuer from now on.
    #[arg(long)]
    url: Option<String>,
    /// All values of coins, in the smallest unit. Coins of values that are left out are taken back as long as
    /// they live.
    #[arg(long, value_delimiter = ',')]
    denominations: Option<Vec<u64>>,
    /// How long the description holds, for example 2030-12-31T00:00:00Z.
    #[arg(long)]
    expiry: Option<DateTime<Utc>>,
    /// Free text for holders.
    #[arg(long, value_name = "TEXT")]
    info: Option<String>,
    #[command(flatten)]
    secrets: KeySecretArgs,
    #[command(flatten)]
    master: MasterSecretArgs,
}

pub(crate) async fn run(command: KeysCommand) -> Result<ExitCode> {
    match command {
        KeysCommand::Plan(arguments) => plan(arguments).await,
        KeysCommand::List(arguments) => list(arguments).await,
        KeysCommand::Rotate(arguments) => rotate(arguments).await,
        KeysCommand::Revoke(arguments) => revoke(arguments).await,
        KeysCommand::Destroy(arguments) => destroy(arguments).await,
        KeysCommand::Passphrase(arguments) => passphrase(&arguments),
    }
}

/// A currency and what its key manager needs.
struct Open {
    directory: Directory,
    manager: KeyManager,
}

impl Open {
    async fn new(
        dir: DirArgs,
        purpose: Purpose,
        secret: impl FnOnce(&Config) -> Result<KeySecret>,
    ) -> Result<Self> {
        let directory = dir.directory()?;
        let config = directory.config()?;
        let store = secret(&config)?.open(&directory, &config)?;
        let ledger = super::ledger(&directory, purpose).await?;
        let manager = KeyManager::new(directory.clone(), config, store, ledger, Arc::new(SystemClock));
        Ok(Self { directory, manager })
    }

    fn coin(&self, denomination: u64) -> Result<String> {
        let currency = self.directory.currency()?;
        let cdd = currency.current().cdd();
        Ok(AmountDisplay::new(denomination, cdd.currency_divisor, &cdd.currency_name).to_string())
    }
}

/// The master key of the folder, if it is there, with its passphrase.
struct Master {
    vault: Vault,
    passphrase: Passphrase,
}

impl Master {
    fn read(directory: &Directory, secret: &MasterSecretArgs, keys: &KeySecretArgs) -> Result<Option<Self>> {
        let vault = Vault::new(directory.master_folder());
        if !vault.has_key() {
            return Ok(None);
        }
        Ok(Some(Self {
            vault,
            passphrase: secret.passphrase(Some(keys))?,
        }))
    }

    fn open(master: Option<&Self>) -> Option<OpenVault<'_>> {
        master.map(|master| OpenVault {
            vault: &master.vault,
            passphrase: &master.passphrase,
        })
    }
}

async fn plan(arguments: LookArguments) -> Result<ExitCode> {
    let open = Open::new(arguments.dir, Purpose::Look, |config| {
        KeySecret::to_look(config, &arguments.secrets)
    })
    .await?;
    let (steps, now) = (open.manager.plan().await?, SystemClock.now());
    if arguments.json {
        let step = |step: &Step| {
            let (what, id, denomination) = named(&step.what);
            json!({ "at": step.at.to_rfc3339(), "due": step.at <= now, "what": what, "mint_key": id, "denomination": denomination })
        };
        output::json(&steps.iter().map(step).collect::<Vec<_>>())?;
        return Ok(ExitCode::SUCCESS);
    }
    for step in steps {
        let when = if step.at <= now {
            "now".to_owned()
        } else {
            date(step.at)
        };
        let text = match step.what {
            Due::MakeKey { denomination, window } => {
                let coin = open.coin(denomination)?;
                format!(
                    "make a key for coins of {coin}, to sign from {} (`keys rotate`)",
                    date(window.sign_not_before)
                )
            }
            Due::DestroyKey { id, denomination } => {
                format!(
                    "destroy the private half of {id}, coins of {} (`keys destroy`)",
                    open.coin(denomination)?
                )
            }
            Due::Prune { id, denomination } => {
                format!("prune {id}, coins of {} (`prune`)", open.coin(denomination)?)
            }
            Due::ChangeCdd => "sign a description with a later expiry (`cdd change --expiry ...`)".to_owned(),
        };
        output::line(&format!("{when:<23}  {text}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn named(due: &Due) -> (&'static str, Option<String>, Option<u64>) {
    match due {
        Due::MakeKey { denomination, .. } => ("make key", None, Some(*denomination)),
        Due::DestroyKey { id, denomination } => ("destroy key", Some(id.to_string()), Some(*denomination)),
        Due::Prune { id, denomination } => ("prune", Some(id.to_string()), Some(*denomination)),
        Due::ChangeCdd => ("change cdd", None, None),
    }
}

async fn list(arguments: LookArguments) -> Result<ExitCode> {
    let open = Open::new(arguments.dir, Purpose::Look, |config| {
        KeySecret::to_look(config, &arguments.secrets)
    })
    .await?;
    let entries = open.manager.list().await?;
    if arguments.json {
        output::json(&entries.iter().map(entry_json).collect::<Vec<_>>())?;
        return Ok(ExitCode::SUCCESS);
    }
    for entry in &entries {
        let KeyEntry {
            id,
            denomination,
            window,
            ..
        } = entry;
        let [issued, returned, recouped] = figures(entry);
        let coin = open.coin(*denomination)?;
        let private = if entry.has_private {
            "private half here"
        } else {
            "no private half"
        };
        output::line(&format!(
            "{id}  coins of {coin}  {}  {private}",
            state_name(entry.state)
        ))?;
        output::line(&format!(
            "  signs {} to {}, coins until {}",
            date(window.sign_not_before),
            date(window.sign_not_after),
            date(window.coins_expiry)
        ))?;
        output::line(&format!(
            "  signed {issued}, come back {returned}, outstanding {}, recouped {recouped}",
            issued - returned
        ))?;
        if let Some(reason) = entry.status.as_ref().and_then(|status| status.stopped.as_ref()) {
            output::line(&format!("  REVOKED: {}", reason.as_str()))?;
        }
    }
    for id in open.manager.uncertified().await? {
        output::line(&format!(
            "{id}  no certificate, and none is asked for (`keys destroy --uncertified`)"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn figures(entry: &KeyEntry) -> [u64; 3] {
    entry
        .status
        .as_ref()
        .map_or([0; 3], |status| [status.issued, status.returned, status.recouped])
}

fn entry_json(entry: &KeyEntry) -> serde_json::Value {
    let [issued, returned, recouped] = figures(entry);
    json!({
        "id": entry.id.to_string(),
        "denomination": entry.denomination,
        "state": state_name(entry.state),
        "sign_coins_not_before": entry.window.sign_not_before.to_rfc3339(),
        "sign_coins_not_after": entry.window.sign_not_after.to_rfc3339(),
        "coins_expiry_date": entry.window.coins_expiry.to_rfc3339(),
        "signed": issued,
        "returned": returned,
        "outstanding": issued - returned,
        "recouped": recouped,
        "revoked_reason": entry.status.as_ref().and_then(|status| status.stopped.as_ref()).map(StopReason::as_str),
        "private_half": entry.has_private,
    })
}

fn state_name(state: KeyState) -> &'static str {
    match state {
        KeyState::Future => "future",
        KeyState::Signing => "signing",
        KeyState::Accepting => "accepting",
        KeyState::Expired => "expired",
        KeyState::Revoked => "revoked",
    }
}

async fn rotate(arguments: RotateArguments) -> Result<ExitCode> {
    let open = Open::new(arguments.dir, Purpose::Change, |config| {
        KeySecret::read(config, &arguments.secrets)
    })
    .await?;
    let master = Master::read(&open.directory, &arguments.master, &arguments.secrets)?;
    let progress = ProgressBar::new("making keys");
    let mut hear = |done, total| progress.set(done, total);
    let change = open
        .manager
        .rotate(
            Master::open(master.as_ref()),
            arguments.now,
            &mut OsRng,
            &mut hear,
        )
        .await?;
    drop(progress);
    tell(&open, &change)
}

pub(crate) async fn cdd(command: CddCommand) -> Result<ExitCode> {
    let CddCommand::Change(arguments) = command;
    let open = Open::new(arguments.dir, Purpose::Change, |config| {
        KeySecret::read(config, &arguments.secrets)
    })
    .await?;
    let master = Master::read(&open.directory, &arguments.master, &arguments.secrets)?;
    let CddChangeArguments {
        url,
        denominations,
        expiry,
        info: additional_info,
        ..
    } = arguments;
    let change = CddChange {
        url,
        denominations,
        expiry,
        additional_info,
    };
    let progress = ProgressBar::new("making keys");
    let mut hear = |done, total| progress.set(done, total);
    let change = open
        .manager
        .change_cdd(change, Master::open(master.as_ref()), &mut OsRng, &mut hear)
        .await?;
    drop(progress);
    tell(&open, &change)
}

fn tell(open: &Open, change: &Change) -> Result<ExitCode> {
    match change {
        Change::Nothing => output::line("nothing is due; `opencoin issuer keys plan` says what will be")?,
        Change::Waits(request) => {
            let file = open.directory.pending_file();
            output::line(&format!("{} waits for the master key", file.display()))?;
            output::line(&format!("fingerprint of the request: {}", request.fingerprint()))?;
            output::line("sign it with `opencoin master sign`, then `opencoin issuer import FILE`")?;
        }
        Change::Done(certificates) => {
            if let Some(cddc) = &certificates.cddc {
                output::line(&format!(
                    "the description of the currency has serial {} now",
                    cddc.cdd.cdd_serial
                ))?;
            }
            for mkc in &certificates.mkcs {
                let mint_key = &mkc.mint_key;
                let begins = mint_key.sign_coins_not_before.to_utc();
                output::line(&format!(
                    "{}  coins of {}  signs from {}",
                    mint_key.id,
                    open.coin(mint_key.denomination)?,
                    date(begins)
                ))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn import(arguments: ImportArguments) -> Result<ExitCode> {
    let path = &arguments.certificates;
    let json = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let answer: SignedCertificates =
        from_json(&json).with_context(|| format!("{} holds no signed certificates", path.display()))?;
    let directory = arguments.dir.directory()?;
    let config = directory.config()?;
    let is_first = directory.currency().is_err();
    if is_first && let Some(cddc) = &answer.cddc {
        confirm_master_key(&cddc.cdd.id, arguments.id.as_ref())?;
    }
    let imported = directory.import(&answer, &directory.lock()?)?;
    let currency = directory.currency()?;
    // The books of a new currency are made with its first certificates, unless an import was interrupted
    // between the two.
    let ledger = super::books_to_change(&directory, &config, StoreMode::Create)
        .await?
        .ledger;
    opencoin_keys::register_mint_keys(&currency, ledger.as_ref(), &SystemClock).await?;
    if imported {
        let cdd = currency.current().cdd();
        output::line(&format!(
            "imported: {} has serial {} and {} mint keys",
            cdd.currency_name,
            cdd.cdd_serial,
            currency.mint_keys().count()
        ))?;
        if is_first {
            output::line(&format!("its id is {}", cdd.id))?;
            output::line(&format!(
                "next: opencoin issuer serve --dir {}",
                directory.root().display()
            ))?;
        }
    } else {
        output::line("these were imported before: nothing changed")?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The first certificates decide whose currency it is for good, so somebody must say that they are the right
/// master key's.
fn confirm_master_key(id: &BigInt, expected: Option<&BigInt>) -> Result<()> {
    match expected {
        Some(expected) if expected == id => Ok(()),
        Some(expected) => {
            bail!("nothing was imported: the certificates are of the currency {id}, not of {expected}")
        }
        None if !io::stdin().is_terminal() => {
            bail!(
                "nothing was imported: name the id that `opencoin master create` has shown with --id; these certificates say {id}"
            )
        }
        None => {
            output::line(&format!(
                "These certificates are of the currency {id}. Has `opencoin master create` shown this id?"
            ))?;
            ensure!(master::is_confirmed()?, "nothing was imported");
            Ok(())
        }
    }
}

async fn revoke(arguments: RevokeArguments) -> Result<ExitCode> {
    let directory = arguments.dir.directory()?;
    let currency = directory.currency()?;
    let key = key_meant(&arguments.id, currency.mint_keys(), |key| {
        key.verified.mint_key().id.to_string()
    })?;
    let (id, denomination) = (key.ledger_id, key.verified.mint_key().denomination);
    let operator = Operator::new(
        super::ledger(&directory, Purpose::Change).await?,
        Arc::new(SystemClock),
    );
    let changed = operator.revoke(id, arguments.reason).await?;
    let cdd = currency.current().cdd();
    let coin = AmountDisplay::new(denomination, cdd.currency_divisor, &cdd.currency_name);
    if !changed {
        output::line(&format!("mint key {id} was revoked before: nothing changed"))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::line(&format!(
        "revoked mint key {id}, coins of {coin}: nothing is signed with it any more, and none of its coins come back"
    ))?;
    output::line(
        "holders get fresh coins with `opencoin wallet recoup`; they need a key of this denomination that signs:",
    )?;
    output::line("next: opencoin issuer keys rotate, then opencoin issuer keys destroy")?;
    Ok(ExitCode::SUCCESS)
}

/// The one key with this id, or with an id that begins like this.
fn key_meant<K>(wanted: &str, keys: impl Iterator<Item = K>, id: impl Fn(&K) -> String) -> Result<K> {
    let wanted = wanted.to_ascii_lowercase();
    let is_meant = |key: &K| {
        let id = id(key);
        id == wanted || (wanted.len() >= ID_CHARS_MIN && id.starts_with(&wanted))
    };
    let mut meant = keys.filter(is_meant);
    match (meant.next(), meant.next()) {
        (Some(key), None) => Ok(key),
        (Some(_), Some(_)) => bail!("several mint keys begin with {wanted}; give more of the id"),
        (None, _) => {
            bail!(
                "no mint key has the id {wanted}; `opencoin issuer keys list` shows them ({ID_CHARS_MIN} characters will do)"
            )
        }
    }
}

async fn destroy(arguments: DestroyArguments) -> Result<ExitCode> {
    let open = Open::new(arguments.dir, Purpose::Change, |config| {
        KeySecret::read(config, &arguments.secrets)
    })
    .await?;
    if arguments.uncertified {
        let ids = open.manager.destroy_uncertified().await?;
        ids.iter()
            .try_for_each(|id| output::line(&format!("destroyed {id}, which had no certificate")))?;
        output::line(&format!(
            "{} private halves without a certificate are gone",
            ids.len()
        ))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut all = Vec::new();
    let result = open.manager.destroy(&mut |key| all.push(key)).await;
    for key in &all {
        let (id, kept) = (&key.id, key.transactions_kept);
        let coin = open.coin(key.denomination)?;
        output::line(&format!(
            "destroyed the private half of {id}, coins of {coin}; kept the signatures of {kept} requests"
        ))?;
    }
    result?;
    if all.is_empty() {
        output::line("nothing to destroy; `opencoin issuer keys plan` says when there will be")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn passphrase(arguments: &PassphraseArguments) -> Result<ExitCode> {
    let directory = arguments.dir.directory()?;
    let (folder, old) = (
        key_folder(&directory, &directory.config()?)?,
        arguments.secrets.passphrase()?,
    );
    let _lock = directory.lock()?;
    let new = secret_args::replacement(arguments.new_passphrase_file.as_deref())?;
    let changed = change_passphrase(&folder, &old, &new, &mut OsRng)?;
    output::line(&format!(
        "{changed} private keys have the new passphrase; restart what has the old one"
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn key_folder(directory: &Directory, config: &Config) -> Result<PathBuf> {
    match &config.keys {
        KeyConfig::Files { folder } => Ok(directory.root().join(folder)),
        KeyConfig::Token { label, .. } => {
            bail!("the keys are in the token {label:?}, which has a PIN and no passphrase")
        }
    }
}

fn date(moment: DateTime<Utc>) -> String {
    moment.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_named_by_its_id_or_by_enough_of_its_beginning() {
        let ids = ["abcdef01", "abcdef02", "1234567"];
        let meant = |wanted| {
            key_meant(wanted, ids.into_iter(), |id| (*id).to_owned()).map_err(|error| error.to_string())
        };
        assert_eq!(meant("abcdef02"), Ok("abcdef02"));
        assert_eq!(meant("ABCDEF01"), Ok("abcdef01"));
        assert_eq!(meant("123456"), Ok("1234567"));
        assert_eq!(
            meant("abcdef"),
            Err("several mint keys begin with abcdef; give more of the id".to_owned())
        );
        for unknown in ["", "a", "abcde", "bcdef0", "abcdef03", "abcdef011"] {
            let refused = meant(unknown).unwrap_err();
            assert!(
                refused.starts_with(&format!("no mint key has the id {unknown};")),
                "{refused}"
            );
        }
    }
}
