//! A flag for each setting of `issuer.toml`, generated from the list of settings.

use std::collections::BTreeMap;
use std::env;

use anyhow::Result;
use clap::error::Error;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use opencoin_config::{Overrides, SETTINGS, SettingKind};

const HEADING: &str = "Settings, which override the environment and issuer.toml";

/// The settings on the command line, by path.
#[derive(Debug, Clone, Default)]
pub(crate) struct SettingsArgs(BTreeMap<&'static str, String>);

impl SettingsArgs {
    pub(crate) fn given(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.0.iter().map(|(path, value)| (*path, value.clone()))
    }
}

/// Reads the settings of the environment. Replaces invalid UTF-8, so a wrong value is an error when it is parsed.
pub(crate) fn of_environment() -> Result<Overrides> {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    Ok(Overrides::of_environment(
        env::vars_os().map(|(name, value)| (text(name), text(value))),
    )?)
}

impl Args for SettingsArgs {
    fn augment_args(command: Command) -> Command {
        SETTINGS.iter().fold(command, |command, setting| {
            let name = match setting.kind {
                SettingKind::Flag => "true|false",
                SettingKind::Number => "N",
                SettingKind::List => "A,B,...",
                SettingKind::Text | SettingKind::Tag => "VALUE",
            };
            let argument = Arg::new(setting.path)
                .long(setting.flag())
                .value_name(name)
                .help(format!("{} [env: {}]", setting.help, setting.variable()))
                .help_heading(HEADING)
                .hide_short_help(true);
            command.arg(match setting.kind {
                SettingKind::Flag => argument
                    .num_args(0..=1)
                    .require_equals(true)
                    .default_missing_value("true"),
                // So that the error for a negative number says that it is out of range, not that the flag is unknown.
                SettingKind::Number => argument.allow_negative_numbers(true),
                SettingKind::List | SettingKind::Text | SettingKind::Tag => argument,
            })
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingsArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut given = Self::default();
        given.update_from_arg_matches(matches)?;
        Ok(given)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        for setting in SETTINGS {
            if let Some(value) = matches.get_one::<String>(setting.path) {
                self.0.insert(setting.path, value.clone());
            }
        }
        Ok(())
    }
}
