//! The signing engine of the measured issuer, and its keys.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use opencoin_config::{Config, DATABASE_DEFAULT, KeyConfig, SignerConfig, SignerProcess};
use opencoin_crypto::KeyStore;
use opencoin_keys::{Directory, KeyFiles, Passphrase};
use opencoin_pkcs11::{Pin, TokenKeyStore, TokenOptions};
use opencoin_terminal::secret_args::PinArgs;
use rand::rngs::OsRng;
use serde::Serialize;
use zeroize::Zeroizing;

/// Not a secret: the key files are deleted after the run.
const PASSPHRASE: &str = "bench";
/// The key folder, in the folder of the run.
const KEY_FOLDER: &str = "keys";
/// The socket of the signer, in the folder of the currency.
const SOCKET: &str = "signer.sock";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Engine {
    /// The issuer's own process, with keys from files.
    Memory,
    /// A signer process behind a Unix socket, with keys from files.
    Signer,
    /// A PKCS#11 token, used by the issuer's process.
    Token,
}

#[derive(Debug, Args)]
pub(super) struct EngineArguments {
    /// The signing engine.
    #[arg(long, value_enum, default_value_t = Engine::Memory)]
    engine: Engine,
    /// For `--engine token`: the PKCS#11 library, for example /usr/lib/softhsm/libsofthsm2.so. Mint keys are generated
    /// in the token and destroyed at the end. The token also signs the coins for renews and redeems in advance, which
    /// takes minutes with a slow token.
    #[arg(
        long,
        value_name = "LIBRARY",
        requires = "token_label",
        required_if_eq("engine", "token")
    )]
    pkcs11_module: Option<PathBuf>,
    /// The label of the token. Do not use the token of a real currency: the benchmark keeps it busy.
    #[arg(long, value_name = "LABEL", requires = "pkcs11_module")]
    token_label: Option<String>,
    #[command(flatten)]
    pin: PinArgs,
}

/// An engine and the secret of its keys.
#[derive(Debug, Clone)]
pub(super) struct EngineSettings {
    pub(super) engine: Engine,
    keys: Keys,
}

#[derive(Debug, Clone)]
enum Keys {
    Files(Passphrase),
    Token {
        module: PathBuf,
        label: String,
        pin: Passphrase,
    },
}

impl EngineSettings {
    /// Validates the options, and reads the PIN of a token.
    pub(super) fn new(arguments: EngineArguments) -> Result<Self> {
        let engine = arguments.engine;
        let token = arguments.pkcs11_module.zip(arguments.token_label);
        let keys = match engine {
            Engine::Memory | Engine::Signer => {
                ensure!(
                    token.is_none(),
                    "--pkcs11-module: a token is measured with --engine token"
                );
                Keys::Files(Passphrase::new(Zeroizing::new(PASSPHRASE.to_owned()))?)
            }
            Engine::Token => {
                let (module, label) =
                    token.expect("the command line demands the module and the label of a token");
                Keys::Token {
                    module,
                    label,
                    pin: arguments.pin.read()?,
                }
            }
        };
        Ok(Self { engine, keys })
    }

    /// The settings of a currency with this engine. `database` is the PostgreSQL database, if any; `folder` is for key
    /// files.
    pub(super) fn config(&self, database: Option<&str>, folder: &Path) -> Config {
        let keys = match &self.keys {
            Keys::Files(_) => KeyConfig::Files {
                folder: folder.join(KEY_FOLDER),
            },
            Keys::Token { module, label, .. } => KeyConfig::Token {
                module: module.clone(),
                label: label.clone(),
                sessions: None,
            },
        };
        let process = match self.engine {
            Engine::Signer => Some(SignerProcess::Socket { path: SOCKET.into() }),
            Engine::Memory | Engine::Token => None,
        };
        Config {
            keys,
            signer: SignerConfig {
                process,
                ..SignerConfig::default()
            },
            ..Config::new(database.unwrap_or(DATABASE_DEFAULT), "127.0.0.1:0")
        }
    }

    /// Opens the key store that `config` names.
    pub(super) fn open(&self, directory: &Directory, config: &Config) -> Result<Box<dyn KeyStore>> {
        Ok(match &self.keys {
            Keys::Files(passphrase) => Box::new(KeyFiles::open(
                directory.root(),
                &config.keys,
                Some(passphrase.clone()),
                Box::new(OsRng),
            )?),
            Keys::Token { module, label, pin } => {
                let options = TokenOptions::new(module.clone(), label.clone(), Pin::new(pin.text()));
                Box::new(TokenKeyStore::open(options)?)
            }
        })
    }

    /// The environment variable for the secret of the keys, and its value.
    pub(super) fn secret(&self) -> (&'static str, &Passphrase) {
        match &self.keys {
            Keys::Files(passphrase) => ("OPENCOIN_PASSPHRASE", passphrase),
            Keys::Token { pin, .. } => ("OPENCOIN_PIN", pin),
        }
    }
}

impl Engine {
    /// A description for the report.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Memory => "the issuer's own process signs",
            Self::Signer => "a signer process behind a Unix socket signs",
            Self::Token => "a PKCS#11 token signs",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Memory => "memory",
            Self::Signer => "signer",
            Self::Token => "token",
        })
    }
}
