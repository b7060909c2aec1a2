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
        let query = sqlx::query("UPDATE transactions SET blinds = ? WHERE id = ? AND blinds = ?")
            .bind(kept.after())
            .bind(kept.transaction().get())
            .bind(kept.before());
        answers.push(query.execute(&mut *connection).await?.rows_affected() == 1);
    }
    Ok(answers)
}
