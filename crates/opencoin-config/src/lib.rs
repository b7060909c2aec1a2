//! The settings of an issuer, merged from `issuer.toml`, environment variables and flags.

mod bank;
mod config;
mod database;
mod redact;
mod rotation;
mod sections;
mod settings;
mod signer;
mod table;

pub use bank::{BankConfig, BankCsvConfig, BankSettingError};
pub use config::{Config, DATABASE_DEFAULT, KeyConfig, LISTEN_DEFAULT};
pub use database::{ADDRESS_FORMS, SQLITE_SCHEME, is_address, is_shared};
pub use redact::hide_passwords;
pub use rotation::{CLOCK_SKEW, RotationPolicy, Span, Window};
pub use sections::{
    AccountsConfig, AdminConfig, LimitsConfig, LogConfig, LogFormat, ProxyConfig, PublicLogConfig,
    RelayConfig, SupplyFigures, TlsConfig, WebConfig, WhenShort,
};
pub use settings::{Origin, Overrides, SettingEntry, Settings, SettingsError};
pub use signer::{Lanes, SignerConfig, SignerProcess};
pub use table::{SETTINGS, Setting, SettingKind};
