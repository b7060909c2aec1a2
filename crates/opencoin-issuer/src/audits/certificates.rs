//! Whether the certificates of a currency fit its books.

use opencoin_audit::{AuditFacts, Check, MintKeyFacts};
use opencoin_keys::{Currency, DirectoryError};

/// Checks that all certificates verify, and that every mint key of the books has a certificate with the same terms.
#[must_use]
pub fn certificates_check(currency: Result<&Currency, &DirectoryError>, facts: &AuditFacts) -> Check {
    let check = |holds, detail| Check {
        name: "certificates verify",
        holds,
        detail,
    };
    let currency = match currency {
        Ok(currency) => currency,
        Err(error) => return check(false, error.to_string()),
    };
    let is_certified = |known: &&MintKeyFacts| {
        currency
            .mint_keys()
            .any(|key| key.ledger_id == known.id && Some(key.terms) == known.terms)
    };
    if let Some(known) = facts.mint_keys.iter().find(|known| !is_certified(known)) {
        return check(
            false,
            format!(
                "mint key {} of the books has no certificate with the same terms",
                known.id
            ),
        );
    }
    let certified = currency.mint_keys().count();
    let in_books = |id| facts.mint_keys.iter().any(|known| known.id == id);
    let waiting = currency
        .mint_keys()
        .filter(|key| !in_books(key.ledger_id))
        .count();
    // That is no fault: a server adds a key to the books before it signs with it.
    let waiting = if waiting > 0 {
        format!(", {waiting} of them not yet in the books")
    } else {
        String::new()
    };
    check(
        true,
        format!("{certified} mint keys and the CDDC verify{waiting}"),
    )
}
