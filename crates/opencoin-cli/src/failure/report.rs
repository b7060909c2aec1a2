//! What the user, or a program, reads of an error.

use std::fmt::Display;

use anyhow::Error;
use clap::{ArgMatches, Args};
use opencoin_terminal::output;
use opencoin_text::printable;
use opencoin_wallet::account::AccountError;
use opencoin_wallet::{ExchangeError, WalletError};
use serde_json::json;

use super::code;
use super::command_error::CommandError;
use super::kind::Failure;

/// The name of the flag for details.
const VERBOSE: &str = "verbose";
/// The name of the flag for output as JSON.
const JSON: &str = "json";

/// The option for details of errors.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct DetailArgs {
    /// After an error, show also what the issuer has said word for word, and which coins it is about.
    #[arg(long, global = true)]
    verbose: bool,
}

/// An error in the words and codes of the command line.
pub(crate) struct Report(CommandError);

impl Report {
    /// Collects what is known of an error.
    pub(crate) fn of(error: &Error) -> Self {
        let advice = error
            .downcast_ref::<CommandError>()
            .map(|error| error.advice.clone());
        Self(CommandError {
            failure: Failure::of(error),
            code: code::of(error),
            text: text_of(error),
            advice: advice.unwrap_or_default(),
            details: error.chain().flat_map(details_of).collect(),
        })
    }

    pub(super) fn advise(mut self, advice: &str) -> Self {
        self.0.advice.extend(advice.lines().map(str::to_owned));
        self
    }

    pub(super) fn reword(mut self, text: impl Into<String>) -> Self {
        self.0.text = text.into();
        self
    }

    pub(super) fn into_error(self) -> Error {
        self.0.into()
    }

    /// Writes the error to stderr, as the flags of the command say.
    pub(crate) fn show(&self, arguments: &ArgMatches) {
        let error = &self.0;
        if has_flag(arguments, JSON) {
            let value = json!({
                "advice": error.advice,
                "details": error.details,
                "error": error.code,
                "exit_code": error.failure as u8,
                "message": error.text,
            });
            output::complain(&value.to_string());
            return;
        }
        output::complain(&format!("error: {error}"));
        if has_flag(arguments, VERBOSE) {
            output::complain(&format!("  code: {}", error.code));
            for detail in &error.details {
                output::complain(&format!("  {detail}"));
            }
        }
    }
}

/// The text of an error with its causes, without advice.
fn text_of(error: &Error) -> String {
    let full = output::error_text(error);
    let settled = error.downcast_ref::<CommandError>();
    let advice = settled.map(|settled| settled.to_string()[settled.text.len()..].to_owned());
    match advice.as_deref().and_then(|advice| full.strip_suffix(advice)) {
        Some(text) => text.to_owned(),
        None => full,
    }
}

/// Whether a flag of the innermost command is set. `false` for an option of the same name that is no flag.
fn has_flag(arguments: &ArgMatches, name: &str) -> bool {
    let mut innermost = arguments;
    while let Some((_, arguments)) = innermost.subcommand() {
        innermost = arguments;
    }
    matches!(innermost.try_get_one::<bool>(name), Ok(Some(true)))
}

/// What the text of a cause leaves out.
fn details_of(cause: &(dyn std::error::Error + 'static)) -> Vec<String> {
    if let Some(error) = cause.downcast_ref::<CommandError>() {
        return error.details.clone();
    }
    if let Some(error) = cause.downcast_ref::<AccountError>() {
        return match error {
            AccountError::Refused {
                status,
                word,
                description,
            } => vec![
                detail("HTTP status", status),
                detail("the issuer's word", word),
                detail("the issuer's text", description),
            ],
            AccountError::TooSoon { description, .. } => vec![detail("the issuer's text", description)],
            AccountError::Open(_) | AccountError::File(_) => Vec::new(),
        };
    }
    match cause.downcast_ref::<WalletError>() {
        Some(WalletError::Exchange(error)) => details_of_exchange(error),
        Some(WalletError::NoGoodCoin(left_out)) => left_out
            .iter()
            .map(|left_out| printable(&left_out.to_string()))
            .collect(),
        _ => Vec::new(),
    }
}

fn details_of_exchange(error: &ExchangeError) -> Vec<String> {
    match error {
        ExchangeError::Refused {
            word,
            description,
            coins,
            count: _,
        } => {
            let coins = coins
                .iter()
                .map(|coins| detail("refused coins of the request, from 0", coins));
            [
                detail("the issuer's word", word),
                detail("the issuer's text", description),
            ]
            .into_iter()
            .chain(coins)
            .collect()
        }
        ExchangeError::Delayed { description } => vec![detail("the issuer's text", description)],
        ExchangeError::NotSent(_)
        | ExchangeError::Recoup
        | ExchangeError::Unknown(_)
        | ExchangeError::NeedsToken(_) => Vec::new(),
    }
}

fn detail(name: &str, value: &impl Display) -> String {
    format!("{name}: {}", printable(&value.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::explained;

    fn taken() -> Error {
        let refused = ExchangeError::Refused {
            word: "double-spend".to_owned(),
            description: "double-spend: coins were spent before: [0]".to_owned(),
            coins: Some("0".to_owned()),
            count: None,
        };
        WalletError::Exchange(refused).into()
    }

    #[test]
    fn advice_changes_neither_code_nor_details() {
        let error = explained(explained(taken(), "ask for others"), "or\ntwo lines");
        let Report(shown) = Report::of(&error);
        assert_eq!((shown.code, shown.failure), ("double-spend", Failure::Refused));
        assert_eq!(shown.advice, ["ask for others", "or", "two lines"]);
        assert!(
            shown
                .details
                .contains(&"refused coins of the request, from 0: 0".to_owned()),
            "{shown:?}"
        );
        assert!(
            !shown.text.contains("double-spend") && !shown.text.contains("[0]"),
            "{shown:?}"
        );
        assert!(
            error.to_string().ends_with("ask for others\nor\ntwo lines"),
            "{error}"
        );
    }

    #[test]
    fn a_context_keeps_advice() {
        let error = explained(taken(), "ask for others").context("the file is kept");
        let Report(shown) = Report::of(&error);
        assert_eq!(shown.code, "double-spend");
        assert_eq!(shown.advice, ["ask for others"]);
        assert!(
            shown.text.starts_with("the file is kept: ") && shown.text.ends_with("somebody else"),
            "{shown:?}"
        );
    }
}
