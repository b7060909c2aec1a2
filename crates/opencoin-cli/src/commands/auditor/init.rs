//! `opencoin auditor init`.

use anyhow::Result;
use clap::Args;
use opencoin_auditor::AuditorFolder;
use opencoin_log::key::{KeyName, VerifierKey};
use opencoin_terminal::output::OutputArgs;
use opencoin_terminal::secret_args::AuditorSecretArgs;
use rand::RngCore;
use rand::rngs::OsRng;
use serde_json::json;

use super::{AuditorDirArgs, bytes};

/// The random bytes in the name of an auditor that was given none.
const NAME_BYTES: usize = 4;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    dir: AuditorDirArgs,
    /// The name of the auditor: a URL without scheme, such as auditor.example/a1. It cannot change. Without it the auditor
    /// gets a random name.
    #[arg(long, value_name = "NAME")]
    name: Option<KeyName>,
    #[command(flatten)]
    secret: AuditorSecretArgs,
}

pub(crate) fn run(arguments: &Arguments, output: OutputArgs) -> Result<()> {
    let passphrase = arguments.secret.given()?;
    let folder = arguments.dir.folder();
    let vkeys = make(&folder, arguments.name.clone(), bytes(passphrase.as_ref()))?;
    let name = vkeys[0].name().to_string();
    let vkeys: Vec<String> = vkeys.iter().map(VerifierKey::to_string).collect();
    let mut lines = vec![format!("made the auditor {name}; its key:")];
    lines.extend(vkeys.clone());
    lines.push("add a currency with `opencoin auditor add`, then start `opencoin auditor serve`".to_owned());
    output.show(json!({ "name": name, "vkey": vkeys[0] }), lines)
}

/// Makes the folder and the key of an auditor.
pub(super) fn make(
    folder: &AuditorFolder,
    name: Option<KeyName>,
    passphrase: &[u8],
) -> Result<Vec<VerifierKey>> {
    let name = match name {
        Some(name) => name,
        None => {
            let mut random = [0; NAME_BYTES];
            OsRng.fill_bytes(&mut random);
            format!("auditor-{:08x}", u32::from_be_bytes(random)).parse()?
        }
    };
    Ok(folder.create(&name, passphrase, &mut OsRng)?.vkeys())
}
