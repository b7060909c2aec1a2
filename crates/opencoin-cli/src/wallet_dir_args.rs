//! The option for the folder of a wallet, and its default.

use std::env;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::failure;

#[derive(Debug, Clone, Args)]
pub(crate) struct WalletDirArgs {
    /// The folder of the wallet. Default: `opencoin/wallet` in $XDG_DATA_HOME or ~/.local/share.
    #[arg(long, value_name = "W", env = "OPENCOIN_WALLET_DIR", global = true)]
    dir: Option<PathBuf>,
}

impl WalletDirArgs {
    /// The folder, whether or not it exists.
    pub(crate) fn path(&self) -> Result<PathBuf> {
        let default = || {
            default(
                env::var_os("XDG_DATA_HOME").map(PathBuf::from),
                env::var_os("HOME").map(PathBuf::from),
            )
        };
        self.dir.clone().or_else(default).ok_or_else(|| {
            failure::usage(
                "say which wallet: --dir W, or OPENCOIN_WALLET_DIR in the environment (HOME is not set)",
            )
        })
    }

    /// ` --dir W` for the commands in messages; empty if the environment or the default names the same wallet.
    pub(crate) fn flag(&self) -> String {
        let is_elsewhere =
            |dir: &&PathBuf| env::var_os("OPENCOIN_WALLET_DIR").is_none_or(|named| named != dir.as_os_str());
        let dir = self.dir.as_ref().filter(is_elsewhere);
        dir.map(|dir| format!(" --dir {}", dir.display()))
            .unwrap_or_default()
    }
}

/// The default folder. Relative paths are ignored, as the XDG Base Directory Specification demands.
fn default(data: Option<PathBuf>, home: Option<PathBuf>) -> Option<PathBuf> {
    let data = data.filter(|path| path.is_absolute());
    let home = home.filter(|path| path.is_absolute());
    let data = data.or_else(|| home.map(|home| home.join(".local").join("share")))?;
    Some(data.join("opencoin").join("wallet"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_in_the_xdg_data_folder() {
        let in_home = Some("/home/a/.local/share/opencoin/wallet");
        for (data, home, expected) in [
            (Some("/data"), Some("/home/a"), Some("/data/opencoin/wallet")),
            (Some("data"), Some("/home/a"), in_home),
            (None, Some("/home/a"), in_home),
            (None, Some(""), None),
            (None, None, None),
        ] {
            let path = |text: Option<&str>| text.map(PathBuf::from);
            assert_eq!(default(path(data), path(home)), path(expected));
        }
    }
}
