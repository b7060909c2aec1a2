//! The statement of the bank with which the people of a demo have paid in.

use anyhow::Result;
use opencoin_bank::payment_code;
use opencoin_bank::statement::StatementFormat;
use opencoin_issuer::{BankDesk, StatementFile};
use opencoin_keys::{Clock, SystemClock};
use opencoin_ledger::{OperatorName, Reference};

/// Who pays in for which account, and how much.
const TRANSFERS: [(&str, &str, &str); 3] = [
    ("Alice A.", "alice", "5,00"),
    ("Bob B.", "bob", "1,20"),
    ("Carol C.", "carol", "2,40"),
];
/// A transfer without a payment code, which an operator has to look at.
const WITHOUT_CODE: &str = "Dora D.;pocket money for Carol;0,75";

/// Uploads the statement and books it.
pub(super) async fn book(bank: &BankDesk, operator: &OperatorName) -> Result<()> {
    let acting = bank.acting(operator);
    let day = SystemClock.now().format("%d.%m.%Y");
    let mut table = "Day;Name;Text;Amount\n".to_owned();
    for (party, account, amount) in TRANSFERS {
        let code = payment_code::of_account(account);
        table += &format!("{day};{party};{code};{amount}\n");
    }
    table += &format!("{day};{WITHOUT_CODE}\n");
    let file = StatementFile {
        name: Reference::new("statement.csv")?,
        content: table.into_bytes(),
        format: Some(StatementFormat::Csv),
        columns: bank.settings().columns.clone(),
    };
    let (statement, _) = acting.upload(file).await?;
    let preview = bank.preview(statement.no).await?;
    acting.book(statement.no, preview.digest()).await?;
    Ok(())
}
