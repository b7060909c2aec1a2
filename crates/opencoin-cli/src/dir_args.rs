//! The options for the folder of a currency.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use opencoin_keys::Directory;

use crate::settings_args::{self, SettingsArgs};

#[derive(Debug, Args)]
pub(crate) struct DirArgs {
    /// The folder of the currency.
    #[arg(long, value_name = "D", env = "OPENCOIN_ISSUER_DIR")]
    dir: PathBuf,
    /// The settings file. Default: issuer.toml in the folder of the currency.
    #[arg(long, value_name = "FILE", env = "OPENCOIN_ISSUER_CONFIG")]
    config: Option<PathBuf>,
}

impl DirArgs {
    /// The folder, with settings from the file and the environment.
    pub(crate) fn directory(&self) -> Result<Directory> {
        self.directory_with(&SettingsArgs::default())
    }

    /// The folder, with settings from the file, the environment and the command line.
    pub(crate) fn directory_with(&self, settings: &SettingsArgs) -> Result<Directory> {
        let overrides = settings_args::of_environment()?.with_flags(settings.given());
        Ok(Directory::new(&self.dir).with_settings(self.config.clone(), overrides))
    }
}
