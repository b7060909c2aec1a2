//! The option for additional certificate authorities, and the warning about connections without TLS.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use opencoin_terminal::output;
use opencoin_text::IssuerUrl;
use opencoin_wallet::Authorities;

#[derive(Debug, Clone, Args)]
pub(crate) struct NetworkArgs {
    /// A PEM file of certificate authorities to trust in addition to the system's, for example of a test currency.
    #[arg(long, value_name = "FILE", env = "OPENCOIN_CA_FILE", global = true)]
    ca_file: Option<PathBuf>,
}

impl NetworkArgs {
    /// Reads the authorities of the file, if one is given.
    pub(crate) fn authorities(&self) -> Result<Authorities> {
        let Some(path) = &self.ca_file else {
            return Ok(Authorities::default());
        };
        let read = || format!("cannot use the certificate authorities in {}", path.display());
        Authorities::from_pem(&fs::read(path).with_context(read)?).with_context(read)
    }
}

/// Warns about plain HTTP to another machine.
pub(crate) fn warn_if_exposed(url: &IssuerUrl, what_others_can: &str) {
    if url.is_exposed() {
        output::complain(&format!(
            "note: {url} does not use TLS: others on the network can {what_others_can}"
        ));
    }
}
