//! The fields of the form with which a statement is uploaded: the columns of a table, and how it is written.

use opencoin_config::BankCsvConfig;
use opencoin_http::Server;
use opencoin_issuer::Refusal;
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
/// The form with the columns of the settings, and with those that are remembered.
const OF_SETTINGS: &str = "/console/bank?columns=settings";
const REMEMBERED: &str = "/console/bank?columns=remembered";
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
    /// Whether the columns are shown at once: somebody has asked for them, or something is wrong with them.
    pub(super) is_open: bool,
    /// Where the columns come from, if there are others.
    pub(super) source: Option<Source>,
}

impl Choices {
    pub(super) fn of(draft: &Draft, known: &Known, is_asked: bool, t: Messages) -> Self {
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
            is_open: is_asked || FIELDS.iter().any(|name| draft.fault(name).is_some()),
            source: known.source(draft, t),
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

/// The columns with which the form can be filled in.
pub(super) struct Known {
    of_settings: BankCsvConfig,
    /// Those that an operator typed for the newest booked table.
    remembered: Option<BankCsvConfig>,
}

/// What the form says about its columns, and where it is with others: an address and words.
pub(super) struct Source {
    pub(super) says: Option<&'static str>,
    pub(super) other: (&'static str, &'static str),
}

impl Known {
    pub(super) async fn of(server: &Server) -> Result<Self, Refusal> {
        let bank = server.issuer().bank_desk();
        Ok(Self {
            of_settings: bank.settings().columns.clone(),
            remembered: bank.remembered_columns().await?,
        })
    }

    /// A form with the columns that are remembered, or those of the settings.
    pub(super) fn fresh(&self, desk: &Desk, wants_settings: bool) -> Draft {
        let remembered = self.remembered.as_ref().filter(|_| !wants_settings);
        let mut draft = Draft::fresh(desk.new_key());
        for (name, value) in typed(remembered.unwrap_or(&self.of_settings)) {
            draft.fill(name, value);
        }
        draft
    }

    /// Where the columns of a form come from; `None` if there are none but those of the settings.
    pub(super) fn source(&self, draft: &Draft, t: Messages) -> Option<Source> {
        let remembered = self.remembered.as_ref()?;
        let to_settings = (OF_SETTINGS, t.bank_columns_to_settings());
        Some(if is_unchanged(draft, &self.of_settings) {
            Source {
                says: Some(t.bank_columns_of_settings()),
                other: (REMEMBERED, t.bank_columns_to_remembered()),
            }
        } else {
            Source {
                says: is_unchanged(draft, remembered).then(|| t.bank_columns_remembered()),
                other: to_settings,
            }
        })
    }

    /// The columns that a form names. What is wrong is noted in the draft. Columns that nobody has changed are taken as
    /// they are, because some of them cannot be typed.
    pub(super) fn read(&self, draft: &mut Draft, t: Messages) -> BankCsvConfig {
        let mut known = std::iter::once(&self.of_settings).chain(&self.remembered);
        if let Some(unchanged) = known.find(|columns| is_unchanged(draft, columns)) {
            return unchanged.clone();
        }
        let mut columns = BankCsvConfig::default();
        for name in FIELDS {
            let value = draft.value(name).to_owned();
            let is_list = name == "text";
            let mut values = value.split(|mark| is_list && mark == ',');
            if values.any(|value| !value.trim().is_empty() && text(name, value.trim()).is_err()) {
                draft.blame(name, t.common_wrong_text());
            }
            assert!(
                columns.set(name, &value),
                "the fields have the names of the settings"
            );
        }
        columns
    }
}

fn is_unchanged(draft: &Draft, columns: &BankCsvConfig) -> bool {
    let mut fields = typed(columns).into_iter();
    fields.all(|(name, value)| draft.value(name) == value.trim())
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
