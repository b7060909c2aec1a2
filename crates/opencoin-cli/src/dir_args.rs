//! The folder of a currency, with its settings.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use opencoin_keys::Directory;

use crate::settings_args::{self, SettingsArgs};

/// The folder of the currency.
#[derive(Debug, Args)]
pub(crate) struct DirArgs {
    /// The folder of the currency.
    #[arg(long, value_name = "D", env = "OPENCOIN_ISSUER_DIR")]
    pub(crate) dir: PathBuf,
    /// The file of the settings, where it is not issuer.toml in that folder.
    #[arg(long, value_name = "FILE", env = "OPENCOIN_ISSUER_CONFIG")]
    config: Option<PathBuf>,
}

impl DirArgs {
    /// The folder, with the settings that the file and the environment give it.
    pub(crate) fn directory(&self) -> Result<Directory> {
        self.directory_with(&SettingsArgs::default())
    }

    /// The folder, with the settings that the file, the environment and the command line give it.
    pub(crate) fn directory_with(&self, settings: &SettingsArgs) -> Result<Directory> {
        let overrides = settings_args::of_environment()?.with_flags(settings.given());
        Ok(Directory::new(&self.dir).with_settings(self.config.clone(), overrides))
    }
}
