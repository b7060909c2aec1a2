//! `opencoin issuer keys`, `issuer import` and `issuer cdd`: the keys and certificates of a currency, over
//! the years.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, Timelike, Utc};
use clap::{Args, Subcommand};
use opencoin_config::{Config, KeyConfig};
use opencoin_issuer::{Operator, StoreMode};
use opencoin_keys::{
    CddChange, Change, Clock, Directory, Due, KeyEntry, KeyManager, KeyState, OpenVault, Passphrase,
    SignedCertificates, Step, SystemClock, Vault, change_passphrase,
};
use opencoin_ledger::StopReason;
use opencoin_schema::{BigInt, from_json};
use opencoin_terminal::output::OutputArgs;
use opencoin_terminal::progress::ProgressBar;
use opencoin_terminal::secret_args;
use opencoin_terminal::secret_args::{KeySecretArgs, MasterSecretArgs};
use opencoin_text::{AmountText, printable};
use rand::rngs::OsRng;
use serde_json::json;

use super::Purpose;
use crate::confirmation::confirm;
use crate::currency_unit::CurrencyUnit;
use crate::dir_args::DirArgs;
use crate::failure;
use crate::key_store::KeySecret;

/// The fewest characters of an id that name a key.
const ID_CHARS_MIN: usize = 6;
/// chrono counts the nanoseconds of a leap second from here on.
const NANOSECONDS_PER_SECOND: u32 = 1_000_000_000;

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
    /// All values of coins, as the currency shows them, for example `0.01,0.02,0.05`. Coins of values that are
    /// left out are taken back as long as they live.
    #[arg(long, value_delimiter = ',')]
    denominations: Option<Vec<AmountText>>,
    /// How long the description holds, for example 2030-12-31T00:00:00Z.
    #[arg(long, value_parser = parse_expiry)]
    expiry: Option<DateTime<Utc>>,
    /// Free text for holders.
    #[arg(long, value_name = "TEXT")]
    info: Option<String>,
    #[command(flatten)]
    secrets: KeySecretArgs,
    #[command(flatten)]
    master: MasterSecretArgs,
}

/// Reads the moment as documents carry it, which know no leap second.
fn parse_expiry(text: &str) -> Result<DateTime<Utc>, String> {
    let moment: DateTime<Utc> = text.parse().map_err(|error| format!("{error}"))?;
    if moment.nanosecond() >= NANOSECONDS_PER_SECOND {
        return Err(
            "second 60 does not exist in the documents of a currency; take 59, or the next minute".to_owned(),
        );
    }
    Ok(moment)
}

pub(crate) async fn run(command: KeysCommand, output: OutputArgs) -> Result<()> {
    match command {
        KeysCommand::Plan(arguments) => plan(arguments, output).await,
        KeysCommand::List(arguments) => list(arguments, output).await,
        KeysCommand::Rotate(arguments) => rotate(arguments, output).await,
        KeysCommand::Revoke(arguments) => revoke(arguments, output).await,
        KeysCommand::Destroy(arguments) => destroy(arguments, output).await,
        KeysCommand::Passphrase(arguments) => passphrase(&arguments, output),
    }
}

/// A currency and all that its manager needs.
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

    fn unit(&self) -> Result<CurrencyUnit> {
        super::unit(&self.directory)
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

async fn plan(arguments: LookArguments, output: OutputArgs) -> Result<()> {
    let open = Open::new(arguments.dir, Purpose::Look, |config| {
        KeySecret::to_look(config, &arguments.secrets)
    })
    .await?;
    let (steps, now, unit) = (open.manager.plan().await?, SystemClock.now(), open.unit()?);
    let value = |step: &Step| {
        let (what, id, denomination) = named(&step.what);
        json!({ "at": step.at.to_rfc3339(), "due": step.at <= now, "what": what, "mint_key": id, "denomination": denomination })
    };
    let line = |step: &Step| {
        let when = if step.at <= now {
            "now".to_owned()
        } else {
            date(step.at)
        };
        let text = match &step.what {
            Due::MakeKey { denomination, window } => {
                let (coin, begins) = (unit.show(*denomination), date(window.sign_not_before));
                format!("make a key for coins of {coin}, to sign from {begins} (`keys rotate`)")
            }
            Due::DestroyKey { id, denomination } => {
                let coin = unit.show(*denomination);
                format!("destroy the private half of {id}, coins of {coin} (`keys destroy`)")
            }
            Due::Prune { id, denomination } => {
                format!("prune {id}, coins of {} (`prune`)", unit.show(*denomination))
            }
            Due::ChangeCdd => "sign a description with a later expiry (`cdd change --expiry ...`)".to_owned(),
        };
        format!("{when:<23}  {text}")
    };
    output.show(steps.iter().map(value).collect(), steps.iter().map(line))
}

fn named(due: &Due) -> (&'static str, Option<String>, Option<u64>) {
    match due {
        Due::MakeKey { denomination, .. } => ("make key", None, Some(*denomination)),
        Due::DestroyKey { id, denomination } => ("destroy key", Some(id.to_string()), Some(*denomination)),
        Due::Prune { id, denomination } => ("prune", Some(id.to_string()), Some(*denomination)),
        Due::ChangeCdd => ("change cdd", None, None),
    }
}

async fn list(arguments: LookArguments, output: OutputArgs) -> Result<()> {
    let open = Open::new(arguments.dir, Purpose::Look, |config| {
        KeySecret::to_look(config, &arguments.secrets)
    })
    .await?;
    let (entries, unit) = (open.manager.list().await?, open.unit()?);
    let mut lines: Vec<String> = entries
        .iter()
        .flat_map(|entry| entry_lines(entry, &unit))
        .collect();
    lines.extend(
        open.manager
            .uncertified()
            .await?
            .iter()
            .map(|id| format!("{id}  no certificate, and none is asked for (`keys destroy --uncertified`)")),
    );
    output.show(entries.iter().map(entry_json).collect(), lines)
}

fn entry_lines(entry: &KeyEntry, unit: &CurrencyUnit) -> Vec<String> {
    let KeyEntry {
        id,
        denomination,
        window,
        ..
    } = entry;
    let [issued, returned, recouped] = figures(entry);
    let (coin, state) = (unit.show(*denomination), state_name(entry.state));
    let private = if entry.has_private {
        "private half here"
    } else {
        "no private half"
    };
    let mut lines = vec![
        format!("{id}  coins of {coin}  {state}  {private}"),
        format!(
            "  signs {} to {}, coins until {}",
            date(window.sign_not_before),
            date(window.sign_not_after),
            date(window.coins_expiry)
        ),
        format!(
            "  signed {issued}, come back {returned}, outstanding {}, recouped {recouped}",
            issued - returned
        ),
    ];
    let stopped = entry.status.as_ref().and_then(|status| status.stopped.as_ref());
    lines.extend(stopped.map(|reason| format!("  REVOKED: {}", printable(reason.as_str()))));
    lines
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

async fn rotate(arguments: RotateArguments, output: OutputArgs) -> Result<()> {
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
    tell(&open, &change, output)
}

pub(crate) async fn cdd(command: CddCommand, output: OutputArgs) -> Result<()> {
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
    let unit = open.unit()?;
    let in_units = |values: Vec<AmountText>| values.iter().map(|value| unit.read(value)).collect();
    let denominations = denominations.map(in_units).transpose()?;
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
    tell(&open, &change, output)
}

fn tell(open: &Open, change: &Change, output: OutputArgs) -> Result<()> {
    match change {
        Change::Nothing => output.show(
            json!({ "result": "nothing" }),
            ["nothing is due; `opencoin issuer keys plan` says what will be"],
        ),
        Change::Waits(request) => {
            let (file, fingerprint) = (open.directory.pending_file(), request.fingerprint());
            output.show(
                json!({ "result": "waits", "file": file, "fingerprint": fingerprint }),
                [
                    format!("{} waits for the master key", file.display()),
                    format!("fingerprint of the request: {fingerprint}"),
                    "sign it with `opencoin master sign`, then `opencoin issuer import FILE`".to_owned(),
                ],
            )
        }
        Change::Done(certificates) => {
            let (unit, serial) = (
                open.unit()?,
                certificates.cddc.as_ref().map(|cddc| cddc.cdd.cdd_serial),
            );
            let keys = certificates.mkcs.iter().map(|mkc| &mkc.mint_key);
            let described =
                serial.map(|serial| format!("the description of the currency has serial {serial} now"));
            let lines = keys.clone().map(|key| {
                let (coin, begins) = (
                    unit.show(key.denomination),
                    date(key.sign_coins_not_before.to_utc()),
                );
                format!("{}  coins of {coin}  signs from {begins}", key.id)
            });
            let made = keys.map(|key| json!({ "id": key.id.to_string(), "denomination": key.denomination }));
            output.show(
                json!({ "result": "done", "cdd_serial": serial, "mint_keys": made.collect::<Vec<_>>() }),
                described.into_iter().chain(lines),
            )
        }
    }
}

pub(crate) async fn import(arguments: ImportArguments, output: OutputArgs) -> Result<()> {
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
    let (cdd, keys) = (currency.current().cdd(), currency.mint_keys().count());
    let mut lines = vec![if imported {
        let (name, serial) = (printable(&cdd.currency_name), cdd.cdd_serial);
        format!("imported: {name} has serial {serial} and {keys} mint keys")
    } else {
        "these were imported before: nothing changed".to_owned()
    }];
    if imported && is_first {
        lines.push(format!("its id is {}", cdd.id));
        lines.push(format!(
            "next: opencoin issuer serve --dir {}",
            directory.root().display()
        ));
    }
    let id = cdd.id.to_string();
    output.show(
        json!({ "imported": imported, "id": id, "cdd_serial": cdd.cdd_serial, "mint_keys": keys }),
        lines,
    )
}

/// The first certificates decide whose currency it is for good, so somebody must say that they are the right
/// master key's.
fn confirm_master_key(id: &BigInt, expected: Option<&BigInt>) -> Result<()> {
    match expected {
        Some(expected) if expected == id => Ok(()),
        Some(expected) => {
            bail!("nothing was imported: the certificates are of the currency {id}, not of {expected}")
        }
        None => {
            let question = format!(
                "These certificates are of the currency {id}. Has `opencoin master create` shown this id?"
            );
            let instead = format!(
                "name the id that `opencoin master create` has shown with --id; these certificates say {id}"
            );
            ensure!(confirm(&question, &instead)?, "nothing was imported");
            Ok(())
        }
    }
}

async fn revoke(arguments: RevokeArguments, output: OutputArgs) -> Result<()> {
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
    let coin = CurrencyUnit::of(currency.current().cdd()).show(denomination);
    let lines = if changed {
        vec![
            format!(
                "revoked mint key {id}, coins of {coin}: nothing is signed with it any more, and none of its coins come back"
            ),
            "holders get fresh coins with `opencoin wallet recoup`; they need a key of this denomination that signs:"
                .to_owned(),
            "next: opencoin issuer keys rotate, then opencoin issuer keys destroy".to_owned(),
        ]
    } else {
        vec![format!("mint key {id} was revoked before: nothing changed")]
    };
    output.show(json!({ "mint_key": id.to_string(), "changed": changed }), lines)
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
            let text = format!(
                "no mint key has the id {wanted}; `opencoin issuer keys list` shows them ({ID_CHARS_MIN} characters will do)"
            );
            Err(failure::not_found(text))
        }
    }
}

async fn destroy(arguments: DestroyArguments, output: OutputArgs) -> Result<()> {
    let open = Open::new(arguments.dir, Purpose::Change, |config| {
        KeySecret::read(config, &arguments.secrets)
    })
    .await?;
    if arguments.uncertified {
        let ids = open.manager.destroy_uncertified().await?;
        let mut lines: Vec<String> = ids
            .iter()
            .map(|id| format!("destroyed {id}, which had no certificate"))
            .collect();
        lines.push(format!(
            "{} private halves without a certificate are gone",
            ids.len()
        ));
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        return output.show(json!({ "uncertified": ids }), lines);
    }
    let (unit, mut all) = (open.unit()?, Vec::new());
    let result = open.manager.destroy(&mut |key| all.push(key)).await;
    let mut lines: Vec<String> = all
        .iter()
        .map(|key| {
            let (id, kept, coin) = (&key.id, key.transactions_kept, unit.show(key.denomination));
            format!(
                "destroyed the private half of {id}, coins of {coin}; kept the signatures of {kept} requests"
            )
        })
        .collect();
    if all.is_empty() && result.is_ok() {
        lines.push("nothing to destroy; `opencoin issuer keys plan` says when there will be".to_owned());
    }
    let value = all.iter().map(|key| {
        json!({ "id": key.id.to_string(), "denomination": key.denomination, "transactions_kept": key.transactions_kept })
    });
    output.show(json!({ "destroyed": value.collect::<Vec<_>>() }), lines)?;
    Ok(result?)
}

fn passphrase(arguments: &PassphraseArguments, output: OutputArgs) -> Result<()> {
    let directory = arguments.dir.directory()?;
    let (folder, old) = (
        key_folder(&directory, &directory.config()?)?,
        arguments.secrets.passphrase()?,
    );
    let _lock = directory.lock()?;
    let new = secret_args::replacement(arguments.new_passphrase_file.as_deref())?;
    let changed = change_passphrase(&folder, &old, &new, &mut OsRng)?;
    let said = format!("{changed} private keys have the new passphrase; restart what has the old one");
    output.show(json!({ "changed": changed }), [said])
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
    fn an_expiry_is_a_second_that_documents_can_carry() {
        assert!(parse_expiry("2040-06-30T23:59:59Z").is_ok());
        assert!(parse_expiry("2040-06-30T23:59:59.999999999+02:00").is_ok());
        assert!(
            parse_expiry("2040-06-30T23:59:60Z")
                .unwrap_err()
                .contains("second 60")
        );
        assert!(
            parse_expiry("2040-06-30T23:59:60.5Z")
                .unwrap_err()
                .contains("second 60")
        );
        assert!(parse_expiry("tomorrow").is_err());
    }

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
