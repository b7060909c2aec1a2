//! `opencoin master`: creates and uses a master key, preferably on a machine without a network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};
use opencoin_keys::{Clock, SigningRequest, SystemClock, Vault, change_passphrase};
use opencoin_schema::{from_json, text};
use opencoin_terminal::output::{self, OutputArgs};
use opencoin_terminal::secret_args::{self, MasterSecretArgs};
use rand::rngs::OsRng;
use serde_json::json;

use crate::confirmation::confirm;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Create a master key in a new folder.
    Create(CreateArguments),
    /// Describe the content of a signing request, and sign it.
    Sign(SignArguments),
    /// Encrypt the master key with another passphrase.
    Passphrase(PassphraseArguments),
}

#[derive(Debug, Args)]
pub(crate) struct PassphraseArguments {
    /// The folder of the master key. If it is on the machine of the currency: `master` in the currency's folder.
    #[arg(long, value_name = "D")]
    dir: PathBuf,
    #[command(flatten)]
    secret: MasterSecretArgs,
    /// A file that holds the new passphrase. Without it: `OPENCOIN_NEW_PASSPHRASE`, a systemd credential
    /// `opencoin-new-passphrase`, or a prompt.
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CreateArguments {
    /// The folder of the master key.
    #[arg(long, value_name = "D")]
    dir: PathBuf,
    /// The size of the key in bits, at least 3072.
    #[arg(long, default_value_t = 4096)]
    key_bits: usize,
    #[command(flatten)]
    secret: MasterSecretArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SignArguments {
    /// The request: `pending.json` of the currency's folder.
    request: PathBuf,
    /// The folder of the master key.
    #[arg(long, value_name = "D")]
    dir: PathBuf,
    /// The file for the certificates. It must not exist.
    #[arg(long, value_name = "FILE", default_value = "certificates.json")]
    out: PathBuf,
    /// Sign without asking. Read the output of `--show` first.
    #[arg(long, conflicts_with = "show")]
    yes: bool,
    /// Show what would be signed, and sign nothing.
    #[arg(long)]
    show: bool,
    #[command(flatten)]
    secret: MasterSecretArgs,
}

pub(crate) fn run(arguments: Arguments) -> Result<ExitCode> {
    let output = arguments.output;
    match arguments.command {
        Command::Create(arguments) => create(&arguments, output)?,
        Command::Sign(arguments) => return sign(&arguments, output),
        Command::Passphrase(arguments) => passphrase(&arguments, output)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn create(arguments: &CreateArguments, output: OutputArgs) -> Result<()> {
    let vault = Vault::new(&arguments.dir);
    ensure!(
        !vault.has_key(),
        "{} exists already; a master key is created once",
        vault.key_file().display()
    );
    let passphrase = arguments.secret.new_passphrase(None)?;
    let key = vault.create(arguments.key_bits, &passphrase, &mut OsRng)?;
    let (bits, id, file) = (key.modulus_bits(), key.id(), vault.key_file());
    output.show(
        json!({ "id": id.to_string(), "bits": bits, "file": file }),
        [
            format!("created a master key of {bits} bits: {}", file.display()),
            format!("the currency's id will be {id}"),
            "keep two copies of the folder in two places, and the passphrase in a third: the key cannot be replaced"
                .to_owned(),
        ],
    )
}

fn sign(arguments: &SignArguments, output: OutputArgs) -> Result<ExitCode> {
    let vault = Vault::new(&arguments.dir);
    ensure!(
        vault.has_key(),
        "{} does not exist; `opencoin master create` creates a master key",
        vault.key_file().display()
    );
    let request = read_request(&arguments.request)?;
    let (lines, fingerprint) = (
        vault.describe(&request, SystemClock.now())?,
        request.fingerprint(),
    );
    if arguments.show {
        output.show(json!({ "fingerprint": fingerprint, "request": lines }), &lines)?;
        return Ok(ExitCode::SUCCESS);
    }
    if !output.json {
        lines.iter().try_for_each(|line| output::line(line))?;
    }
    ensure!(
        !arguments.out.exists(),
        "{} exists already; name another file with --out",
        arguments.out.display()
    );
    if !arguments.yes && !confirm("Sign this?", "read it with --show, then sign it with --yes")? {
        output.show(json!({ "signed": false }), ["nothing was signed"])?;
        return Ok(ExitCode::FAILURE);
    }
    let passphrase = arguments.secret.passphrase(None)?;
    let answer = vault.sign(&request, &passphrase, SystemClock.now(), &mut OsRng)?;
    let written = fs::write(&arguments.out, text::compact(&answer));
    written.with_context(|| {
        format!(
            "cannot write {}; the same command gets the same certificates again",
            arguments.out.display()
        )
    })?;
    let file = arguments.out.display();
    output.show(
        json!({ "signed": true, "file": arguments.out, "fingerprint": fingerprint }),
        [format!(
            "signed; take {file} to the issuer: opencoin issuer import FILE --dir ..."
        )],
    )?;
    Ok(ExitCode::SUCCESS)
}

fn passphrase(arguments: &PassphraseArguments, output: OutputArgs) -> Result<()> {
    let key_file = Vault::new(&arguments.dir).key_file();
    ensure!(
        key_file.is_file(),
        "{} does not exist, so its passphrase cannot be changed here",
        key_file.display()
    );
    let old = arguments.secret.passphrase(None)?;
    let new = secret_args::replacement(arguments.new_passphrase_file.as_deref())?;
    let changed = change_passphrase(&arguments.dir, &old, &new, &mut OsRng)?;
    let said = if changed > 0 {
        "the master key has the new passphrase"
    } else {
        "the master key had this passphrase already"
    };
    output.show(json!({ "changed": changed > 0 }), [said])
}

fn read_request(path: &Path) -> Result<SigningRequest> {
    let json = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    from_json(&json).with_context(|| format!("{} is not a signing request", path.display()))
}
