//! `opencoin witness init`.

use anyhow::Result;
use clap::Args;
use opencoin_log::key::{KeyName, VerifierKey};
use opencoin_terminal::output::OutputArgs;
use opencoin_terminal::secret_args::WitnessSecretArgs;
use rand::rngs::OsRng;
use serde_json::json;

use super::WitnessDirArgs;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    dir: WitnessDirArgs,
    /// The name of the witness: a URL without scheme, such as witness.example/w1. It cannot change.
    #[arg(long, value_name = "NAME")]
    name: KeyName,
    /// Make an ML-DSA-44 key as well, for logs and readers that want signatures which resist quantum computers.
    #[arg(long)]
    ml_dsa: bool,
    #[command(flatten)]
    secret: WitnessSecretArgs,
}

pub(crate) async fn run(arguments: Arguments, output: OutputArgs) -> Result<()> {
    let passphrase = arguments.secret.new_passphrase()?;
    let folder = arguments.dir.folder();
    let keys = folder
        .create(&arguments.name, arguments.ml_dsa, passphrase.expose(), &mut OsRng)
        .await?;
    let vkeys: Vec<String> = keys.vkeys().iter().map(VerifierKey::to_string).collect();
    let mut lines = vec![format!("made the witness {}; its keys:", arguments.name)];
    lines.extend(vkeys.clone());
    lines.push("add a log with `opencoin witness add`, then start `opencoin witness serve`".to_owned());
    output.show(json!({ "name": arguments.name.as_str(), "vkeys": vkeys }), lines)
}
