//! `opencoin issuer init`.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use opencoin_config::{
    Config, DATABASE_DEFAULT, KeyConfig, LISTEN_DEFAULT, RotationPolicy, SignerConfig, SignerProcess, Span,
    is_shared,
};
use opencoin_crypto::{CipherSuite, KeyPrimes};
use opencoin_issuer::{StoreMode, open_books, open_ledger};
use opencoin_keys::{Cosigners, Directory, NewCurrency, NewKeys, SystemClock, create, register_mint_keys};
use opencoin_terminal::output::OutputArgs;
use opencoin_terminal::progress::ProgressBar;
use opencoin_terminal::secret_args::{KeySecretArgs, LogSecretArgs, MasterSecretArgs};
use opencoin_text::{AmountText, IssuerUrl, printable};
use rand::rngs::OsRng;
use serde_json::json;

use crate::cosigner_args::CosignerArgs;
use crate::currency_unit::CurrencyUnit;
use crate::key_store::KeySecret;
use crate::settings_args;

/// The default coin values, in the smallest unit.
const DENOMINATIONS_DEFAULT: [u64; 10] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The folder to create. It must not exist or must be empty.
    #[arg(long, value_name = "D", env = "OPENCOIN_ISSUER_DIR")]
    dir: PathBuf,
    /// The name of the currency.
    #[arg(long)]
    name: String,
    /// How many smallest units make one unit of the currency.
    #[arg(long, default_value_t = 100)]
    divisor: u64,
    /// The coin values, as the currency shows them, for example `0.01,0.02,0.05`. Include the smallest unit, so that
    /// every amount can be paid. Default: 1, 2, 5, 10 ... 1000 smallest units.
    #[arg(long, value_delimiter = ',')]
    denominations: Vec<AmountText>,
    /// The URL at which wallets reach the issuer.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: IssuerUrl,
    /// The address on which the server listens. Default: 127.0.0.1 with the port of an http:// URL, else with 8080.
    #[arg(long)]
    listen: Option<String>,
    /// The books: `sqlite:PATH`, relative to the folder, or `postgres://USER:PASSWORD@HOST/DATABASE` of an empty
    /// database. Default: `OPENCOIN_ISSUER_DATABASE`, which is not written into the settings, else
    /// sqlite:ledger.sqlite.
    #[arg(long, env = "OPENCOIN_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// Distribute the tables that grow over the servers of Citus. `--database` names its coordinator.
    #[arg(long, requires = "database")]
    distributed: bool,
    /// The cipher suite: RSA-SHA384-PSS-RFC9474, or RSA-SHA256-PSS-CHAUM82 for wallets that support only that.
    #[arg(long, default_value_t)]
    cipher_suite: CipherSuite,
    /// The size of mint keys in bits.
    #[arg(long, default_value_t = 2048)]
    key_bits: usize,
    /// The number of primes of mint keys: 2, or 3 where signing with them is faster, which `docs/KEYS.md` explains. Keys
    /// in a token have 2.
    #[arg(long, value_name = "2|3", default_value_t)]
    key_primes: KeyPrimes,
    /// The master key is on another machine: write a request for it to `pending.json`.
    #[arg(long)]
    offline_master: bool,
    /// Store private mint keys in a PKCS#11 token with this library, for example /usr/lib/softhsm/libsofthsm2.so.
    #[arg(long, value_name = "LIBRARY", requires = "token_label")]
    pkcs11_module: Option<PathBuf>,
    /// The label of the token.
    #[arg(long, value_name = "LABEL", requires = "pkcs11_module")]
    token_label: Option<String>,
    /// Store private mint keys in files in this folder, relative to the currency's folder: for example a folder that
    /// only a signer can read.
    #[arg(long, value_name = "D", conflicts_with = "pkcs11_module")]
    key_folder: Option<PathBuf>,
    /// The Unix socket of a separate signer process (`opencoin signer`), so that the server needs no keys.
    #[arg(long, value_name = "PATH")]
    signer_socket: Option<PathBuf>,
    /// Create the currency without a public log of its coins.
    #[arg(long, conflicts_with_all = ["witnesses", "quorum", "auditors", "joint_quorum"])]
    without_log: bool,
    #[command(flatten)]
    cosigners: CosignerArgs,
    #[command(flatten)]
    log_secret: LogSecretArgs,
    #[command(flatten)]
    rotation: RotationArgs,
    #[command(flatten)]
    secrets: KeySecretArgs,
    #[command(flatten)]
    master: MasterSecretArgs,
}

/// The values of `[rotation]` in issuer.toml, where they can be changed later.
#[derive(Debug, Clone, Copy, Args)]
struct RotationArgs {
    /// How long a mint key signs.
    #[arg(long, value_name = "SPAN", default_value_t = RotationPolicy::default().signing_window)]
    signing_window: Span,
    /// How long a mint key and its successor both sign.
    #[arg(long, value_name = "SPAN", default_value_t = RotationPolicy::default().overlap)]
    overlap: Span,
    /// How long before its first signature a mint key is generated.
    #[arg(long, value_name = "SPAN", default_value_t = RotationPolicy::default().lead)]
    lead: Span,
    /// How long coins are accepted after their key has stopped signing.
    #[arg(long, value_name = "SPAN", default_value_t = RotationPolicy::default().coin_lifetime)]
    coin_lifetime: Span,
    /// How long a private key is kept after it has stopped signing.
    #[arg(long, value_name = "SPAN", default_value_t = RotationPolicy::default().resume_window)]
    resume_window: Span,
}

pub(crate) async fn run(arguments: Arguments, output: OutputArgs) -> Result<()> {
    let directory = Directory::new(&arguments.dir);
    let new = NewCurrency {
        name: arguments.name.clone(),
        divisor: arguments.divisor,
        denominations: denominations(&arguments)?,
        url: arguments.url.to_string(),
        cipher_suite: arguments.cipher_suite,
        log: log(&arguments)?,
        config: config(&arguments),
    };
    new.check()?;
    directory.check_vacant()?;
    // The server reads the same variable.
    let environment = settings_args::of_environment()?;
    let database = environment
        .environment("database")
        .unwrap_or(&new.config.database);
    let mode = if arguments.distributed {
        StoreMode::CreateDistributed
    } else {
        StoreMode::Create
    };
    if arguments.distributed && !is_shared(database) {
        bail!("--distributed: only the tables of a PostgreSQL database with Citus can be distributed");
    }
    // Everything that can fail or asks for input comes before the keys are generated, which takes a while.
    if is_shared(database) {
        let ledger = open_ledger(database, directory.root(), mode).await?;
        if !ledger.mint_keys().await?.is_empty() {
            bail!("the database already contains the books of a currency; use another database");
        }
    }
    let secret = KeySecret::read_new(&new.config, &arguments.secrets)?;
    let master = (!arguments.offline_master)
        .then(|| arguments.master.new_passphrase(Some(&arguments.secrets)))
        .transpose()?;
    // In the order in which the server looks for it.
    let log_passphrase = match arguments.log_secret.given(&arguments.secrets)? {
        Some(given) => given,
        None => secret
            .passphrase()
            .context("the secret of new keys was read")?
            .clone(),
    };
    let open = |directory: &Directory| secret.open(directory, &new.config);
    let keys = NewKeys {
        store: &open,
        log_passphrase: &log_passphrase,
        master_passphrase: master.as_ref(),
    };
    let currency = tokio::task::block_in_place(|| {
        let progress = ProgressBar::new("generating keys");
        create(
            &new,
            &directory,
            &keys,
            &SystemClock,
            &mut OsRng,
            &mut |done, total| progress.set(done, total),
        )
    })?;
    let Some(currency) = currency else {
        return show_request(&directory, output);
    };
    let opened = open_books(database, directory.root(), mode)
        .await
        .context("the currency is created, but its books are not; `opencoin issuer serve` tries again")?;
    register_mint_keys(&currency, opened.books.ledger.as_ref(), &SystemClock).await?;
    opened.history.close().await;
    let dir = directory.root().display();
    let cdd = currency.current().cdd();
    let unit = CurrencyUnit::of(cdd);
    let coins: Vec<String> = cdd
        .denominations
        .iter()
        .map(|value| unit.number(*value))
        .collect();
    let (name, suite, listen) = (
        printable(&cdd.currency_name),
        &cdd.issuer_cipher_suite,
        &new.config.listen,
    );
    let mut lines = vec![
        format!("created {name} with coins of {}, id {}", coins.join(", "), cdd.id),
        format!(
            "cipher suite {suite}, keys of {} bits",
            new.config.rotation.key_bits
        ),
        format!(
            "wallets reach it at {}, and the server will listen on {listen}",
            new.url
        ),
        format!(
            "keep {dir} and the passphrase safe: with both anybody can print money, without either the currency ends"
        ),
        format!(
            "the master key is in {dir}/master; the server does not need it, so move it off this machine if you can"
        ),
    ];
    if let Some(block) = currency.log() {
        if !block.policy().names_in_quorum().is_empty() {
            lines.push(format!(
                "give the operators of the witnesses the key of the public log: {}",
                super::log::log_key(block)
            ));
        }
        if !block.auditors().is_empty() {
            lines.push("give the operators of the auditors the URL and the id of the currency".to_owned());
        }
    }
    lines.push(format!("next: opencoin issuer serve --dir {dir}"));
    output.show(
        json!({
            "currency": cdd.currency_name,
            "id": cdd.id.to_string(),
            "denominations": cdd.denominations,
            "url": new.url,
            "listen": listen,
        }),
        lines,
    )
}

fn log(arguments: &Arguments) -> Result<Option<Cosigners>> {
    if arguments.without_log {
        return Ok(None);
    }
    arguments.cosigners.read().map(Some)
}

/// The coin values in the smallest unit.
fn denominations(arguments: &Arguments) -> Result<Vec<u64>> {
    if arguments.denominations.is_empty() {
        return Ok(DENOMINATIONS_DEFAULT.to_vec());
    }
    let unit = CurrencyUnit {
        name: arguments.name.clone(),
        divisor: arguments.divisor,
    };
    arguments
        .denominations
        .iter()
        .map(|value| unit.read(value))
        .collect()
}

/// The address of the listener: as given, else loopback with the port of an http:// URL. The port of an https:// URL
/// belongs to a proxy.
fn listen(arguments: &Arguments) -> String {
    let url = arguments.url.url();
    match (&arguments.listen, url.port().filter(|_| url.scheme() == "http")) {
        (Some(listen), _) => listen.clone(),
        (None, Some(port)) => format!("127.0.0.1:{port}"),
        (None, None) => LISTEN_DEFAULT.to_owned(),
    }
}

fn config(arguments: &Arguments) -> Config {
    let rotation = arguments.rotation;
    let keys = match (
        &arguments.pkcs11_module,
        &arguments.token_label,
        &arguments.key_folder,
    ) {
        (Some(module), Some(label), _) => KeyConfig::Token {
            module: module.clone(),
            label: label.clone(),
            sessions: None,
        },
        (_, _, Some(folder)) => KeyConfig::Files {
            folder: folder.clone(),
        },
        (_, _, None) => KeyConfig::default(),
    };
    Config {
        keys,
        signer: SignerConfig {
            process: arguments
                .signer_socket
                .clone()
                .map(|path| SignerProcess::Socket { path }),
            ..SignerConfig::default()
        },
        rotation: RotationPolicy {
            signing_window: rotation.signing_window,
            overlap: rotation.overlap,
            lead: rotation.lead,
            coin_lifetime: rotation.coin_lifetime,
            resume_window: rotation.resume_window,
            key_bits: arguments.key_bits,
            key_primes: arguments.key_primes,
            ..RotationPolicy::default()
        },
        ..Config::new(
            arguments.database.as_deref().unwrap_or(DATABASE_DEFAULT),
            listen(arguments),
        )
    }
}

fn show_request(directory: &Directory, output: OutputArgs) -> Result<()> {
    let request = directory
        .pending()?
        .context("the currency has neither certificates nor a request for them")?;
    let (dir, file, keys) = (
        directory.root().display(),
        directory.pending_file(),
        request.mint_keys.len(),
    );
    let fingerprint = request.fingerprint();
    output.show(
        json!({ "mint_keys": keys, "file": file, "fingerprint": fingerprint }),
        [
            format!(
                "generated {keys} mint keys; {} waits for the master key",
                file.display()
            ),
            format!("fingerprint of the request: {fingerprint}"),
            "next, on the machine of the master key: opencoin master sign pending.json --dir D".to_owned(),
            format!("then here: opencoin issuer import certificates.json --dir {dir}"),
        ],
    )
}
