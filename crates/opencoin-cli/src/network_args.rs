//! The options for connections: certificate authorities and a proxy. The warning about connections without TLS.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use opencoin_terminal::output;
use opencoin_text::IssuerUrl;
use opencoin_wallet::{Authorities, Network, SocksProxy};
use rand::Rng;
use rand::rngs::OsRng;

#[derive(Debug, Clone, Args)]
pub(crate) struct NetworkArgs {
    /// A PEM file of certificate authorities to trust in addition to the system's, for example of a test currency.
    #[arg(long, value_name = "FILE", env = "OPENCOIN_CA_FILE", global = true)]
    ca_file: Option<PathBuf>,
    /// Send every request through this SOCKS5 proxy, which also resolves the names: `socks5h://127.0.0.1:9050` for Tor.
    #[arg(long, value_name = "URL", env = "OPENCOIN_PROXY", global = true)]
    proxy: Option<SocksProxy>,
}

impl NetworkArgs {
    /// The authorities of the file and the proxy, as far as they are given.
    pub(crate) fn network(&self) -> Result<Network> {
        // At the proxy, this process shares no circuit with an earlier one.
        let isolated = |proxy: &SocksProxy| {
            proxy
                .clone()
                .isolated_by(&format!("{:032x}", OsRng.r#gen::<u128>()))
        };
        Ok(Network {
            authorities: self.authorities()?,
            proxy: self.proxy.as_ref().map(isolated),
        })
    }

    fn authorities(&self) -> Result<Authorities> {
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
