//! The folder of a wallet: named, or the one that everybody has.

use std::env;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::failure;

#[derive(Debug, Clone, Args)]
pub(crate) struct WalletDirArgs {
    /// The folder of the wallet. Default: `opencoin/wallet` in the folder for data, which is $XDG_DATA_HOME or
    /// ~/.local/share.
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

    /// ` --dir W`, where the wallet is not the one that the environment or the default names: for commands
    /// that a message advises.
    pub(crate) fn flag(&self) -> String {
        let is_elsewhere =
            |dir: &&PathBuf| env::var_os("OPENCOIN_WALLET_DIR").is_none_or(|named| named != dir.as_os_str());
        let dir = self.dir.as_ref().filter(is_elsewhere);
        dir.map(|dir| format!(" --dir {}", dir.display()))
            .unwrap_or_default()
    }
}

/// XDG Base Directory Specification: a relative path in the variable does not count.
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
    fn the_default_is_in_the_folder_for_data() {
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(
            default(path("/data"), path("/home/a")),
            path("/data/opencoin/wallet")
        );
        assert_eq!(
            default(path("data"), path("/home/a")),
            path("/home/a/.local/share/opencoin/wallet")
        );
        assert_eq!(
            default(None, path("/home/a")),
            path("/home/a/.local/share/opencoin/wallet")
        );
        assert_eq!(default(None, path("")), None);
        assert_eq!(default(None, None), None);
    }
}
