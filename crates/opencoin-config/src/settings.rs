//! The effective settings and the origin of each. Flags override the environment, which overrides the file, which
//! overrides the defaults.
//!
//! The layers are merged as text and parsed as one [`Config`] at the end, so that a table may be spread over several
//! layers. A value that cannot be parsed is an error that names the flag, the variable or the line of the file. A layer
//! that changes the kind of a table (`keys.store`, `signer.by`) replaces the whole table of lower layers. An empty
//! variable or flag removes the value of lower layers.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use thiserror::Error;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use crate::config::{Config, values};
use crate::redact::hide_passwords;
use crate::table::{OTHER_VARIABLES, SETTINGS, Setting, SettingKind, VARIABLE_PREFIX};

/// The least similarity of a suggestion to a misspelt name (Jaro-Winkler; 1 is the same).
const SIMILARITY_MIN: f64 = 0.8;

/// The settings of the environment and of the command line.
#[derive(Clone, Default)]
pub struct Overrides {
    environment: BTreeMap<&'static str, String>,
    flags: BTreeMap<&'static str, String>,
}

/// The origin of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "from", rename_all = "lowercase")]
pub enum Origin {
    /// No layer has a value.
    Default,
    /// The file.
    File {
        /// The line, counted from 1.
        line: usize,
    },
    /// The environment.
    Environment {
        /// The name of the variable.
        name: String,
    },
    /// The command line.
    Flag {
        /// The flag with its dashes.
        name: String,
    },
}

/// The effective settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The values.
    pub config: Config,
    file: PathBuf,
    origins: BTreeMap<&'static str, Origin>,
}

/// A setting as people read it, without passwords.
#[derive(Debug, Clone, PartialEq)]
pub struct SettingEntry {
    /// The path in `issuer.toml`.
    pub path: &'static str,
    /// The effective value, if any.
    pub value: Option<Value>,
    /// Where the value comes from.
    pub origin: Origin,
}

/// Why the settings cannot be loaded. The texts contain no passwords.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// The file is not valid TOML.
    #[error("{}, line {line}: {reason}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The parser's message.
        reason: String,
    },
    /// A name that no setting has.
    #[error("{place}: there is no setting {name:?}{}", suggestion.as_ref().map(|name| format!("; did you mean {name:?}?")).unwrap_or_default())]
    Unknown {
        /// The file and line, or the environment.
        place: String,
        /// The unknown name.
        name: String,
        /// The most similar name of a setting.
        suggestion: Option<String>,
    },
    /// A wrong or a missing value.
    #[error("{place}: {reason}")]
    Value {
        /// The file and line, the variable or the flag.
        place: String,
        /// What is wrong.
        reason: String,
    },
}

impl Overrides {
    /// Takes the settings from environment variables. Ignores variables without our prefix.
    ///
    /// # Errors
    /// A variable with our prefix belongs to no setting.
    pub fn of_environment(
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let mut environment = BTreeMap::new();
        for (name, value) in variables {
            if !name.starts_with(VARIABLE_PREFIX) || OTHER_VARIABLES.contains(&name.as_str()) {
                continue;
            }
            let Some(setting) = SETTINGS.iter().find(|setting| setting.variable() == name) else {
                let known = SETTINGS
                    .iter()
                    .map(Setting::variable)
                    .chain(OTHER_VARIABLES.map(str::to_owned));
                let suggestion = most_similar(&name, known);
                return Err(SettingsError::Unknown {
                    place: "the environment".to_owned(),
                    name,
                    suggestion,
                });
            };
            environment.insert(setting.path, value);
        }
        Ok(Self {
            environment,
            flags: BTreeMap::new(),
        })
    }

    /// Adds the values of flags, by the path of the setting.
    #[must_use]
    pub fn with_flags(mut self, flags: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        self.flags.extend(flags);
        self
    }

    /// The environment's value of this setting.
    #[must_use]
    pub fn environment(&self, path: &str) -> Option<&str> {
        self.environment.get(path).map(String::as_str)
    }
}

impl Settings {
    /// Parses the text of a file and applies `overrides`.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub fn load(file: &Path, text: &str, overrides: &Overrides) -> Result<Self, SettingsError> {
        let mut layers = Layers::of_file(file, text)?;
        let variable = |setting: &Setting| Origin::Environment {
            name: setting.variable(),
        };
        layers.add(&overrides.environment, variable)?;
        layers.add(&overrides.flags, |setting| Origin::Flag {
            name: format!("--{}", setting.flag()),
        })?;
        layers.parse()
    }

    /// The path of the file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The origin of the setting at this path.
    #[must_use]
    pub fn origin(&self, path: &str) -> &Origin {
        self.origins.get(path).unwrap_or(&Origin::Default)
    }

    /// Each setting with its value, if any, and its origin. Passwords are hidden.
    #[must_use]
    pub fn entries(&self) -> Vec<SettingEntry> {
        let mut values = values(&self.config);
        let entry = |setting: &Setting| SettingEntry {
            path: setting.path,
            value: values.remove(setting.path).map(|value| match value {
                Value::String(text) => Value::String(hide_passwords(&text)),
                other => other,
            }),
            origin: self.origin(setting.path).clone(),
        };
        SETTINGS.iter().map(entry).collect()
    }
}

/// The merged layers so far.
struct Layers<'path> {
    file: &'path Path,
    table: Table,
    origins: BTreeMap<&'static str, Origin>,
}

impl<'path> Layers<'path> {
    fn of_file(file: &'path Path, text: &str) -> Result<Self, SettingsError> {
        let line = |at: usize| {
            text.get(..at)
                .map_or(1, |before| before.matches('\n').count() + 1)
        };
        let syntax = |error: toml::de::Error| SettingsError::Syntax {
            file: file.to_owned(),
            line: error.span().map_or(1, |span| line(span.start)),
            reason: hide_passwords(error.message()),
        };
        let spanned = DeTable::parse(text).map_err(syntax)?;
        let table: Table = toml::from_str(text).map_err(syntax)?;
        let mut origins = BTreeMap::new();
        for (path, at) in leaves("", spanned.get_ref()) {
            let line = line(at);
            if let Some(setting) = Setting::of_path(&path) {
                origins.insert(setting.path, Origin::File { line });
                continue;
            }
            let place = format!("{}, line {line}", file.display());
            if SETTINGS.iter().any(|setting| setting.table() == path) {
                let reason = format!("{path} is a table: write [{path}] and its settings below");
                return Err(SettingsError::Value { place, reason });
            }
            let suggestion = most_similar(&path, SETTINGS.iter().map(|setting| setting.path.to_owned()));
            return Err(SettingsError::Unknown {
                place,
                name: path,
                suggestion,
            });
        }
        Ok(Self { file, table, origins })
    }

    /// Merges one layer over the others. Applies settings that select the keys of a table first.
    fn add(
        &mut self,
        values: &BTreeMap<&'static str, String>,
        origin: impl Fn(&Setting) -> Origin,
    ) -> Result<(), SettingsError> {
        let settings = || {
            SETTINGS
                .iter()
                .filter_map(|setting| Some((setting, values.get(setting.path)?)))
        };
        let is_tag = |setting: &Setting| setting.kind == SettingKind::Tag;
        for (setting, text) in settings()
            .filter(|(setting, _)| is_tag(setting))
            .chain(settings().filter(|(setting, _)| !is_tag(setting)))
        {
            let origin = origin(setting);
            if text.is_empty() && setting.kind != SettingKind::List {
                self.remove(setting);
                continue;
            }
            let value = parse(setting.kind, text).map_err(|reason| SettingsError::Value {
                place: origin.to_string(),
                reason,
            })?;
            if is_tag(setting) && value_at(&self.table, setting.path) != Some(&value) {
                self.remove(setting);
            }
            self.set(setting, value, origin);
        }
        Ok(())
    }

    fn set(&mut self, setting: &Setting, value: Value, origin: Origin) {
        let path = setting.path;
        let (table, key) = path
            .rsplit_once('.')
            .map_or((None, path), |(table, key)| (Some(table), key));
        let inner = match table {
            None => Some(&mut self.table),
            Some(table) => self
                .table
                .entry(table)
                .or_insert_with(|| Value::Table(Table::new()))
                .as_table_mut(),
        };
        inner
            .expect("`of_file` refuses a value in the place of a table")
            .insert(key.to_owned(), value);
        self.origins.insert(setting.path, origin);
    }

    /// Removes the value of lower layers. Removes all keys that a setting selects in its table.
    fn remove(&mut self, setting: &Setting) {
        if setting.kind == SettingKind::Tag {
            let is_selected = |other: &&Setting| other.table() == setting.table() && !other.is_beside_tag;
            SETTINGS
                .iter()
                .filter(is_selected)
                .for_each(|other| self.remove_one(other));
        } else {
            self.remove_one(setting);
        }
    }

    fn remove_one(&mut self, setting: &Setting) {
        self.origins.remove(setting.path);
        match setting.path.rsplit_once('.') {
            None => drop(self.table.remove(setting.path)),
            Some((table, key)) => {
                if let Some(inner) = self.table.get_mut(table).and_then(Value::as_table_mut) {
                    inner.remove(key);
                    if inner.is_empty() {
                        self.table.remove(table);
                    }
                }
            }
        }
    }

    fn parse(self) -> Result<Settings, SettingsError> {
        let config: Config =
            serde_path_to_error::deserialize(Value::Table(self.table.clone())).map_err(|error| {
                let path = error.path().to_string();
                self.wrong(&path, error.inner().message())
            })?;
        config
            .check()
            .map_err(|(path, reason)| self.wrong(path, &reason))?;
        Ok(Settings {
            config,
            file: self.file.to_owned(),
            origins: self.origins,
        })
    }

    /// An error that names the origin of a value, or of all values of a table in which one is missing.
    fn wrong(&self, path: &str, reason: &str) -> SettingsError {
        let path = path.split('[').next().unwrap_or(path);
        let is_of =
            |known: &str| known == path || known.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
        let mut places: Vec<String> = Vec::new();
        for (_, origin) in self.origins.iter().filter(|(known, _)| is_of(known)) {
            match origin {
                Origin::Environment { name } | Origin::Flag { name } => places.push(name.clone()),
                Origin::File { line } if Setting::of_path(path).is_some() => {
                    places.push(format!("{}, line {line}, {path}", self.file.display()));
                }
                Origin::File { .. } | Origin::Default => {}
            }
        }
        if places.is_empty() {
            let table = if path == "." {
                String::new()
            } else {
                format!(", {path}")
            };
            places.push(format!("{}{table}", self.file.display()));
        }
        SettingsError::Value {
            place: places.join(", "),
            reason: hide_passwords(reason.trim()),
        }
    }
}

/// The paths of all values of a file, with their byte positions.
fn leaves(prefix: &str, table: &DeTable<'_>) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (key, value) in table {
        let path = if prefix.is_empty() {
            key.get_ref().to_string()
        } else {
            format!("{prefix}.{}", key.get_ref())
        };
        match value.get_ref() {
            DeValue::Table(inner) => found.extend(leaves(&path, inner)),
            _ => found.push((path, key.span().start)),
        }
    }
    found
}

fn value_at<'table>(table: &'table Table, path: &str) -> Option<&'table Value> {
    match path.split_once('.') {
        None => table.get(path),
        Some((outer, key)) => table.get(outer)?.get(key),
    }
}

fn parse(kind: SettingKind, text: &str) -> Result<Value, String> {
    let refuse = |expected: &str| format!("{:?} is not {expected}", hide_passwords(text));
    match kind {
        SettingKind::Text | SettingKind::Tag => Ok(Value::String(text.to_owned())),
        SettingKind::Flag => text
            .parse()
            .map(Value::Boolean)
            .map_err(|_| refuse("true or false")),
        SettingKind::Number => text
            .parse()
            .map(Value::Integer)
            .map_err(|_| refuse("a whole number")),
        SettingKind::List => {
            let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
            Ok(Value::Array(
                words.map(|word| Value::String(word.to_owned())).collect(),
            ))
        }
    }
}

/// The most similar known name, if one is similar enough. Compares with the path and with its last part.
fn most_similar(name: &str, known: impl Iterator<Item = String>) -> Option<String> {
    let similarity = |known: &str| {
        let inner = known
            .rsplit_once('.')
            .map_or(0.0, |(_, key)| strsim::jaro_winkler(name, key));
        inner.max(strsim::jaro_winkler(name, known))
    };
    let scored = known
        .map(|known| (similarity(&known), known))
        .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN);
    scored
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| known)
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::File { line } => write!(formatter, "file, line {line}"),
            Self::Environment { name } => write!(formatter, "environment, {name}"),
            Self::Flag { name } => write!(formatter, "flag, {name}"),
        }
    }
}

impl fmt::Debug for Overrides {
    /// Omits the values, because a database address can contain a password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (environment, flags) = (self.environment.keys(), self.flags.keys());
        write!(
            formatter,
            "Overrides {{ environment: {environment:?}, flags: {flags:?} }}"
        )
    }
}

#[cfg(test)]
mod tests;
