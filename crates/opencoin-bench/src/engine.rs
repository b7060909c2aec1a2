//! What signs while an issuer is measured, where its mint keys are, and what opens them.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use opencoin_config::{Config, DATABASE_DEFAULT, KeyConfig, SignerConfig};
use opencoin_crypto::KeyStore;
use opencoin_keys::{Directory, KeyFiles, Passphrase};
use opencoin_pkcs11::{Pin, TokenKeyStore, TokenOptions};
use opencoin_terminal::secret_args::PinArgs;
use rand::rngs::OsRng;
use serde::Serialize;
use zeroize::Zeroizing;

/// Files with keys are thrown away after the run, so this is no secret.
const PASSPHRASE: &str = "bench";
/// In the folder of the run.
const KEY_FOLDER: &str = "keys";
/// In the folder of the currency.
const SOCKET: &str = "signer.sock";

/// What signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Engine {
    /// The issuer's own process, with keys from files.
    Memory,
    /// A signer process behind a Unix socket, with keys from files.
    Signer,
    /// A PKCS#11 token, which the issuer's process uses.
    Token,
}

#[derive(Debug, Args)]
pub(super) struct EngineArguments {
    /// What signs.
    #[arg(long, value_enum, default_value_t = Engine::Memory)]
    engine: Engine,
    /// For `--engine token`: its PKCS#11 library, for example /usr/lib/softhsm/libsofthsm2.so. Mint keys are
    /// made in the token and destroyed at the end. Coins to renew and redeem are signed by it beforehand,
    /// which takes a slow one minutes.
    #[arg(
        long,
        value_name = "LIBRARY",
        requires = "token_label",
        required_if_eq("engine", "token")
    )]
    pkcs11_module: Option<PathBuf>,
    /// The label of the token; not one that a currency needs, because the token is kept busy.
    #[arg(long, value_name = "LABEL", requires = "pkcs11_module")]
    token_label: Option<String>,
    #[command(flatten)]
    pin: PinArgs,
}

/// An engine, and what opens its keys.
#[derive(Debug, Clone)]
pub(super) struct EngineSettings {
    /// Which it is.
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
    /// Asks for the PIN if there is a token.
    pub(super) fn new(arguments: EngineArguments) -> Result<Self> {
        let EngineArguments {
            engine,
            pkcs11_module,
            token_label,
            pin,
        } = arguments;
        let token = pkcs11_module.zip(token_label);
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
                    pin: pin.read()?,
                }
            }
        };
        Ok(Self { engine, keys })
    }

    /// issuer.toml of a currency with this engine: books in `database` or in its folder, keys in files under
    /// `folder` unless in a token.
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
        let signer = match self.engine {
            Engine::Signer => Some(SignerConfig::Socket { path: SOCKET.into() }),
            Engine::Memory | Engine::Token => None,
        };
        Config {
            keys,
            signer,
            ..Config::new(database.unwrap_or(DATABASE_DEFAULT), "127.0.0.1:0")
        }
    }

    /// Opens the store of keys that `config` names.
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

    /// The variable in which `opencoin` looks for what opens the keys, and that.
    pub(super) fn secret(&self) -> (&'static str, &Passphrase) {
        match &self.keys {
            Keys::Files(passphrase) => ("OPENCOIN_PASSPHRASE", passphrase),
            Keys::Token { pin, .. } => ("OPENCOIN_PIN", pin),
        }
    }
}

impl Engine {
    /// What it is, for people.
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
