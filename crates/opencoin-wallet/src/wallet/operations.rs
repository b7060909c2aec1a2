//! A money operation, step by step: begun (its secrets and exact request are in the journal), run (the
//! request is sent, as often as it takes), settled (coins or a refusal go to the journal).

use opencoin_api::read_coin_indices;
use opencoin_crypto::{BlindingSeed, CipherSuite, PublicKey, Unblinder};
use opencoin_schema::{BigInt, BlindSignature, Coin, RequestResume, text};

use super::Wallet;
use crate::account::StoredSession;
use crate::client::{self, ABOUT_THE_ASKER, DOUBLE_SPEND, ExchangeError, KEY_EXPIRED, KEY_REVOKED};
use crate::currency::Currency;
use crate::error::WalletError;
use crate::event::{Blinded, BlindingSecret, Event, Kind, Operation, OperationId};
use crate::secret::Secret;
use crate::state::Fate;
use crate::tokenizing::sum;

/// The issuer knows nothing of a transaction reference.
pub(super) const NOT_FOUND: &str = "not-found";
/// The answer to a resume of a mint that was kept until its account has enough, and has not been carried out
/// in time.
const INSUFFICIENT_FUNDS: &str = "insufficient-funds";

impl Wallet {
    /// Puts all requests into the journal, so that none can be forgotten, and then sends them.
    pub(super) async fn begin_and_run(&mut self, operations: Vec<Operation>) -> Result<(), WalletError> {
        let ids = operations.iter().map(|operation| operation.id).collect();
        self.record(Event::Begun { operations })?;
        self.run_all(ids).await
    }

    /// Sends requests that belong together, one after another. When one is refused, those after it are not
    /// sent.
    async fn run_all(&mut self, ids: Vec<OperationId>) -> Result<(), WalletError> {
        let mut accepted = None;
        let mut ids = ids.into_iter();
        while let Some(id) = ids.next() {
            match self.run(id).await {
                Ok(()) => {}
                Err(error @ WalletError::Exchange(ExchangeError::Delayed { .. } | ExchangeError::Recoup)) => {
                    accepted = Some(error)
                }
                Err(error) => {
                    if self.state.operations[&id].fate == Fate::Refused {
                        let description = "not sent, because another part of it was refused";
                        ids.try_for_each(|id| self.refuse(id, description, Vec::new()))?;
                    }
                    return Err(error);
                }
            }
        }
        accepted.map_or(Ok(()), Err)
    }

    fn refuse(&mut self, id: OperationId, why: &str, spent: Vec<usize>) -> Result<(), WalletError> {
        self.record(Event::Refused {
            operation: id,
            description: why.to_owned(),
            spent,
            at: self.now,
        })
    }

    /// Sends the exact request and settles the operation with its answer.
    pub(super) async fn run(&mut self, id: OperationId) -> Result<(), WalletError> {
        let answer = self.ask(id).await;
        self.take_answer(id, answer).await
    }

    async fn ask(&self, id: OperationId) -> Result<Vec<BlindSignature>, ExchangeError> {
        let operation = &self.state.operations[&id].what;
        let unknown = || ExchangeError::Unknown("the currency is unknown".to_owned());
        let cdd = self
            .state
            .currencies
            .get(&operation.currency)
            .ok_or_else(unknown)?
            .cddc
            .cdd();
        let (services, path) = match operation.kind {
            Kind::Mint => (&cdd.mint_service, "/mint"),
            Kind::Redeem => (&cdd.redeem_service, "/redeem"),
            Kind::Receive { .. } | Kind::Change | Kind::Reclaim { .. } => (&cdd.renew_service, "/renew"),
            Kind::Recoup => (&cdd.renew_service, "/v1/recoup"),
        };
        let (token, request) = (self.token(operation), operation.request.expose());
        if token.is_none() && matches!(operation.kind, Kind::Mint | Kind::Redeem) {
            return Err(ExchangeError::NeedsToken(id));
        }
        let answer = client::post(&self.transport, services, path, token, request).await?;
        match operation.kind {
            Kind::Redeem => client::redeemed(&answer).map(|()| Vec::new()),
            Kind::Mint | Kind::Receive { .. } | Kind::Change | Kind::Reclaim { .. } | Kind::Recoup => {
                client::signatures(&answer)
            }
        }
    }

    /// Settles an operation with the answer to its request.
    async fn take_answer(
        &mut self,
        id: OperationId,
        answer: Result<Vec<BlindSignature>, ExchangeError>,
    ) -> Result<(), WalletError> {
        let currency = self.state.operations[&id].what.currency.clone();
        match answer {
            Err(ExchangeError::Recoup) => {
                let answer = self.ask_resume(id).await;
                self.settle_accepted(id, answer).await
            }
            Err(ExchangeError::Refused { ref word, .. }) if word == KEY_REVOKED => {
                let settled = self.settle(id, answer);
                self.learn_after_refusal(&currency).await?;
                settled
            }
            answer => self.settle(id, answer),
        }
    }

    /// Asks for the signatures of what was accepted; if nothing was, sends the request itself again.
    pub(super) async fn resume_operation(&mut self, id: OperationId) -> Result<(), WalletError> {
        if self.state.operations[&id].what.reference.is_none() {
            return self.run_again(id).await;
        }
        match self.ask_resume(id).await {
            Err(ExchangeError::Refused { word, .. }) if word == NOT_FOUND => self.run_again(id).await,
            // It was kept until the account has enough; that is over, and nothing was taken.
            Err(ended @ ExchangeError::Refused { .. }) if has_waited_in_vain(&ended) => {
                self.settle(id, Err(ended))
            }
            answer => self.settle_accepted(id, answer).await,
        }
    }

    /// Sends the exact request of an operation once more: it may have been carried out the first time.
    async fn run_again(&mut self, id: OperationId) -> Result<(), WalletError> {
        let may_be_done = self.state.operations[&id].what.reference.is_none();
        let answer = self.ask(id).await;
        match answer {
            // That the token has ended, say, says nothing about what was done while it was good.
            Err(ExchangeError::Refused {
                word, description, ..
            }) if may_be_done && ABOUT_THE_ASKER.contains(&word.as_str()) => {
                Err(ExchangeError::Unknown(description).into())
            }
            // The first one may still be under way.
            Err(ExchangeError::NotSent(reason)) => Err(ExchangeError::Unknown(reason).into()),
            answer => self.take_answer(id, answer).await,
        }
    }

    /// The token of the holder's present session, the one that an operation was begun with, or the one that the
    /// user has given since.
    fn token<'this>(&'this self, operation: &'this Operation) -> Option<&'this Secret> {
        let url = self
            .state
            .currencies
            .get(&operation.currency)
            .map(|currency| currency.url.as_str());
        let is_theirs = |session: &&StoredSession| {
            operation.holder.as_ref() == Some(&session.holder) && url.is_some_and(|url| session.is_with(url))
        };
        self.session
            .as_ref()
            .filter(is_theirs)
            .map(|session| &session.token)
            .or(operation.token.as_ref())
            .or(self.token.as_ref())
            .filter(|_| matches!(operation.kind, Kind::Mint | Kind::Redeem))
    }

    pub(super) async fn ask_resume(&self, id: OperationId) -> Result<Vec<BlindSignature>, ExchangeError> {
        let operation = &self.state.operations[&id].what;
        let unknown = |what: &str| ExchangeError::Unknown(what.to_owned());
        let reference = operation
            .reference
            .clone()
            .ok_or_else(|| unknown("a request without a reference is not resumed"))?;
        let currency = self.state.currencies.get(&operation.currency);
        let cdd = currency
            .ok_or_else(|| unknown("the currency is unknown"))?
            .cddc
            .cdd();
        let services = if operation.kind == Kind::Mint {
            &cdd.mint_service
        } else {
            &cdd.renew_service
        };
        let request = RequestResume {
            message_reference: 0,
            transaction_reference: reference,
        };
        let answer = client::post(
            &self.transport,
            services,
            "/resume",
            None,
            &text::compact(&request),
        )
        .await;
        answer.and_then(|answer| client::signatures(&answer))
    }

    /// Settles an operation that the issuer has accepted, with its answer to a resume: all signatures, or
    /// those of mint keys that were not revoked.
    pub(super) async fn settle_accepted(
        &mut self,
        id: OperationId,
        answer: Result<Vec<BlindSignature>, ExchangeError>,
    ) -> Result<(), WalletError> {
        let operation = &self.state.operations[&id].what;
        let signatures = match answer {
            Ok(signatures) if signatures.len() == operation.blinded.len() => {
                return self.settle(id, Ok(signatures));
            }
            Ok(signatures) => signatures,
            Err(ExchangeError::Recoup) => Vec::new(),
            // That the question is refused says nothing about what was accepted before.
            Err(ExchangeError::Refused { description, .. }) => {
                return Err(ExchangeError::Unknown(description).into());
            }
            Err(unfinished) => return Err(unfinished.into()),
        };
        // Only what the issuer calls revoked, in its own list, may be left out.
        let currency = operation.currency.clone();
        self.refresh(&currency).await?;
        let operation = &self.state.operations[&id].what;
        let currency = self.currency(&currency)?;
        let is_signed = |blinded: &&Blinded| {
            signatures
                .iter()
                .any(|signature| signature.reference == blinded.reference)
        };
        let (signed, unsigned): (Vec<&Blinded>, Vec<&Blinded>) =
            operation.blinded.iter().partition(is_signed);
        if unsigned.is_empty()
            || unsigned
                .iter()
                .any(|blinded| !currency.is_revoked(&blinded.payload))
        {
            return Err(WalletError::WrongSignature);
        }
        let coins = unblind(currency, &signed, &signatures)?;
        self.record(Event::Unsigned {
            operation: id,
            coins,
            at: self.now,
        })?;
        Err(ExchangeError::Recoup.into())
    }

    pub(super) fn settle(
        &mut self,
        id: OperationId,
        answer: Result<Vec<BlindSignature>, ExchangeError>,
    ) -> Result<(), WalletError> {
        let operation = &self.state.operations[&id].what;
        match answer {
            Ok(signatures) => {
                let blinded: Vec<&Blinded> = operation.blinded.iter().collect();
                let coins = unblind(self.currency(&operation.currency)?, &blinded, &signatures)?;
                self.record(Event::Finished {
                    operation: id,
                    coins,
                    at: self.now,
                })
            }
            Err(ref refused @ ExchangeError::Refused { ref description, .. }) => {
                let spent = spent_coins(refused, operation.gives.len());
                let own = spent.iter().filter(|index| operation.gives[**index].is_own);
                let currency = self.currency(&operation.currency)?;
                let own = own.filter_map(|index| currency.coins.get(&operation.gives[*index].coin));
                let own = sum(own.map(|held| held.value));
                let is_of_own_coins = matches!(operation.kind, Kind::Change | Kind::Redeem);
                self.refuse(id, description, spent)?;
                if is_of_own_coins && own > 0 {
                    return Err(WalletError::SpentElsewhere(own));
                }
                Err(refused.clone().into())
            }
            // What it replaces may be under way.
            Err(ExchangeError::NotSent(reason)) if operation.replaces.is_some() => {
                Err(ExchangeError::Unknown(reason).into())
            }
            Err(ExchangeError::NotSent(reason)) => {
                self.refuse(id, &reason, Vec::new())?;
                Err(ExchangeError::NotSent(reason).into())
            }
            Err(
                unfinished @ (ExchangeError::Delayed { .. }
                | ExchangeError::Recoup
                | ExchangeError::Unknown(_)
                | ExchangeError::NeedsToken(_)),
            ) => Err(unfinished.into()),
        }
    }

    /// After a refusal because of a key: asks which keys are good. That nobody answers is no error.
    pub(super) async fn learn_after_refusal(&mut self, currency: &BigInt) -> Result<(), WalletError> {
        match self.refresh(currency).await {
            Ok(()) | Err(WalletError::Exchange(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Whether a mint that was kept for want of money has not been carried out in its time, and never will be.
pub(super) fn has_waited_in_vain(refused: &ExchangeError) -> bool {
    matches!(refused, ExchangeError::Refused { word, .. } if [INSUFFICIENT_FUNDS, KEY_EXPIRED, KEY_REVOKED].contains(&word.as_str()))
}

/// Makes and verifies the coins of blinds, in their order.
fn unblind(
    currency: &Currency,
    blinded: &[&Blinded],
    signatures: &[BlindSignature],
) -> Result<Vec<Coin>, WalletError> {
    let suite = currency.cddc.cipher_suite();
    let finish = |blinded: &&Blinded| {
        let signature = signatures
            .iter()
            .find(|signature| signature.reference == blinded.reference);
        let signature = &signature.ok_or(WalletError::WrongSignature)?.blind_signature;
        let key = currency.mint_keys[&blinded.payload.mint_key_id].public_key();
        let unblinder = unblinder(suite, key, blinded)?;
        suite
            .finish(key, &blinded.payload, signature, &unblinder)
            .map_err(|_| WalletError::WrongSignature)
    };
    blinded.iter().map(finish).collect()
}

fn unblinder(suite: CipherSuite, key: &PublicKey, blinded: &Blinded) -> Result<Unblinder, WalletError> {
    let failed = |error: &dyn std::error::Error| WalletError::Blinding(error.to_string());
    match &blinded.secret {
        BlindingSecret::Seed(seed) => {
            let seed = BlindingSeed::from_secret_hex(seed.expose()).map_err(|error| failed(&error))?;
            suite
                .blind(key, &blinded.payload, &seed)
                .map(|(_, unblinder)| unblinder)
                .map_err(|error| failed(&error))
        }
        BlindingSecret::Unblinder(unblinder) => {
            Unblinder::from_secret_hex(unblinder.expose()).map_err(|error| failed(&error))
        }
    }
}

/// The indices of the coins that were spent before, in an answer to a request with so many coins. An issuer
/// that names none leaves it open, unless there was only one coin: no coin is given up on suspicion.
fn spent_coins(refused: &ExchangeError, given: usize) -> Vec<usize> {
    match refused {
        ExchangeError::Refused { word, coins, .. } if word == DOUBLE_SPEND => {
            let named = coins.as_deref().and_then(|text| read_coin_indices(text, given));
            named.unwrap_or(if given == 1 { vec![0] } else { Vec::new() })
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_coins_that_the_issuer_names_are_given_up() {
        let spent = |coins: Option<&str>, word: &str, given| {
            let (word, coins) = (word.to_owned(), coins.map(str::to_owned));
            let description = "double-spend: coins were spent before: [1]".to_owned();
            let refused = ExchangeError::Refused {
                word,
                description,
                coins,
            };
            spent_coins(&refused, given)
        };
        assert_eq!(spent(Some("0,2"), "double-spend", 3), [0, 2]);
        for unclear in [None, Some("3"), Some("-1"), Some(""), Some("0,x")] {
            assert_eq!(spent(unclear, "double-spend", 3), [0; 0], "{unclear:?}");
            assert_eq!(spent(unclear, "double-spend", 1), [0], "there is no other");
        }
        assert_eq!(spent(Some("0"), "invalid", 1), [0; 0]);
    }
}
