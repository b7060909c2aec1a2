//! `opencoin issuer check`: checks everything that a server needs, without serving and without changing anything.
//!
//! Writes one line for each check: `ok`, `warn` or `FAILED`, the last two with advice. Omits checks that depend on a
//! failed one, so that one mistake causes one line.

mod disk;
mod history;
mod network;
mod public_log;
mod stores;

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use opencoin_config::{Config, KeyConfig, hide_passwords};
use opencoin_issuer::{AdminScope, AdminTokens, SecondPersonLimit};
use opencoin_keys::{Currency, Directory};
use opencoin_private_files::exposure;
use opencoin_terminal::output::{self, OutputArgs};
use opencoin_terminal::secret_args::{KeySecretArgs, LogSecretArgs};
use opencoin_text::printable;
use serde::Serialize;

use crate::currency_unit::CurrencyUnit;
use crate::dir_args::DirArgs;
use crate::settings_args::SettingsArgs;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    dir: DirArgs,
    #[command(flatten)]
    secrets: KeySecretArgs,
    #[command(flatten)]
    log_secret: LogSecretArgs,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// With fewer tokens that may move money nobody can consent to what another one proposes.
const SECOND_PERSON_CASHIERS_MIN: usize = 2;

/// The results so far.
#[derive(Debug, Default)]
struct Report(Vec<Finding>);

#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    result: Outcome,
    detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Ok,
    Warn,
    Failed,
}

/// The input of all checks.
struct Subject<'arguments> {
    directory: &'arguments Directory,
    config: &'arguments Config,
    secrets: &'arguments KeySecretArgs,
}

pub(crate) async fn run(arguments: &Arguments, output: OutputArgs) -> Result<ExitCode> {
    let mut report = Report::default();
    match arguments
        .dir
        .directory_with(&arguments.settings)
        .and_then(|directory| Ok((directory.settings()?, directory)))
    {
        Ok((settings, directory)) => {
            report.ok(
                "settings",
                format!(
                    "{}, the environment and the flags are valid",
                    settings.file().display()
                ),
            );
            let subject = Subject {
                directory: &directory,
                config: &settings.config,
                secrets: &arguments.secrets,
            };
            folder(&subject, &mut report);
            stores::lanes(&subject, &mut report);
            let currency = certificates(&subject, &mut report);
            pending(&subject, &mut report);
            disk::room(&subject, &mut report);
            let opened = stores::books(&subject, &mut report).await;
            history::guard(&subject, opened.as_ref(), &mut report).await;
            let books = opened.map(|opened| opened.books);
            let log = books.as_ref().map(|books| Arc::clone(&books.log));
            let ledger = books.map(|books| books.ledger);
            stores::keys(&subject, currency.as_ref(), ledger.as_deref(), &mut report).await;
            public_log::keys(&subject, currency.as_ref(), &arguments.log_secret, &mut report);
            public_log::state(currency.as_ref(), log.as_deref(), &mut report).await;
            stores::windows(currency.as_ref(), ledger.as_deref(), &mut report).await;
            stores::waiting_keys(currency.as_ref(), ledger.as_deref(), &mut report).await;
            stores::clock(currency.as_ref(), ledger.as_deref(), &mut report).await;
            network::listeners(&subject, &mut report).await;
            admin_tokens(&subject, &mut report);
            second_person(&subject, currency.as_ref(), &mut report);
            network::tls(&subject, currency.as_ref(), &mut report);
        }
        Err(error) => report.failed("settings", output::error_text(&error)),
    }
    report.show(output)
}

/// Checks that other users cannot access the folder.
fn folder(subject: &Subject<'_>, report: &mut Report) {
    let root = subject.directory.root();
    let mut paths = vec![root.to_owned()];
    if let KeyConfig::Files { folder } = &subject.config.keys {
        paths.extend(Some(root.join(folder)).filter(|folder| folder.is_dir()));
    }
    let mut open = Vec::new();
    for path in &paths {
        match exposure(path) {
            Ok(exposure) => open.extend(exposure),
            Err(error) => return report.failed("folder", error.to_string()),
        }
    }
    if open.is_empty() {
        report.ok("folder", format!("only the owner can access {}", root.display()));
    } else {
        report.warn("folder", open.join("; "));
    }
}

/// Checks that the server can read the operators' tokens and other users cannot.
fn admin_tokens(subject: &Subject<'_>, report: &mut Report) {
    let tokens = AdminTokens::in_folder(subject.directory.root());
    let list = match tokens.list() {
        Ok(list) => list,
        Err(error) => {
            return report.failed("admin tokens", format!("{error}; until then /v1/admin is closed"));
        }
    };
    if !tokens.file().exists() {
        if subject.config.admin.listen.is_some() {
            report.ok(
                "admin tokens",
                "none: /v1/admin is closed until `opencoin issuer admin-token create NAME`",
            );
        }
        return;
    }
    match exposure(tokens.file()) {
        Ok(None) => report.ok(
            "admin tokens",
            format!("{}, and only the owner can access their file", list.len()),
        ),
        Ok(Some(open)) => report.warn("admin tokens", open),
        Err(error) => report.failed("admin tokens", error.to_string()),
    }
}

/// Checks that the limit above which a second operator must consent is an amount of the currency, and that there are two.
fn second_person(subject: &Subject<'_>, currency: Option<&Currency>, report: &mut Report) {
    let (Some(currency), Some(_)) = (currency, &subject.config.admin.second_person_above) else {
        return;
    };
    let unit = CurrencyUnit::of(currency.current().cdd());
    let limit = match SecondPersonLimit::of(&subject.config.admin, unit.divisor, &unit.name) {
        Ok(limit) => limit.amount().map_or(0, |amount| amount.units()),
        Err(error) => return report.failed("second person", format!("admin.second_person_above: {error}")),
    };
    let limit = unit.show(limit);
    let tokens = AdminTokens::in_folder(subject.directory.root()).list();
    let cashiers = tokens.map_or(0, |tokens| {
        let cashiers = tokens
            .iter()
            .filter(|token| token.scopes.contains(&AdminScope::Cashier));
        cashiers.count()
    });
    if cashiers < SECOND_PERSON_CASHIERS_MIN {
        report.warn(
            "second person",
            format!(
                "what moves more than {limit} needs two operators, and {cashiers} tokens have the scope `cashier`; the others \
                can only consent on the command line"
            ),
        );
    } else {
        report.ok(
            "second person",
            format!(
                "what moves more than {limit} needs two of {cashiers} operators with the scope `cashier`"
            ),
        );
    }
}

fn certificates(subject: &Subject<'_>, report: &mut Report) -> Option<Currency> {
    match subject.directory.currency() {
        Ok(currency) => {
            let (cdd, count) = (currency.current().cdd(), currency.mint_keys().count());
            let (name, serial) = (printable(&cdd.currency_name), cdd.cdd_serial);
            report.ok(
                "certificates",
                format!("{name}, CDD {serial} and {count} mint keys verify"),
            );
            Some(currency)
        }
        Err(error) => {
            report.failed("certificates", error.to_string());
            None
        }
    }
}

/// Checks whether a request waits for the master key.
fn pending(subject: &Subject<'_>, report: &mut Report) {
    match subject.directory.pending() {
        Ok(None) => {}
        Ok(Some(request)) => report.warn(
            "pending request",
            format!(
                "{} waits for the master key, fingerprint {}; until the certificates are imported nothing else is signed",
                subject.directory.pending_file().display(),
                request.fingerprint()
            ),
        ),
        Err(error) => report.failed(
            "pending request",
            format!("{error}; no key rotates until the file is repaired or removed"),
        ),
    }
}

impl Report {
    fn ok(&mut self, check: &'static str, detail: impl Into<String>) {
        self.add(check, Outcome::Ok, detail.into());
    }

    fn warn(&mut self, check: &'static str, detail: impl Into<String>) {
        self.add(check, Outcome::Warn, detail.into());
    }

    fn failed(&mut self, check: &'static str, detail: impl Into<String>) {
        self.add(check, Outcome::Failed, detail.into());
    }

    fn add(&mut self, check: &'static str, result: Outcome, detail: String) {
        self.0.push(Finding {
            check,
            result,
            detail: hide_passwords(&detail),
        });
    }

    fn show(&self, output: OutputArgs) -> Result<ExitCode> {
        let passed = self.0.iter().all(|finding| finding.result != Outcome::Failed);
        let line = |finding: &Finding| {
            let word = match finding.result {
                Outcome::Ok => "ok",
                Outcome::Warn => "warn",
                Outcome::Failed => "FAILED",
            };
            format!("{word:6}  {}: {}", finding.check, finding.detail)
        };
        output.show(
            serde_json::json!({ "passed": passed, "checks": self.0 }),
            self.0.iter().map(line),
        )?;
        Ok(if passed {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}
