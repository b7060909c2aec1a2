//! The expected books: the ledger command of each request, and its effect.

use opencoin_audit::AuditFacts;
use opencoin_ledger::{Blind, CoinIn, Command, LedgerTime, MintKeyId, SpentDigest, TransactionReference};
use opencoin_schema::{BigInt, Coin, Request};

use super::test_issuer::TestIssuer;

/// The ledger command of a request.
pub(crate) fn command(issuer: &TestIssuer, wanted: &Request, holder: Option<usize>) -> Command {
    let at = LedgerTime::from_unix_micros(issuer.now().timestamp_micros());
    let account = || issuer.holders[holder.expect("only with a token")].account;
    let reference = |number: &BigInt| {
        let bytes = if number.as_be_bytes().is_empty() {
            &[0][..]
        } else {
            number.as_be_bytes()
        };
        TransactionReference::new(bytes).unwrap()
    };
    let blinds = |blinds: &[opencoin_schema::Blind]| blinds.iter().map(ledger_blind).collect();
    let coins = |coins: &[Coin]| coins.iter().map(|coin| coin_in(issuer, coin)).collect();
    match wanted {
        Request::RequestMint(mint) => Command::Mint {
            account: account(),
            transaction_reference: reference(&mint.transaction_reference),
            blinds: blinds(&mint.blinds),
            payment: None,
            wait_until: None,
            at,
        },
        Request::RequestRenew(renew) => Command::Renew {
            transaction_reference: reference(&renew.transaction_reference),
            coins: coins(&renew.coins),
            blinds: blinds(&renew.blinds),
            at,
        },
        Request::RequestRedeem(redeem) => Command::Redeem {
            account: account(),
            coins: coins(&redeem.coins),
            at,
        },
        other => panic!("{} moves no money", other.type_name()),
    }
}

fn coin_in(issuer: &TestIssuer, coin: &Coin) -> CoinIn {
    let currency = &issuer.currency.currency;
    let key = currency.mint_key(&coin.payload.mint_key_id).unwrap();
    let payload_hash = currency
        .cipher_suite()
        .verify_coin(key.verified.public_key(), coin)
        .unwrap();
    CoinIn {
        mint_key: key.ledger_id,
        spent_digest: SpentDigest::of(key.identity.fingerprint(), &payload_hash),
    }
}

/// Applies a command to the expected books.
pub(crate) fn book(books: &mut AuditFacts, command: &Command) {
    books.transactions += 1;
    let (account, coins, blinds) = match command {
        Command::Mint { account, blinds, .. } => (Some(*account), &[][..], &blinds[..]),
        Command::Renew { coins, blinds, .. } => (None, &coins[..], &blinds[..]),
        Command::Redeem { account, coins, .. } => (Some(*account), &coins[..], &[][..]),
        other => panic!("no message asks for {other:?}"),
    };
    let mut value = 0;
    for key in &mut books.mint_keys {
        let issued = blinds.iter().filter(|blind| blind.mint_key == key.id).count() as i128;
        let returned = coins.iter().filter(|coin| coin.mint_key == key.id).count() as i128;
        key.issued += issued;
        key.blinds += issued;
        key.returned += returned;
        key.spent += returned;
        value += (issued - returned) * key.denomination;
    }
    if !blinds.is_empty() {
        books.records_with_blinds += 1;
        books.blinds_rows = books.blinds_rows.map(|rows| rows + 1);
    }
    books.coins_outstanding += value;
    match account {
        Some(id) => {
            let account = books
                .accounts
                .iter_mut()
                .find(|account| account.id == id)
                .unwrap();
            account.balance -= value;
            account.journal.balance -= value;
            account.last_entry += 1;
            account.journal.last_entry += 1;
        }
        None => assert_eq!(value, 0, "a renew neither makes nor takes money"),
    }
}

fn ledger_blind(blind: &opencoin_schema::Blind) -> Blind {
    Blind {
        reference: blind.reference.clone(),
        mint_key: MintKeyId::from_be_bytes(blind.mint_key_id.as_be_bytes()).unwrap(),
        blinded: blind.blinded_payload_hash.as_be_bytes().to_vec(),
    }
}
