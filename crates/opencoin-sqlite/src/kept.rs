//! Replaces stored blinds by their signatures.

use opencoin_ledger::KeptSignatures;
use sqlx::SqliteConnection;

use crate::fault::Fault;

/// Returns for each of `kept` whether its row held the expected blinds and was replaced.
pub(crate) async fn keep(
    connection: &mut SqliteConnection,
    kept: &[KeptSignatures],
) -> Result<Vec<bool>, Fault> {
    let mut answers = Vec::with_capacity(kept.len());
    for kept in kept {
        let query = sqlx::query("UPDATE blinds SET blinds = ? WHERE reference = ? AND blinds = ?")
            .bind(kept.after())
            .bind(kept.reference().as_bytes())
            .bind(kept.before());
        answers.push(query.execute(&mut *connection).await?.rows_affected() == 1);
    }
    Ok(answers)
}
