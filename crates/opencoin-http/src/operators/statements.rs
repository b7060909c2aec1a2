//! Statements of the bank, as operators upload, preview and book them.

use axum::extract::State;
use axum::http::StatusCode;
#[cfg(feature = "openapi")]
use opencoin_api::{BankStatement, StatementPreview, shapes};
use opencoin_api::{BankStatements, BookStatement, StatementBooking};
use opencoin_bank::statement::StatementFormat;
use opencoin_config::BankCsvConfig;
use opencoin_issuer::accounts::{Page, page_length, text};
use opencoin_issuer::{ColumnsOf, Reason, Refusal, StatementFile};
use opencoin_ledger::bank::StatementNo;
use serde::Deserialize;
#[cfg(feature = "openapi")]
use utoipa::{IntoParams, ToSchema};

use super::bank_convert::{bank_statement, statement_preview, table_columns};
use super::operator::{Admin, ChangesAccounts, ReadsAccounts};
use crate::accounts::convert::number;
use crate::json::{File, HandlerResult, Json, Parameters, PathParameter, created, document};
#[cfg(feature = "openapi")]
use crate::problems::{
    Forbidden, Invalid, Malformed, NotFound, PreviewChanged, TooLarge, Unauthorized, Unavailable,
};

/// The name of a file whose name is not given.
const NAME_DEFAULT: &str = "statement";

/// How a file is read.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(IntoParams))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub(crate) struct HowToRead {
    /// The name of the file, for people.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::Text>, inline))]
    name: Option<String>,
    /// The form of the file. Without it the content shows it.
    #[cfg_attr(feature = "openapi", param(inline))]
    format: Option<Form>,
    /// Where the columns come from that are not given: `settings`, `remembered` (those of the newest booked table, if an
    /// operator said them, or else the settings) or `nothing`.
    #[cfg_attr(feature = "openapi", param(value_type = Option<Columns>, inline))]
    #[serde(default)]
    columns: Columns,
    /// The character between the cells of a table.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::Text>, inline))]
    delimiter: Option<String>,
    /// `utf-8` or `windows-1252`.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::Text>, inline))]
    encoding: Option<String>,
    /// The character before the decimals of an amount.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::Text>, inline))]
    decimal: Option<String>,
    /// How days are written: `DD.MM.YYYY`.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::Text>, inline))]
    date_format: Option<String>,
    /// The column with the day of the booking.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::Text>, inline))]
    day: Option<String>,
    /// The column with the amount.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::Text>, inline))]
    amount: Option<String>,
    /// The columns with the text, separated by commas.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::Text>, inline))]
    text: Option<String>,
    /// The column with the currency.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::Text>, inline))]
    currency: Option<String>,
    /// The column that says whether money came or went.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::Text>, inline))]
    direction: Option<String>,
    /// The column with the name of the other side.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::Text>, inline))]
    party: Option<String>,
    /// The column with the account of the other side.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::Text>, inline))]
    party_account: Option<String>,
    /// The column with the operator's own account.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::Text>, inline))]
    account: Option<String>,
    /// The column with the bank's own reference.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::Text>, inline))]
    bank_reference: Option<String>,
}

/// The form of a file.
#[derive(Debug, Clone, Copy, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
#[serde(rename_all = "lowercase")]
enum Form {
    Camt053,
    Csv,
}

/// Where the columns of a table come from.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
#[serde(rename_all = "lowercase")]
enum Columns {
    #[default]
    Settings,
    Remembered,
    Nothing,
}

impl HowToRead {
    fn given(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("delimiter", &self.delimiter),
            ("encoding", &self.encoding),
            ("decimal", &self.decimal),
            ("date_format", &self.date_format),
            ("day", &self.day),
            ("amount", &self.amount),
            ("text", &self.text),
            ("currency", &self.currency),
            ("direction", &self.direction),
            ("party", &self.party),
            ("party_account", &self.party_account),
            ("account", &self.account),
            ("bank_reference", &self.bank_reference),
        ];
        all.into_iter()
            .filter_map(|(name, given)| Some((name, given.as_deref()?)))
    }

    /// # Errors
    /// A value is too long, or has characters that people do not see.
    fn check(&self) -> Result<(), Refusal> {
        // A tab is a usual delimiter.
        for (name, given) in self.given().filter(|(_, given)| *given != "\t") {
            text(name, given)?;
        }
        Ok(())
    }

    /// These columns, but for those that are given.
    fn columns(&self, mut columns: BankCsvConfig) -> BankCsvConfig {
        for (name, given) in self.given() {
            assert!(
                columns.set(name, given),
                "the parameters have the names of the settings"
            );
        }
        columns
    }
}

/// The page of statements.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(IntoParams))]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub(crate) struct NewestStatements {
    /// The id below which the page begins. Without it the page has the newest statements.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::Cursor>, inline))]
    before: Option<u64>,
    /// The most statements of the page.
    #[cfg_attr(feature = "openapi", param(value_type = Option<shapes::PageLength>, inline))]
    limit: Option<u32>,
}

/// Upload a statement of the bank, as CAMT.053 or as a table. Nothing is booked. The same file is stored once.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/admin/statements", tag = "admin", params(HowToRead),
    request_body(content = inline(shapes::FileContent), content_type = "application/octet-stream", description = "The file."),
    responses((status = 201, description = "It was stored.", body = BankStatement),
        (status = 200, description = "It was stored before.", body = BankStatement),
        Malformed, Unauthorized, Forbidden, TooLarge, Invalid, Unavailable)
))]
pub(crate) async fn upload(
    State(admin): State<Admin>,
    ChangesAccounts(operator): ChangesAccounts,
    Parameters(how): Parameters<HowToRead>,
    File(content): File,
) -> HandlerResult {
    how.check()?;
    let desk = admin.bank_desk();
    let name = text("name", how.name.as_deref().unwrap_or(NAME_DEFAULT))?;
    let format = how.format.map(|form| match form {
        Form::Camt053 => StatementFormat::Camt053,
        Form::Csv => StatementFormat::Csv,
    });
    let columns = match how.columns {
        Columns::Settings => ColumnsOf::Settings,
        Columns::Remembered => ColumnsOf::Remembered,
        Columns::Nothing => ColumnsOf::Nothing,
    };
    let columns = how.columns(desk.columns(columns).await?);
    let file = StatementFile {
        name,
        content,
        format,
        columns,
    };
    let (uploaded, is_new) = desk.acting(&operator).upload(file).await?;
    document(created(!is_new), &bank_statement(uploaded))
}

/// The statements that were uploaded, the newest first, and the columns of tables that the books remember.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/admin/statements", tag = "admin", params(NewestStatements),
    responses((status = 200, description = "One page.", body = BankStatements),
        Malformed, Unauthorized, Forbidden, Invalid, Unavailable)
))]
pub(crate) async fn list(
    State(admin): State<Admin>,
    _: ReadsAccounts,
    Parameters(page): Parameters<NewestStatements>,
) -> HandlerResult {
    let before = page.before.map(|before| number("before", before)).transpose()?;
    let limit = page_length(page.limit)?;
    let desk = admin.bank_desk();
    let found = desk.statements(before.map(StatementNo::new), limit).await?;
    let Page { items, is_full } = Page::new(found, limit);
    let statements: Vec<_> = items.into_iter().map(bank_statement).collect();
    let before = statements.last().filter(|_| is_full).map(|last| last.id);
    let remembered = desk.remembered_columns().await?;
    let page = BankStatements {
        statements,
        before,
        remembered_columns: remembered.map(table_columns),
    };
    document(StatusCode::OK, &page)
}

/// What booking a statement would do now.
#[cfg_attr(feature = "openapi", utoipa::path(
    get, path = "/v1/admin/statements/{id}", tag = "admin",
    params(("id" = inline(shapes::StatementId), Path, description = "The statement.")),
    responses((status = 200, description = "The preview.", body = StatementPreview),
        Unauthorized, Forbidden, NotFound, Unavailable)
))]
pub(crate) async fn preview(
    State(admin): State<Admin>,
    _: ReadsAccounts,
    PathParameter(id): PathParameter,
) -> HandlerResult {
    let desk = admin.bank_desk();
    let preview = desk.preview(statement_no(&id)?).await?;
    let above = desk.lines_above_limit(&preview);
    document(StatusCode::OK, &statement_preview(preview, above))
}

/// Book a statement exactly as the preview shows it. If lines are above the limit for one operator, another one than the
/// one who has uploaded it must book it. A repetition with the same preview books nothing twice, and finishes
/// what was interrupted.
#[cfg_attr(feature = "openapi", utoipa::path(
    post, path = "/v1/admin/statements/{id}/book", tag = "admin", request_body = BookStatement,
    params(("id" = inline(shapes::StatementId), Path, description = "The statement.")),
    responses((status = 201, description = "It was booked.", body = StatementBooking),
        (status = 200, description = "It was booked before.", body = StatementBooking),
        Malformed, Unauthorized, Forbidden, NotFound, PreviewChanged, TooLarge, Invalid, Unavailable)
))]
pub(crate) async fn book(
    State(admin): State<Admin>,
    ChangesAccounts(operator): ChangesAccounts,
    PathParameter(id): PathParameter,
    Json(book): Json<BookStatement>,
) -> HandlerResult {
    let no = statement_no(&id)?;
    let invalid = |error| Refusal::new(Reason::Invalid, format!("preview: {error}"));
    let preview = book.preview.parse().map_err(invalid)?;
    let booking = admin.bank_desk().acting(&operator).book(no, preview).await?;
    let answer = StatementBooking {
        lines: booking.booked.lines,
        amount: booking.booked.amount.units(),
        refused: booking.refused.iter().map(|claim| claim.id.to_string()).collect(),
        statement: bank_statement(booking.statement),
    };
    document(created(booking.repeated), &answer)
}

/// The number of a statement from a path.
fn statement_no(id: &str) -> Result<StatementNo, Refusal> {
    let not_found = || Refusal::new(Reason::NotFound, "there is no such statement");
    let number = id.parse::<u64>().ok().and_then(|id| i64::try_from(id).ok());
    number.map(StatementNo::new).ok_or_else(not_found)
}
