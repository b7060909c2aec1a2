//! Whom connections trust besides the system's certificate authorities.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use opencoin_terminal::output;
use opencoin_text::IssuerUrl;
use opencoin_wallet::Authorities;

#[derive(Debug, Clone, Args)]
pub(crate) struct NetworkArgs {
    /// A file of certificate authorities (PEM) that are trusted besides the system's: a test currency has its
    /// own.
    #[arg(long, value_name = "FILE", env = "OPENCOIN_CA_FILE", global = true)]
    ca_file: Option<PathBuf>,
}

impl NetworkArgs {
    /// The authorities of the file, if one was named.
    pub(crate) fn authorities(&self) -> Result<Authorities> {
        let Some(path) = &self.ca_file else {
            return Ok(Authorities::default());
        };
        let read = || format!("cannot use the certificate authorities in {}", path.display());
        Authorities::from_pem(&fs::read(path).with_context(read)?).with_context(read)
    }
}

/// Says what others can do when the way to the issuer is not encrypted: plain HTTP to another machine.
pub(crate) fn warn_if_exposed(url: &IssuerUrl, what_others_can: &str) {
    if url.is_exposed() {
        output::complain(&format!(
            "note: {url} is without TLS (http://): others on the way can {what_others_can}"
        ));
    }
}
