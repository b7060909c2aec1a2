//! What a mint or redeem has to show: a token, or a statement that a key has signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use opencoin_ledger::{AccountId, CoinIn, KeyPayment};
use opencoin_log::hash::leaf_hash;
use opencoin_log::key_account::{Payment, RedeemOrder};
use opencoin_log::leaf::spent_leaf;
use opencoin_log::promise::request_root;

use super::super::Issuer;
use super::statements::{check_payment, invalid, wrong_signature};
use crate::accounts::{Right, Token};
use crate::refusal::{Reason, Refusal};

/// Who asks for a mint or redeem.
pub enum Authorization {
    /// It is missing, or of another kind.
    Missing,
    /// The token of an account, a session or a service.
    Token(Token),
    /// The statement of a key, in base64.
    Key(String),
}

impl From<&Token> for Authorization {
    fn from(token: &Token) -> Self {
        Self::Token(token.clone())
    }
}

impl Authorization {
    fn token(&self) -> Option<&Token> {
        match self {
            Self::Token(token) => Some(token),
            Self::Missing | Self::Key(_) => None,
        }
    }
}

/// Whose account a request concerns.
pub(crate) enum Party<Order> {
    /// That of the token.
    Holder(AccountId),
    /// That of a key, which has signed this.
    Key(AccountId, Order),
}

impl<Order> Party<Order> {
    pub(crate) fn account(&self) -> AccountId {
        match self {
            Self::Holder(account) | Self::Key(account, _) => *account,
        }
    }
}

impl Issuer {
    /// Who pays for a mint. The ledger decides whether a payment is for this mint.
    pub(crate) async fn minting(
        &self,
        authorization: &Authorization,
    ) -> Result<Party<Box<KeyPayment>>, Refusal> {
        let Authorization::Key(statement) = authorization else {
            let caller = self.accounts.caller(authorization.token(), Right::Mint).await?;
            return Ok(Party::Holder(caller.account));
        };
        let log = self.key_log()?;
        let payment = statement_bytes(statement).and_then(|text| Payment::from_text(&text));
        let payment = payment.ok_or_else(|| malformed("payment"))?;
        check_payment(&payment, log.origin())?;
        let payer = self.key_account_id("payment.from", payment.order.from).await?;
        let origin = log.origin().to_owned();
        Ok(Party::Key(payer, Box::new(KeyPayment { payment, origin })))
    }

    /// Who receives coins. The order of a key is verified when its coins are known.
    pub(crate) async fn redeeming(
        &self,
        authorization: &Authorization,
    ) -> Result<Party<RedeemOrder>, Refusal> {
        let Authorization::Key(statement) = authorization else {
            let caller = self.accounts.caller(authorization.token(), Right::Redeem).await?;
            return Ok(Party::Holder(caller.account));
        };
        self.key_log()?;
        let order = statement_bytes(statement).and_then(|text| RedeemOrder::from_text(&text));
        let order = order.ok_or_else(|| malformed("key redeem"))?;
        let account = self.key_account_id("key", order.key).await?;
        Ok(Party::Key(account, order))
    }

    /// Checks that a key wants these coins.
    pub(crate) fn check_redeem(&self, order: &RedeemOrder, coins: &[CoinIn]) -> Result<(), Refusal> {
        let numbers = self.documents.numbers();
        let hash = |coin: &CoinIn| {
            let no = numbers.get(&coin.mint_key)?;
            Some(leaf_hash(&spent_leaf(no.key_no(), &coin.spent_digest)))
        };
        let hashes: Option<Vec<_>> = coins.iter().map(hash).collect();
        let hashes = hashes.ok_or_else(Refusal::unavailable)?;
        if hashes.is_empty() {
            return Err(invalid("coins", "there are none"));
        }
        if order.is_for(self.key_log()?.origin(), &request_root(&hashes)) {
            Ok(())
        } else {
            Err(wrong_signature(
                "the key has not signed that it receives these coins in this order",
            ))
        }
    }
}

fn statement_bytes(base64: &str) -> Option<Vec<u8>> {
    BASE64.decode(base64).ok()
}

fn malformed(statement: &str) -> Refusal {
    Refusal::new(
        Reason::Malformed,
        format!("Authorization: not the compact text of a {statement}, in base64"),
    )
}
