//! The fields of the form with which a statement is uploaded: the columns of a table, and how it is written.

use opencoin_config::BankCsvConfig;
use opencoin_http::Server;
use opencoin_issuer::accounts::text;

use crate::console::desk::Desk;
use crate::messages::{Message, Messages};
use crate::steps::Draft;
use crate::uploads::file_bytes_max;

/// What is typed into the form besides the file.
pub(super) const FIELDS: [&str; 13] = [
    "day",
    "amount",
    "text",
    "party",
    "party_account",
    "currency",
    "direction",
    "account",
    "bank_reference",
    "delimiter",
    "encoding",
    "decimal",
    "date_format",
];
/// The settings have a tab as these two characters.
const TAB: &str = "\\t";
const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// A choice of a list: its value, what it says, and whether it is the chosen one.
pub(super) type Choice = (String, Message, bool);

/// The lists of the form.
pub(super) struct Choices {
    pub(super) delimiters: Vec<Choice>,
    pub(super) encodings: Vec<Choice>,
    pub(super) decimals: Vec<Choice>,
    pub(super) days: Vec<Choice>,
    /// Whether the columns are shown at once: they are not known, or something is wrong with them.
    pub(super) is_open: bool,
}

impl Choices {
    pub(super) fn of(draft: &Draft, t: Messages) -> Self {
        let list = |name: &str, known: &[(&str, Message)]| {
            let chosen = draft.value(name);
            let mut list: Vec<Choice> = known
                .iter()
                .map(|(value, says)| ((*value).to_owned(), says.clone(), *value == chosen))
                .collect();
            // A setting of another server than the usual ones.
            if !chosen.is_empty() && !list.iter().any(|(_, _, is_chosen)| *is_chosen) {
                list.push((chosen.to_owned(), t.bank_as_set(chosen), true));
            }
            list
        };
        Self {
            delimiters: list(
                "delimiter",
                &[
                    (";", t.bank_semicolon().into()),
                    (",", t.bank_comma().into()),
                    (TAB, t.bank_tab().into()),
                ],
            ),
            encodings: list(
                "encoding",
                &[
                    ("utf-8", t.bank_utf8().into()),
                    ("windows-1252", t.bank_windows().into()),
                ],
            ),
            decimals: list(
                "decimal",
                &[
                    (",", t.bank_comma_amount().into()),
                    (".", t.bank_point_amount().into()),
                ],
            ),
            days: list(
                "date_format",
                &[
                    ("DD.MM.YYYY", "31.12.2026".into()),
                    ("DD.MM.YY", "31.12.26".into()),
                    ("YYYY-MM-DD", "2026-12-31".into()),
                    ("DD/MM/YYYY", "31/12/2026".into()),
                    ("MM/DD/YYYY", "12/31/2026".into()),
                ],
            ),
            is_open: FIELDS.iter().any(|name| draft.fault(name).is_some()),
        }
    }
}

/// How large a file may be, in words. It is not rounded up, so that a file of this size is taken.
pub(super) fn size_max(server: &Server) -> String {
    match file_bytes_max(server) {
        bytes if bytes < MIB => format!("{} KiB", bytes / KIB),
        bytes => format!("{} MiB", bytes / MIB),
    }
}

/// A form with the columns of the settings.
pub(super) fn fresh(server: &Server, desk: &Desk) -> Draft {
    let mut draft = Draft::fresh(desk.new_key());
    for (name, value) in typed(&server.issuer().bank_desk().settings().columns) {
        draft.fill(name, value);
    }
    draft
}

/// The columns as they are typed.
fn typed(columns: &BankCsvConfig) -> [(&'static str, String); FIELDS.len()] {
    let columns = columns.clone();
    let optional = Option::unwrap_or_default;
    let delimiter = match columns.delimiter.as_str() {
        "\t" => TAB.to_owned(),
        other => other.to_owned(),
    };
    [
        ("day", optional(columns.day)),
        ("amount", optional(columns.amount)),
        ("text", columns.text.join(", ")),
        ("party", optional(columns.party)),
        ("party_account", optional(columns.party_account)),
        ("currency", optional(columns.currency)),
        ("direction", optional(columns.direction)),
        ("account", optional(columns.account)),
        ("bank_reference", optional(columns.bank_reference)),
        ("delimiter", delimiter),
        ("encoding", columns.encoding),
        ("decimal", columns.decimal),
        ("date_format", columns.date_format),
    ]
}

/// The columns that the form names. What is wrong is noted in the draft. If nothing was changed, they are those of the
/// settings, some of which cannot be typed.
pub(super) fn columns(draft: &mut Draft, set: &BankCsvConfig, t: Messages) -> BankCsvConfig {
    let is_unchanged = |(name, value): &(&str, String)| draft.value(name) == value.trim();
    if typed(set).iter().all(is_unchanged) {
        return set.clone();
    }
    for name in FIELDS {
        let is_list = name == "text";
        let mut values = draft.value(name).split(|mark| is_list && mark == ',');
        if values.any(|value| !value.trim().is_empty() && text(name, value.trim()).is_err()) {
            draft.blame(name, t.common_wrong_text());
        }
    }
    let value = |name: &str| draft.value(name).to_owned();
    let optional = |name: &str| Some(value(name)).filter(|value| !value.is_empty());
    let texts = draft.value("text").split(',').map(str::trim);
    BankCsvConfig {
        delimiter: value("delimiter"),
        encoding: value("encoding"),
        decimal: value("decimal"),
        date_format: value("date_format"),
        day: optional("day"),
        amount: optional("amount"),
        text: texts.filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        currency: optional("currency"),
        direction: optional("direction"),
        party: optional("party"),
        party_account: optional("party_account"),
        account: optional("account"),
        bank_reference: optional("bank_reference"),
    }
}
