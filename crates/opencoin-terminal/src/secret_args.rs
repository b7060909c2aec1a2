//! Passphrases, PINs, passwords and service keys, read from a file, the environment, a systemd credential or a
//! prompt. Never from the command line, which every user of the machine can read.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use opencoin_keys::Passphrase;
use opencoin_private_files::exposure;
use zeroize::Zeroizing;

/// The folder in which systemd puts the credentials of a service (systemd.exec(5), "Credentials").
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

const KEY_PASSPHRASE: Secret = Secret {
    name: "passphrase of the private keys",
    flag: "--passphrase-file",
    variable: "OPENCOIN_PASSPHRASE",
};
const PIN: Secret = Secret {
    name: "PIN of the token",
    flag: "--pin-file",
    variable: "OPENCOIN_PIN",
};
const MASTER_PASSPHRASE: Secret = Secret {
    name: "passphrase of the master key",
    flag: "--master-passphrase-file",
    variable: "OPENCOIN_MASTER_PASSPHRASE",
};
const LOG_PASSPHRASE: Secret = Secret {
    name: "passphrase of the keys of the public log",
    flag: "--log-passphrase-file",
    variable: "OPENCOIN_LOG_PASSPHRASE",
};
const WITNESS_PASSPHRASE: Secret = Secret {
    name: "passphrase of the witness's keys",
    flag: "--passphrase-file",
    variable: "OPENCOIN_WITNESS_PASSPHRASE",
};
const AUDITOR_PASSPHRASE: Secret = Secret {
    name: "passphrase of the auditor's key",
    flag: "--passphrase-file",
    variable: "OPENCOIN_AUDITOR_PASSPHRASE",
};
const PHRASE: Secret = Secret {
    name: "backup phrase",
    flag: "--phrase-file",
    variable: "OPENCOIN_PHRASE",
};
const WALLET_PASSPHRASE: Secret = Secret {
    name: "passphrase of the wallet",
    flag: "--wallet-passphrase-file",
    variable: "OPENCOIN_WALLET_PASSPHRASE",
};
const PASSWORD: Secret = Secret {
    name: "password of the account",
    flag: "--password-file",
    variable: "OPENCOIN_PASSWORD",
};
const NEW_PASSWORD: Secret = Secret {
    name: "new password",
    flag: "--new-password-file",
    variable: "OPENCOIN_NEW_PASSWORD",
};
const SERVICE_KEY: Secret = Secret {
    name: "key of the service",
    flag: "--key-file",
    variable: "OPENCOIN_SERVICE_KEY",
};
const COINS_PASSPHRASE: Secret = Secret {
    name: "passphrase of the coins",
    flag: "--passphrase-file",
    variable: "OPENCOIN_COINS_PASSPHRASE",
};
const NEW_PASSPHRASE: Secret = Secret {
    name: "new passphrase",
    flag: "--new-passphrase-file",
    variable: "OPENCOIN_NEW_PASSPHRASE",
};

/// A kind of secret and its sources. The name of its systemd credential is that of the variable in lower case, with
/// hyphens.
struct Secret {
    /// For prompts and error texts.
    name: &'static str,
    /// The flag that names a file.
    flag: &'static str,
    variable: &'static str,
}

/// The passphrase of the private mint keys, or the PIN of their token.
#[derive(Debug, Clone, Args)]
pub struct KeySecretArgs {
    /// A file that holds the passphrase of the private keys. Without it: `OPENCOIN_PASSPHRASE`, a systemd
    /// credential `opencoin-passphrase`, or a prompt.
    #[arg(long, value_name = "FILE", env = "OPENCOIN_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    pin: PinArgs,
}

/// The PIN of a token.
#[derive(Debug, Clone, Args)]
pub struct PinArgs {
    /// A file that holds the PIN of the token, for keys in a token. Without it: `OPENCOIN_PIN`, a systemd
    /// credential `opencoin-pin`, or a prompt.
    #[arg(long, value_name = "FILE", env = "OPENCOIN_PIN_FILE")]
    pin_file: Option<PathBuf>,
}

/// The passphrase of the master key.
#[derive(Debug, Clone, Args)]
pub struct MasterSecretArgs {
    /// A file that holds the passphrase of the master key. Without it: `OPENCOIN_MASTER_PASSPHRASE`, else the
    /// passphrase of the private mint keys, else a prompt.
    #[arg(long, value_name = "FILE", env = "OPENCOIN_MASTER_PASSPHRASE_FILE")]
    master_passphrase_file: Option<PathBuf>,
}

/// The passphrase of the keys of the public log.
#[derive(Debug, Clone, Args)]
pub struct LogSecretArgs {
    /// A file that holds the passphrase of the keys of the public log. Without it: `OPENCOIN_LOG_PASSPHRASE`, a systemd
    /// credential `opencoin-log-passphrase`, else the passphrase of the private mint keys or the PIN of their token, else
    /// a prompt.
    #[arg(long, value_name = "FILE", env = "OPENCOIN_LOG_PASSPHRASE_FILE")]
    log_passphrase_file: Option<PathBuf>,
}

/// The passphrase of a witness's keys.
#[derive(Debug, Clone, Args)]
pub struct WitnessSecretArgs {
    /// A file that holds the passphrase of the witness's keys. Without it: `OPENCOIN_WITNESS_PASSPHRASE`, a systemd
    /// credential `opencoin-witness-passphrase`, or a prompt.
    #[arg(long, value_name = "FILE", env = "OPENCOIN_WITNESS_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
}

/// The passphrase of an auditor's key, which may be without one.
#[derive(Debug, Clone, Args)]
pub struct AuditorSecretArgs {
    /// A file that holds the passphrase of the auditor's key. Without it: `OPENCOIN_AUDITOR_PASSPHRASE`, a systemd
    /// credential `opencoin-auditor-passphrase`, or no passphrase.
    #[arg(long, value_name = "FILE", env = "OPENCOIN_AUDITOR_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
}

/// The backup phrase of a wallet.
#[derive(Debug, Clone, Args)]
pub struct PhraseArgs {
    /// A file that holds the words of the backup phrase. Without it: `OPENCOIN_PHRASE`, or a prompt.
    #[arg(long, value_name = "FILE", env = "OPENCOIN_PHRASE_FILE")]
    phrase_file: Option<PathBuf>,
}

/// The passphrase of an encrypted wallet.
#[derive(Debug, Clone, Args)]
pub struct WalletSecretArgs {
    /// A file that holds the passphrase of an encrypted wallet. Without it: `OPENCOIN_WALLET_PASSPHRASE`, a systemd
    /// credential `opencoin-wallet-passphrase`, or a prompt.
    #[arg(
        long,
        value_name = "FILE",
        env = "OPENCOIN_WALLET_PASSPHRASE_FILE",
        global = true
    )]
    wallet_passphrase_file: Option<PathBuf>,
}

/// The passphrase that locks coins on their way.
#[derive(Debug, Clone, Default, Args)]
pub struct CoinsSecretArgs {
    /// A file that holds the passphrase of locked coins. Without it: `OPENCOIN_COINS_PASSPHRASE`, or a prompt.
    #[arg(long, value_name = "FILE", env = "OPENCOIN_COINS_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
}

/// The password of an account.
#[derive(Debug, Clone, Args)]
pub struct PasswordArgs {
    /// A file that holds the account's password. Without it: `OPENCOIN_PASSWORD`, a systemd credential
    /// `opencoin-password`, or a prompt.
    #[arg(long, value_name = "FILE", env = "OPENCOIN_PASSWORD_FILE")]
    password_file: Option<PathBuf>,
}

/// The new password of an account.
#[derive(Debug, Clone, Args)]
pub struct NewPasswordArgs {
    /// A file that holds the new password. Without it: `OPENCOIN_NEW_PASSWORD`, a systemd credential
    /// `opencoin-new-password`, or a prompt.
    #[arg(long, value_name = "FILE", env = "OPENCOIN_NEW_PASSWORD_FILE")]
    new_password_file: Option<PathBuf>,
}

impl KeySecretArgs {
    /// Whether this process was given the passphrase or the PIN, by a file or a variable.
    pub fn is_given(&self) -> bool {
        self.passphrase_file.is_some()
            || self.pin.pin_file.is_some()
            || [KEY_PASSPHRASE, PIN]
                .iter()
                .any(|secret| env::var_os(secret.variable).is_some())
    }

    /// Reads the passphrase of existing keys.
    pub fn passphrase(&self) -> Result<Passphrase> {
        KEY_PASSPHRASE.read(self.passphrase_file.as_deref())
    }

    /// Reads the passphrase for new keys. A prompt asks twice.
    pub fn new_passphrase(&self) -> Result<Passphrase> {
        KEY_PASSPHRASE.read_new(self.passphrase_file.as_deref())
    }

    /// Reads the PIN of the token.
    pub fn pin(&self) -> Result<Passphrase> {
        self.pin.read()
    }
}

impl PinArgs {
    /// Reads the PIN of the token.
    pub fn read(&self) -> Result<Passphrase> {
        PIN.read(self.pin_file.as_deref())
    }
}

impl MasterSecretArgs {
    /// Reads the passphrase of an existing master key. Where none is given for it, uses that of the private mint
    /// keys in `keys`, then a prompt.
    pub fn passphrase(&self, keys: Option<&KeySecretArgs>) -> Result<Passphrase> {
        match self.given(keys)? {
            Some(passphrase) => Ok(passphrase),
            None => MASTER_PASSPHRASE.ask(),
        }
    }

    /// As [`Self::passphrase`], for a new master key. A prompt asks twice.
    pub fn new_passphrase(&self, keys: Option<&KeySecretArgs>) -> Result<Passphrase> {
        match self.given(keys)? {
            Some(passphrase) => Ok(passphrase),
            None => MASTER_PASSPHRASE.ask_twice(),
        }
    }

    fn given(&self, keys: Option<&KeySecretArgs>) -> Result<Option<Passphrase>> {
        let own = MASTER_PASSPHRASE.given(self.master_passphrase_file.as_deref())?;
        match (own, keys) {
            (None, Some(keys)) => KEY_PASSPHRASE.given(keys.passphrase_file.as_deref()),
            (own, _) => Ok(own),
        }
    }
}

impl LogSecretArgs {
    /// Reads the passphrase of existing keys. Where none is given for them, uses the secret of the private mint keys in
    /// `keys`, then a prompt.
    pub fn passphrase(&self, keys: &KeySecretArgs) -> Result<Passphrase> {
        match self.given(keys)? {
            Some(passphrase) => Ok(passphrase),
            None => LOG_PASSPHRASE.ask(),
        }
    }

    /// The passphrase that was given for these keys alone, if one was.
    pub fn own(&self) -> Result<Option<Passphrase>> {
        LOG_PASSPHRASE.given(self.log_passphrase_file.as_deref())
    }

    /// The passphrase or PIN that [`Self::passphrase`] uses without a prompt, if one was given.
    pub fn given(&self, keys: &KeySecretArgs) -> Result<Option<Passphrase>> {
        if let Some(own) = self.own()? {
            return Ok(Some(own));
        }
        match KEY_PASSPHRASE.given(keys.passphrase_file.as_deref())? {
            Some(passphrase) => Ok(Some(passphrase)),
            None => PIN.given(keys.pin.pin_file.as_deref()),
        }
    }
}

impl WitnessSecretArgs {
    /// Reads the passphrase of existing keys.
    pub fn passphrase(&self) -> Result<Passphrase> {
        WITNESS_PASSPHRASE.read(self.passphrase_file.as_deref())
    }

    /// Reads the passphrase for new keys. A prompt asks twice.
    pub fn new_passphrase(&self) -> Result<Passphrase> {
        WITNESS_PASSPHRASE.read_new(self.passphrase_file.as_deref())
    }
}

impl AuditorSecretArgs {
    /// Reads the passphrase, if one was given.
    pub fn given(&self) -> Result<Option<Passphrase>> {
        AUDITOR_PASSPHRASE.given(self.passphrase_file.as_deref())
    }
}

impl PhraseArgs {
    /// Reads the words.
    pub fn read(&self) -> Result<Passphrase> {
        PHRASE.read(self.phrase_file.as_deref())
    }
}

impl WalletSecretArgs {
    /// Reads the passphrase of an existing wallet.
    pub fn passphrase(&self) -> Result<Passphrase> {
        WALLET_PASSPHRASE.read(self.wallet_passphrase_file.as_deref())
    }

    /// Reads the passphrase for a new wallet. A prompt asks twice.
    pub fn new_passphrase(&self) -> Result<Passphrase> {
        WALLET_PASSPHRASE.read_new(self.wallet_passphrase_file.as_deref())
    }
}

impl CoinsSecretArgs {
    /// Reads the passphrase of locked coins.
    pub fn read(&self) -> Result<Passphrase> {
        COINS_PASSPHRASE.read(self.passphrase_file.as_deref())
    }

    /// Reads the passphrase for coins that are to be locked. A prompt asks twice.
    pub fn read_new(&self) -> Result<Passphrase> {
        COINS_PASSPHRASE.read_new(self.passphrase_file.as_deref())
    }
}

impl PasswordArgs {
    /// Reads the password.
    pub fn read(&self) -> Result<Passphrase> {
        PASSWORD.read(self.password_file.as_deref())
    }
}

impl NewPasswordArgs {
    /// Reads the new password. A prompt asks twice.
    pub fn read(&self) -> Result<Passphrase> {
        NEW_PASSWORD.read_new(self.new_password_file.as_deref())
    }
}

/// Reads the key of a service.
pub fn service_key(file: Option<&Path>) -> Result<Passphrase> {
    SERVICE_KEY.read(file)
}

/// Reads a passphrase that will replace another. A prompt asks twice.
pub fn replacement(file: Option<&Path>) -> Result<Passphrase> {
    NEW_PASSPHRASE.read_new(file)
}

impl Secret {
    fn read(&self, file: Option<&Path>) -> Result<Passphrase> {
        match self.given(file)? {
            Some(given) => Ok(given),
            None => self.ask(),
        }
    }

    fn read_new(&self, file: Option<&Path>) -> Result<Passphrase> {
        match self.given(file)? {
            Some(given) => Ok(given),
            None => self.ask_twice(),
        }
    }

    /// Reads the secret from the first source that has it: the file, the variable, the systemd credential.
    fn given(&self, file: Option<&Path>) -> Result<Option<Passphrase>> {
        if let Some(path) = file {
            if let Some(exposure) =
                exposure(path).with_context(|| format!("cannot read the {}", self.name))?
            {
                bail!("{exposure}");
            }
            return self.read_file(path).map(Some);
        }
        if let Some(text) = env::var_os(self.variable) {
            let text = text
                .into_string()
                .ok()
                .with_context(|| format!("{} is not valid UTF-8", self.variable))?;
            return self
                .parse(Zeroizing::new(text))
                .with_context(|| format!("in {}", self.variable))
                .map(Some);
        }
        // Only the service can enter the folder of its credentials, whatever the modes of the files are.
        let name = self.variable.to_lowercase().replace('_', "-");
        env::var_os(CREDENTIALS_DIRECTORY)
            .map(|folder| PathBuf::from(folder).join(name))
            .filter(|path| path.is_file())
            .map(|path| self.read_file(&path))
            .transpose()
    }

    fn read_file(&self, path: &Path) -> Result<Passphrase> {
        let read = || format!("cannot read the {} in {}", self.name, path.display());
        self.parse(Zeroizing::new(fs::read_to_string(path).with_context(read)?))
            .with_context(read)
    }

    fn ask(&self) -> Result<Passphrase> {
        self.prompt(self.name)
    }

    fn ask_twice(&self) -> Result<Passphrase> {
        let first = self.prompt(self.name)?;
        let second = self.prompt("the same again")?;
        ensure!(first == second, "the two entries differ; nothing was done");
        Ok(first)
    }

    fn prompt(&self, prompt: &str) -> Result<Passphrase> {
        let Self { name, flag, variable } = self;
        if !io::stdin().is_terminal() {
            bail!(
                "this needs the {name}: {flag} FILE, {variable} in the environment, or a terminal to type it on"
            );
        }
        let typed =
            rpassword::prompt_password(format!("{prompt}: ")).context("cannot read from the terminal")?;
        self.parse(Zeroizing::new(typed))
    }

    fn parse(&self, text: Zeroizing<String>) -> Result<Passphrase> {
        Passphrase::new(text)
            .ok()
            .with_context(|| format!("the {} is empty", self.name))
    }
}
