//! `opencoin issuer keys`, `issuer import` and `issuer cdd`: maintain the keys and certificates of a currency.

mod documents;
mod give_up;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, bail, ensure};
use clap::{Args, Subcommand};
use opencoin_config::KeyConfig;
use opencoin_issuer::{Books, Operator};
use opencoin_keys::{
    Change, Clock, Directory, Due, KeyEntry, KeyManager, KeyState, LogKeys, OpenVault, Passphrase, Step,
    SystemClock, Vault, change_passphrase,
};
use opencoin_ledger::{ActionKind, StopReason};
use opencoin_schema::BigInt;
use opencoin_terminal::output::{OutputArgs, complain};
use opencoin_terminal::progress::ProgressBar;
use opencoin_terminal::secret_args::{self, KeySecretArgs, MasterSecretArgs};
use opencoin_text::printable;
use rand::rngs::OsRng;
use serde_json::json;

pub(crate) use documents::{CddCommand, ImportArguments, cdd, change_description, describe_quietly, import};

use self::give_up::GiveUpArguments;
use super::Purpose;
use crate::currency_unit::CurrencyUnit;
use crate::dates::utc;
use crate::dir_args::DirArgs;
use crate::failure;
use crate::key_store::KeySecret;
use crate::operator_args::OperatorArgs;

/// The shortest prefix of an id that is accepted in place of the id.
const ID_CHARS_MIN: usize = 6;

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Show what is due and when: keys to generate, to destroy and to prune.
    Plan(KeyStoreArgs),
    /// Show the window and state of each key, and its signed, returned and outstanding coins.
    List(KeyStoreArgs),
    /// Generate the keys that are due. If the master key is on another machine, write a request for it to
    /// `pending.json`.
    Rotate(RotateArguments),
    /// Give up the request that waits for the master key, because its certificates came too late or are not wanted any more.
    GiveUp(GiveUpArguments),
    /// Stop a key at once and permanently, in all processes: it signs nothing, and its coins are accepted by recoup
    /// only.
    Revoke(RevokeArguments),
    /// Destroy the private halves of keys past their resume window, and of revoked keys. This cannot be undone.
    Destroy(DestroyArguments),
    /// Encrypt all private mint keys with another passphrase. For the master key use `opencoin master passphrase`.
    Passphrase(PassphraseArguments),
}

/// A currency and the secret of its private mint keys.
#[derive(Debug, Args)]
pub(crate) struct KeyStoreArgs {
    #[command(flatten)]
    dir: DirArgs,
    #[command(flatten)]
    secrets: KeySecretArgs,
}

impl KeyStoreArgs {
    /// The folder of the currency.
    pub(super) fn directory(&self) -> Result<Directory> {
        self.dir.directory()
    }

    /// The secret.
    pub(super) fn secrets(&self) -> &KeySecretArgs {
        &self.secrets
    }
}

#[derive(Debug, Args)]
pub(crate) struct RotateArguments {
    /// Generate a key for every denomination, due or not, that signs from now on: for use after a theft.
    #[arg(long)]
    now: bool,
    #[command(flatten)]
    by: OperatorArgs,
    #[command(flatten)]
    store: KeyStoreArgs,
    #[command(flatten)]
    master: MasterSecretArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeArguments {
    /// The id of the key, or its first characters.
    id: String,
    /// The reason. It is published (`/v1/revocations`).
    #[arg(long)]
    reason: StopReason,
    #[command(flatten)]
    by: OperatorArgs,
    #[command(flatten)]
    dir: DirArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DestroyArguments {
    /// Instead, destroy private halves that have no certificate and no pending request for one.
    #[arg(long)]
    uncertified: bool,
    #[command(flatten)]
    by: OperatorArgs,
    #[command(flatten)]
    store: KeyStoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PassphraseArguments {
    #[command(flatten)]
    store: KeyStoreArgs,
    /// A file that holds the new passphrase. Without it: `OPENCOIN_NEW_PASSPHRASE`, a systemd credential
    /// `opencoin-new-passphrase`, or a prompt.
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
}

pub(crate) async fn run(command: KeysCommand, output: OutputArgs) -> Result<()> {
    match command {
        KeysCommand::Plan(arguments) => plan(&arguments, output).await,
        KeysCommand::List(arguments) => list(&arguments, output).await,
        KeysCommand::Rotate(arguments) => rotate(arguments, output).await,
        KeysCommand::GiveUp(arguments) => give_up::give_up(arguments, output).await,
        KeysCommand::Revoke(arguments) => revoke(arguments, output).await,
        KeysCommand::Destroy(arguments) => destroy(arguments, output).await,
        KeysCommand::Passphrase(arguments) => passphrase(&arguments, output),
    }
}

/// A currency with the manager of its keys.
struct Open {
    directory: Directory,
    manager: KeyManager,
    books: Books,
}

impl Open {
    async fn new(arguments: &KeyStoreArgs, purpose: Purpose) -> Result<Self> {
        let KeyStoreArgs { dir, secrets } = arguments;
        let directory = dir.directory()?;
        let config = directory.config()?;
        let secret = match purpose {
            Purpose::Look => KeySecret::to_list(&config, secrets)?,
            Purpose::Change => KeySecret::read(&config, secrets)?,
        };
        let store = secret.open(&directory, &config)?;
        let books = super::books(&directory, purpose).await?;
        let (ledger, clock) = (Arc::clone(&books.ledger), Arc::new(SystemClock));
        let manager = KeyManager::new(directory.clone(), config, store, ledger, clock);
        Ok(Self {
            directory,
            manager,
            books,
        })
    }

    /// Records what was done to the keys.
    async fn record(&self, by: OperatorArgs, kind: ActionKind, detail: &str) -> Result<()> {
        let operator = Operator::new(self.books.clone(), Arc::new(SystemClock), by.name());
        Ok(operator.record(kind, "mint keys", Some(detail)).await?)
    }

    /// Records that keys or a description were made, or wait for the master key.
    async fn record_change(&self, by: OperatorArgs, kind: ActionKind, change: &Change) -> Result<()> {
        let operator = Operator::new(self.books.clone(), Arc::new(SystemClock), by.name());
        Ok(operator.record_change(kind, change).await?)
    }

    fn unit(&self) -> Result<CurrencyUnit> {
        super::unit(&self.directory)
    }
}

/// A master key in the folder of the currency, with its passphrase.
struct Master {
    vault: Vault,
    passphrase: Passphrase,
}

impl Master {
    /// Returns `None` if the master key is on another machine.
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

    fn open(&self) -> OpenVault<'_> {
        OpenVault {
            vault: &self.vault,
            passphrase: &self.passphrase,
        }
    }
}

async fn plan(arguments: &KeyStoreArgs, output: OutputArgs) -> Result<()> {
    let open = Open::new(arguments, Purpose::Look).await?;
    let (steps, now, unit) = (open.manager.plan().await?, SystemClock.now(), open.unit()?);
    let value = |step: &Step| {
        let (what, id, denomination) = due_fields(&step.what);
        json!({ "at": step.at.to_rfc3339(), "due": step.at <= now, "what": what, "mint_key": id, "denomination": denomination })
    };
    let line = |step: &Step| {
        let when = if step.at <= now {
            "now".to_owned()
        } else {
            utc(step.at)
        };
        let text = match &step.what {
            Due::MakeKey { denomination, window } => {
                let (coin, begins) = (unit.show(*denomination), utc(window.sign_not_before));
                format!("generate a key for coins of {coin}, to sign from {begins} (`keys rotate`)")
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

/// The kind, the id and the denomination, for JSON.
fn due_fields(due: &Due) -> (&'static str, Option<String>, Option<u64>) {
    match due {
        Due::MakeKey { denomination, .. } => ("make key", None, Some(*denomination)),
        Due::DestroyKey { id, denomination } => ("destroy key", Some(id.to_string()), Some(*denomination)),
        Due::Prune { id, denomination } => ("prune", Some(id.to_string()), Some(*denomination)),
        Due::ChangeCdd => ("change cdd", None, None),
    }
}

async fn list(arguments: &KeyStoreArgs, output: OutputArgs) -> Result<()> {
    let open = Open::new(arguments, Purpose::Look).await?;
    let (entries, unit) = (open.manager.list().await?, open.unit()?);
    let uncertified = open.manager.uncertified().await?;
    let uncertified = uncertified
        .iter()
        .map(|id| format!("{id}  no certificate, and none is requested (`keys destroy --uncertified`)"));
    let certified = entries.iter().flat_map(|entry| entry_lines(entry, &unit));
    output.show(
        entries.iter().map(entry_json).collect(),
        certified.chain(uncertified),
    )
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
            utc(window.sign_not_before),
            utc(window.sign_not_after),
            utc(window.coins_expiry)
        ),
        format!(
            "  signed {issued}, returned {returned}, outstanding {}, recouped {recouped}",
            issued - returned
        ),
    ];
    let waits = entry.waits_until.map(documents::must_serve_by);
    lines.extend(waits.map(|line| format!("  {line}")));
    lines.extend(stop_reason(entry).map(|reason| format!("  REVOKED: {}", printable(reason))));
    lines
}

fn stop_reason(entry: &KeyEntry) -> Option<&str> {
    Some(entry.status.as_ref()?.stopped.as_ref()?.as_str())
}

/// Signed, returned and recouped coins.
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
        "revoked_reason": stop_reason(entry),
        "private_half": entry.has_private,
        "waits_until": entry.waits_until,
    })
}

fn state_name(state: KeyState) -> &'static str {
    match state {
        KeyState::Future => "future",
        KeyState::Signing => "signing",
        KeyState::Accepting => "accepting",
        KeyState::Expired => "expired",
        KeyState::Revoked => "revoked",
        KeyState::Late => "late",
    }
}

async fn rotate(arguments: RotateArguments, output: OutputArgs) -> Result<()> {
    let RotateArguments {
        now,
        by,
        store,
        master,
    } = arguments;
    let open = Open::new(&store, Purpose::Change).await?;
    let master = Master::read(&open.directory, &master, &store.secrets)?;
    let vault = master.as_ref().map(Master::open);
    let progress = ProgressBar::new("generating keys");
    let mut report = |done, total| progress.set(done, total);
    let change = open.manager.rotate(vault, now, &mut OsRng, &mut report).await?;
    drop(progress);
    open.record_change(by, ActionKind::RotateKeys, &change).await?;
    show_change(&open, &change, output)
}

fn show_change(open: &Open, change: &Change, output: OutputArgs) -> Result<()> {
    match change {
        Change::Nothing => output.show(
            json!({ "result": "nothing" }),
            ["nothing is due; `opencoin issuer keys plan` shows what will be due"],
        ),
        Change::Waits(request) => {
            let (file, fingerprint) = (open.directory.pending_file(), request.fingerprint());
            let import_by = open.directory.import_deadline(request)?;
            let mut lines = vec![
                format!("{} waits for the master key", file.display()),
                format!("fingerprint of the request: {fingerprint}"),
                "sign it with `opencoin master sign`, then `opencoin issuer import FILE`".to_owned(),
            ];
            if let Some(by) = import_by {
                lines.push(format!(
                    "import the certificates by {}; later the public log cannot have the keys in time",
                    utc(by)
                ));
            }
            output.show(
                json!({ "result": "waits", "file": file, "fingerprint": fingerprint, "import_by": import_by }),
                lines,
            )
        }
        Change::Done(imported) => {
            warn_of_late_keys(&imported.late);
            let certificates = &imported.certificates;
            let (unit, serial) = (
                open.unit()?,
                certificates.cddc.as_ref().map(|cddc| cddc.cdd.cdd_serial),
            );
            let keys = certificates.mkcs.iter().map(|mkc| &mkc.mint_key);
            let described =
                serial.map(|serial| format!("the description of the currency has serial {serial} now"));
            let currency = open.directory.currency()?;
            let waits = documents::first_deadline(&currency, keys.clone()).map(documents::must_serve_by);
            let lines = keys.clone().map(|key| {
                let (coin, begins) = (
                    unit.show(key.denomination),
                    utc(key.sign_coins_not_before.to_utc()),
                );
                format!("{}  coins of {coin}  signs from {begins}", key.id)
            });
            let made = keys.map(|key| json!({ "id": key.id.to_string(), "denomination": key.denomination }));
            output.show(
                json!({ "result": "done", "cdd_serial": serial, "mint_keys": made.collect::<Vec<_>>() }),
                described.into_iter().chain(lines).chain(waits),
            )
        }
    }
}

/// Says which mint keys were left out because they came too late for the public log.
fn warn_of_late_keys(late: &[BigInt]) {
    for id in late {
        complain(&format!(
            "warning: mint key {id} came too late to be in the public log when it signs, and was left out; destroy the file \
             with its certificate, and make another key: opencoin issuer keys rotate"
        ));
    }
}

async fn revoke(arguments: RevokeArguments, output: OutputArgs) -> Result<()> {
    let directory = arguments.dir.directory()?;
    let currency = directory.currency()?;
    let key = find_key(&arguments.id, currency.mint_keys(), |key| {
        key.verified.mint_key().id.to_string()
    })?;
    let (id, denomination) = (key.ledger_id, key.verified.mint_key().denomination);
    let books = super::books(&directory, Purpose::Change).await?;
    let operator = Operator::new(books, Arc::new(SystemClock), arguments.by.name());
    ensure!(
        operator.enter(&currency, key).await?,
        "mint key {id} is not in the books: it came too late for the public log and is never used, or no server has begun \
         the books yet. There is nothing to revoke"
    );
    let changed = operator.revoke(id, arguments.reason).await?;
    let coin = CurrencyUnit::of(currency.current().cdd()).show(denomination);
    let lines = if changed {
        vec![
            format!(
                "revoked mint key {id}, coins of {coin}: it signs nothing any more, and its coins are no longer accepted"
            ),
            "holders get fresh coins with `opencoin wallet recoup`, which needs another key of this denomination:"
                .to_owned(),
            "next: opencoin issuer keys rotate, then opencoin issuer keys destroy".to_owned(),
        ]
    } else {
        vec![format!("mint key {id} was revoked before: nothing changed")]
    };
    output.show(json!({ "mint_key": id.to_string(), "changed": changed }), lines)
}

/// Finds the only key with this id or this prefix of an id.
fn find_key<K>(wanted: &str, keys: impl Iterator<Item = K>, id: impl Fn(&K) -> String) -> Result<K> {
    let wanted = wanted.to_ascii_lowercase();
    let matches = |key: &K| {
        let id = id(key);
        id == wanted || (wanted.len() >= ID_CHARS_MIN && id.starts_with(&wanted))
    };
    let mut found = keys.filter(matches);
    match (found.next(), found.next()) {
        (Some(key), None) => Ok(key),
        (Some(_), Some(_)) => bail!("several mint keys begin with {wanted}; give more of the id"),
        (None, _) => {
            let text = format!(
                "no mint key has the id {wanted}; `opencoin issuer keys list` shows the ids (the first {ID_CHARS_MIN} characters are enough)"
            );
            Err(failure::not_found(text))
        }
    }
}

async fn destroy(arguments: DestroyArguments, output: OutputArgs) -> Result<()> {
    let open = Open::new(&arguments.store, Purpose::Change).await?;
    if arguments.uncertified {
        let ids = open.manager.destroy_uncertified().await?;
        if !ids.is_empty() {
            let detail = format!("{} private halves without a certificate", ids.len());
            open.record(arguments.by, ActionKind::DestroyKeys, &detail)
                .await?;
        }
        let mut lines: Vec<String> = ids
            .iter()
            .map(|id| format!("destroyed {id}, which had no certificate"))
            .collect();
        lines.push(format!(
            "destroyed {} private halves without a certificate",
            ids.len()
        ));
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        return output.show(json!({ "uncertified": ids }), lines);
    }
    let (unit, mut all) = (open.unit()?, Vec::new());
    let result = open.manager.destroy(&mut |key| all.push(key)).await;
    if !all.is_empty() {
        let ids: Vec<String> = all.iter().map(|key| key.id.to_string()).collect();
        open.record(arguments.by, ActionKind::DestroyKeys, &ids.join(", "))
            .await?;
    }
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
        lines.push("nothing to destroy; `opencoin issuer keys plan` shows what will be due".to_owned());
    }
    let value = all.iter().map(|key| {
        json!({ "id": key.id.to_string(), "denomination": key.denomination, "transactions_kept": key.transactions_kept })
    });
    output.show(json!({ "destroyed": value.collect::<Vec<_>>() }), lines)?;
    Ok(result?)
}

fn passphrase(arguments: &PassphraseArguments, output: OutputArgs) -> Result<()> {
    let directory = arguments.store.dir.directory()?;
    let folder = match directory.config()?.keys {
        KeyConfig::Files { folder } => directory.root().join(folder),
        KeyConfig::Token { label, .. } => {
            bail!("the keys are in the token {label:?}, which has a PIN and no passphrase")
        }
    };
    let old = arguments.store.secrets.passphrase()?;
    let _lock = directory.lock()?;
    let new = secret_args::replacement(arguments.new_passphrase_file.as_deref())?;
    let mut changed = change_passphrase(&folder, &old, &new, &mut OsRng)?;
    // The keys of the public log, unless they have a passphrase of their own.
    let log_folder = directory.log_folder();
    if LogKeys::are_in(&log_folder) {
        match LogKeys::change_passphrase(&log_folder, &old, &new, &mut OsRng) {
            Ok(more) => changed += more,
            Err(error) => complain(&format!(
                "warning: the keys of the public log keep their passphrase: {error}"
            )),
        }
    }
    let said =
        format!("{changed} private keys have the new passphrase; restart processes that have the old one");
    output.show(json!({ "changed": changed }), [said])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_by_its_id_or_by_a_long_enough_prefix() {
        let ids = ["abcdef01", "abcdef02", "1234567"];
        let find = |wanted| {
            find_key(wanted, ids.into_iter(), |id| (*id).to_owned()).map_err(|error| error.to_string())
        };
        assert_eq!(find("abcdef02"), Ok("abcdef02"));
        assert_eq!(find("ABCDEF01"), Ok("abcdef01"));
        assert_eq!(find("123456"), Ok("1234567"));
        assert_eq!(
            find("abcdef"),
            Err("several mint keys begin with abcdef; give more of the id".to_owned())
        );
        for unknown in ["", "a", "abcde", "bcdef0", "abcdef03", "abcdef011"] {
            let refused = find(unknown).unwrap_err();
            assert!(
                refused.starts_with(&format!("no mint key has the id {unknown};")),
                "{refused}"
            );
        }
    }
}
