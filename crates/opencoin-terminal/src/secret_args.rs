//! Passphrases, PINs, passwords and keys of services: from a file, the environment, a systemd credential, or
//! a prompt. Never from the command line, which everybody on the machine can read.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use opencoin_keys::Passphrase;
use opencoin_private_files::exposure;
use zeroize::Zeroizing;

/// Where systemd puts the credentials of a service (systemd.exec(5), "Credentials").
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// One secret and where it may come from.
struct Source<'arguments> {
    /// What people call it.
    name: &'static str,
    /// A file that was named.
    file: Option<&'arguments Path>,
    /// The variable that holds it.
    variable: &'static str,
    /// The flag that names the file.
    flag: &'static str,
    /// The name of its systemd credential.
    credential: &'static str,
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

/// The password of an account.
#[derive(Debug, Clone, Args)]
pub struct PasswordArgs {
    /// A file that holds the account's password. Without it: `OPENCOIN_PASSWORD`, a systemd credential
    /// `opencoin-password`, or a prompt.
    #[arg(long, value_name = "FILE", env = "OPENCOIN_PASSWORD_FILE")]
    password_file: Option<PathBuf>,
}

/// The password that an account is to have.
#[derive(Debug, Clone, Args)]
pub struct NewPasswordArgs {
    /// A file that holds the new password. Without it: `OPENCOIN_NEW_PASSWORD`, a systemd credential
    /// `opencoin-new-password`, or a prompt.
    #[arg(long, value_name = "FILE", env = "OPENCOIN_NEW_PASSWORD_FILE")]
    new_password_file: Option<PathBuf>,
}

impl KeySecretArgs {
    fn passphrase_source(&self) -> Source<'_> {
        Source {
            name: "passphrase",
            file: self.passphrase_file.as_deref(),
            variable: "OPENCOIN_PASSPHRASE",
            flag: "--passphrase-file",
            credential: "opencoin-passphrase",
        }
    }

    /// Whether a secret was put into this process's hands.
    pub fn is_given(&self) -> bool {
        let variables = ["OPENCOIN_PASSPHRASE", "OPENCOIN_PIN"];
        self.passphrase_file.is_some()
            || self.pin.pin_file.is_some()
            || variables.iter().any(|name| env::var_os(name).is_some())
    }

    /// The passphrase of keys that are there.
    pub fn passphrase(&self) -> Result<Passphrase> {
        self.passphrase_source().read("passphrase of the private keys")
    }

    /// The passphrase of keys that are about to be made: asked for twice where it is typed.
    pub fn new_passphrase(&self) -> Result<Passphrase> {
        self.passphrase_source()
            .read_new("passphrase for the private keys")
    }

    /// The PIN of the token.
    pub fn pin(&self) -> Result<Passphrase> {
        self.pin.read()
    }
}

impl PinArgs {
    /// The PIN.
    pub fn read(&self) -> Result<Passphrase> {
        let source = Source {
            name: "PIN",
            file: self.pin_file.as_deref(),
            variable: "OPENCOIN_PIN",
            flag: "--pin-file",
            credential: "opencoin-pin",
        };
        source.read("PIN of the token")
    }
}

impl MasterSecretArgs {
    fn source(&self) -> Source<'_> {
        Source {
            name: "passphrase of the master key",
            file: self.master_passphrase_file.as_deref(),
            variable: "OPENCOIN_MASTER_PASSPHRASE",
            flag: "--master-passphrase-file",
            credential: "opencoin-master-passphrase",
        }
    }

    /// The passphrase of a master key that is there; `keys` is asked where nothing is said of the master
    /// key's own.
    pub fn passphrase(&self, keys: Option<&KeySecretArgs>) -> Result<Passphrase> {
        match self.given(keys)? {
            Some(passphrase) => Ok(passphrase),
            None => self.source().read("passphrase of the master key"),
        }
    }

    /// The passphrase of a master key that is about to be made.
    pub fn new_passphrase(&self, keys: Option<&KeySecretArgs>) -> Result<Passphrase> {
        match self.given(keys)? {
            Some(passphrase) => Ok(passphrase),
            None => self.source().read_new("passphrase for the master key"),
        }
    }

    fn given(&self, keys: Option<&KeySecretArgs>) -> Result<Option<Passphrase>> {
        if let Some(passphrase) = self.source().given()? {
            return Ok(Some(passphrase));
        }
        keys.map_or(Ok(None), |keys| keys.passphrase_source().given())
    }
}

impl PasswordArgs {
    /// The password.
    pub fn read(&self) -> Result<Passphrase> {
        let source = Source {
            name: "password of the account",
            file: self.password_file.as_deref(),
            variable: "OPENCOIN_PASSWORD",
            flag: "--password-file",
            credential: "opencoin-password",
        };
        source.read("password of the account")
    }
}

impl NewPasswordArgs {
    /// The new password: asked for twice where it is typed.
    pub fn read(&self) -> Result<Passphrase> {
        let source = Source {
            name: "new password",
            file: self.new_password_file.as_deref(),
            variable: "OPENCOIN_NEW_PASSWORD",
            flag: "--new-password-file",
            credential: "opencoin-new-password",
        };
        source.read_new("new password")
    }
}

/// The key of a service.
pub fn service_key(file: Option<&Path>) -> Result<Passphrase> {
    let source = Source {
        name: "key of the service",
        file,
        variable: "OPENCOIN_SERVICE_KEY",
        flag: "--key-file",
        credential: "opencoin-service-key",
    };
    source.read("key of the service")
}

/// A passphrase that is to replace another: from this file, or typed twice.
pub fn replacement(file: Option<&Path>) -> Result<Passphrase> {
    let source = Source {
        name: "new passphrase",
        file,
        variable: "OPENCOIN_NEW_PASSPHRASE",
        flag: "--new-passphrase-file",
        credential: "opencoin-new-passphrase",
    };
    source.read_new("new passphrase")
}

impl Source<'_> {
    fn read(&self, prompt: &str) -> Result<Passphrase> {
        if let Some(given) = self.given()? {
            return Ok(given);
        }
        self.ask(prompt)
    }

    fn read_new(&self, prompt: &str) -> Result<Passphrase> {
        if let Some(given) = self.given()? {
            return Ok(given);
        }
        let first = self.ask(prompt)?;
        ensure!(
            self.ask("the same again")? == first,
            "these are two different ones; nothing was done"
        );
        Ok(first)
    }

    /// The secret where it can be had without asking anybody.
    fn given(&self) -> Result<Option<Passphrase>> {
        if let Some(path) = self.file {
            if let Some(exposure) =
                exposure(path).with_context(|| format!("cannot read the {}", self.name))?
            {
                bail!("{exposure}");
            }
            return self.of_file(path).map(Some);
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
        // Its folder is the service's own, whatever the modes of the files say.
        let credential =
            env::var_os(CREDENTIALS_DIRECTORY).map(|folder| PathBuf::from(folder).join(self.credential));
        credential
            .filter(|path| path.is_file())
            .map(|path| self.of_file(&path))
            .transpose()
    }

    fn of_file(&self, path: &Path) -> Result<Passphrase> {
        let read = || format!("cannot read the {} in {}", self.name, path.display());
        self.parse(Zeroizing::new(fs::read_to_string(path).with_context(read)?))
            .with_context(read)
    }

    fn ask(&self, prompt: &str) -> Result<Passphrase> {
        let Self {
            name, flag, variable, ..
        } = self;
        if !io::stdin().is_terminal() {
            bail!(
                "this needs the {name}: {flag} FILE, {variable} in the environment, or a terminal to type it on"
            );
        }
        let typed = rpassword::prompt_password(format!("{prompt}: ")).context("nothing can be typed here")?;
        self.parse(Zeroizing::new(typed))
    }

    fn parse(&self, text: Zeroizing<String>) -> Result<Passphrase> {
        Passphrase::new(text)
            .ok()
            .with_context(|| format!("the {} is empty", self.name))
    }
}
