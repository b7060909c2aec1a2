//! The steps of a money operation: begin (write its secrets and exact request to the disk), run (send the
//! request), settle (write the coins or the refusal to the disk).

use opencoin_api::read_coin_indices;
use opencoin_crypto::{BlindingSeed, CipherSuite, PublicKey, Unblinder};
use opencoin_schema::{BigInt, BlindSignature, Cdd, Coin, RequestResume, text};

use super::Wallet;
use super::answer::Answer;
use crate::account::StoredSession;
use crate::client::{self, ExchangeError};
use crate::currency::Currency;
use crate::error::WalletError;
use crate::event::{Blinded, BlindingSecret, Event, Kind, Operation, OperationId};
use crate::network::{HttpAnswer, SENDER_REFUSALS};
use crate::refusal::word::{INSUFFICIENT_FUNDS, KEY_EXPIRED, KEY_REVOKED, NOT_FOUND, REFERENCE_CONFLICT};
use crate::state::Status;
use crate::tokenizing::sum;
use crate::transport::OnBehalf;
use opencoin_api::Secret;

impl Wallet {
    /// Writes all requests to the disk and then sends them.
    pub(super) async fn begin_and_run(&mut self, operations: Vec<Operation>) -> Result<(), WalletError> {
        let ids = operations.iter().map(|operation| operation.id).collect();
        self.record(Event::Begun { operations })?;
        self.run_all(ids).await
    }

    /// Sends the requests of one operation in order. After a refusal the remaining requests are not sent.
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
                    let status = self.state.operations[&id].status;
                    let description = match &error {
                        WalletError::Log(_) if status == Status::Done => {
                            Some("not sent, because the issuer gave no valid promise for another part of it")
                        }
                        _ if status == Status::Refused => {
                            Some("not sent, because another part of it was refused")
                        }
                        _ => None,
                    };
                    if let Some(description) = description {
                        ids.try_for_each(|id| self.refuse(id, description, Vec::new(), true))?;
                    }
                    return Err(error);
                }
            }
        }
        accepted.map_or(Ok(()), Err)
    }

    /// `frees_number` if the issuer has certainly not accepted the request.
    fn refuse(
        &mut self,
        id: OperationId,
        why: &str,
        spent: Vec<usize>,
        frees_number: bool,
    ) -> Result<(), WalletError> {
        self.record(Event::Refused {
            operation: id,
            description: why.to_owned(),
            spent,
            frees_number,
        })
    }

    /// Sends the exact request and settles the operation with its answer.
    pub(super) async fn run(&mut self, id: OperationId) -> Result<(), WalletError> {
        let answer = self.send_request(id).await;
        self.take_answer(id, answer).await
    }

    async fn send_request(&self, id: OperationId) -> Answer {
        let answer = self.post_request(id).await;
        let kind = &self.state.operations[&id].item.kind;
        let read = |answer: &HttpAnswer| match kind {
            Kind::Redeem => client::redeemed(answer).map(|()| Vec::new()),
            Kind::Mint | Kind::Receive { .. } | Kind::Change | Kind::Reclaim { .. } | Kind::Recoup => {
                client::signatures(answer)
            }
        };
        Answer::read(answer, read, false)
    }

    async fn post_request(&self, id: OperationId) -> Result<HttpAnswer, ExchangeError> {
        let operation = &self.state.operations[&id].item;
        let cdd = self.cdd_of(operation)?;
        let (services, path) = match operation.kind {
            Kind::Mint => (&cdd.mint_service, "/mint"),
            Kind::Redeem => (&cdd.redeem_service, "/redeem"),
            Kind::Receive { .. } | Kind::Change | Kind::Reclaim { .. } => (&cdd.renew_service, "/renew"),
            Kind::Recoup => (&cdd.renew_service, "/v1/recoup"),
        };
        let on_behalf = match (&operation.key_order, self.token(operation)) {
            (Some(order), _) => OnBehalf::Key(Some(order.text.expose())),
            (None, Some(token)) => OnBehalf::Account(token),
            (None, None) if matches!(operation.kind, Kind::Mint | Kind::Redeem) => {
                return Err(ExchangeError::NeedsToken(id));
            }
            (None, None) => OnBehalf::Nobody,
        };
        client::post(
            &self.transport,
            services,
            path,
            on_behalf,
            operation.request.expose(),
        )
        .await
    }

    /// Settles an operation with the answer to its request. Asks for more if a mint key was revoked. A fault of the
    /// promise is an error after the coins were taken.
    async fn take_answer(&mut self, id: OperationId, answer: Answer) -> Result<(), WalletError> {
        let fault = self.take_promise(id, &answer).await?;
        self.note_refusal(id, &answer)?;
        self.take_result(id, answer.result).await?;
        fault.map_or(Ok(()), |fault| Err(fault.into()))
    }

    async fn take_result(
        &mut self,
        id: OperationId,
        answer: Result<Vec<BlindSignature>, ExchangeError>,
    ) -> Result<(), WalletError> {
        let currency = self.state.operations[&id].item.currency.clone();
        match answer {
            Err(ExchangeError::Recoup) => {
                let answer = self.ask_resume(id).await;
                self.settle_accepted(id, answer).await
            }
            Err(ref refused) if refused.is_refused_with(&[KEY_REVOKED]) => {
                let settled = self.settle(id, answer);
                self.learn_after_refusal(&currency).await?;
                settled
            }
            answer => self.settle(id, answer),
        }
    }

    /// Asks for the signatures of an accepted request. If it was not accepted, sends the request again.
    pub(super) async fn resume_operation(&mut self, id: OperationId) -> Result<(), WalletError> {
        if self.state.operations[&id].item.reference.is_none() {
            return self.run_again(id).await;
        }
        let answer = self.ask_resume(id).await;
        match &answer.result {
            Err(refused) if refused.is_refused_with(&[NOT_FOUND]) => self.run_again(id).await,
            Err(refused) if brings_no_coins(refused) => self.settle_known(id, answer.result, true),
            _ => self.settle_accepted(id, answer).await,
        }
    }

    /// Sends the exact request of an operation again. An earlier attempt may have been carried out.
    async fn run_again(&mut self, id: OperationId) -> Result<(), WalletError> {
        let may_be_done = self.state.operations[&id].item.reference.is_none();
        let answer = self.send_request(id).await;
        match answer.result {
            // An expired token, for example, does not tell what happened while it was valid.
            Err(ExchangeError::Refused {
                word, description, ..
            }) if may_be_done && SENDER_REFUSALS.contains(&word.as_str()) => {
                Err(ExchangeError::Unknown(description).into())
            }
            // An earlier attempt may still arrive.
            Err(ExchangeError::NotSent(reason)) => Err(ExchangeError::Unknown(reason).into()),
            result => self.take_answer(id, Answer { result, ..answer }).await,
        }
    }

    /// Returns the first of: the token of the holder's session, the operation's token, the user's token.
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

    pub(super) async fn ask_resume(&self, id: OperationId) -> Answer {
        Answer::read(self.post_resume(id).await, client::signatures, true)
    }

    async fn post_resume(&self, id: OperationId) -> Result<HttpAnswer, ExchangeError> {
        let operation = &self.state.operations[&id].item;
        let unknown = || ExchangeError::Unknown("a request without a reference cannot be resumed".to_owned());
        let transaction_reference = operation.reference.clone().ok_or_else(unknown)?;
        let cdd = self.cdd_of(operation)?;
        let services = if operation.kind == Kind::Mint {
            &cdd.mint_service
        } else {
            &cdd.renew_service
        };
        let request = text::compact(&RequestResume {
            message_reference: 0,
            transaction_reference,
        });
        client::post(&self.transport, services, "/resume", OnBehalf::Nobody, &request).await
    }

    fn cdd_of(&self, operation: &Operation) -> Result<&Cdd, ExchangeError> {
        let currency = self.state.currencies.get(&operation.currency);
        let unknown = || ExchangeError::Unknown("the currency is unknown".to_owned());
        Ok(currency.ok_or_else(unknown)?.cddc.cdd())
    }

    /// Settles an accepted operation with the answer to a resume. The answer has all signatures, or those of
    /// the mint keys that were not revoked.
    pub(super) async fn settle_accepted(
        &mut self,
        id: OperationId,
        answer: Answer,
    ) -> Result<(), WalletError> {
        let fault = self.take_promise(id, &answer).await?;
        self.settle_signed(id, answer.result).await?;
        fault.map_or(Ok(()), |fault| Err(fault.into()))
    }

    async fn settle_signed(
        &mut self,
        id: OperationId,
        answer: Result<Vec<BlindSignature>, ExchangeError>,
    ) -> Result<(), WalletError> {
        let operation = &self.state.operations[&id].item;
        let signatures = match answer {
            Ok(signatures) if signatures.len() == operation.blinded.len() => {
                return self.settle(id, Ok(signatures));
            }
            Ok(signatures) => signatures,
            Err(ExchangeError::Recoup) => Vec::new(),
            // A refused resume does not mean that the accepted request is refused.
            Err(ExchangeError::Refused { description, .. }) => {
                return Err(ExchangeError::Unknown(description).into());
            }
            Err(unfinished) => return Err(unfinished.into()),
        };
        // Only signatures of keys in the issuer's list of revoked keys may be missing.
        let currency = operation.currency.clone();
        self.refresh(&currency).await?;
        let operation = &self.state.operations[&id].item;
        let currency = self.currency(&currency)?;
        let is_signed = |blinded: &&Blinded| {
            signatures
                .iter()
                .any(|signature| signature.reference == blinded.reference)
        };
        let (signed, unsigned): (Vec<&Blinded>, Vec<&Blinded>) =
            operation.blinded.iter().partition(is_signed);
        let is_revoked = |blinded: &&Blinded| currency.is_revoked(&blinded.payload.mint_key_id);
        if unsigned.is_empty() || !unsigned.iter().all(is_revoked) {
            return Err(WalletError::WrongSignature);
        }
        let coins = unblind(currency, &signed, &signatures)?;
        self.record(Event::Unsigned { operation: id, coins })?;
        Err(ExchangeError::Recoup.into())
    }

    pub(super) fn settle(
        &mut self,
        id: OperationId,
        answer: Result<Vec<BlindSignature>, ExchangeError>,
    ) -> Result<(), WalletError> {
        self.settle_known(id, answer, false)
    }

    /// As [`Self::settle`]. `was_known` if the issuer knows the transaction reference of the request.
    fn settle_known(
        &mut self,
        id: OperationId,
        answer: Result<Vec<BlindSignature>, ExchangeError>,
        was_known: bool,
    ) -> Result<(), WalletError> {
        let operation = &self.state.operations[&id].item;
        match answer {
            Ok(signatures) => {
                let blinded: Vec<&Blinded> = operation.blinded.iter().collect();
                let coins = unblind(self.currency(&operation.currency)?, &blinded, &signatures)?;
                self.record(Event::Finished { operation: id, coins })
            }
            Err(refused @ ExchangeError::Refused { .. }) => {
                let spent = spent_coins(&refused, operation.gives.len());
                let refused = refused.counting(&meant_coins(operation));
                let own = spent.iter().filter(|index| operation.gives[**index].is_own);
                let currency = self.currency(&operation.currency)?;
                let own = own.filter_map(|index| currency.coins.get(&operation.gives[*index].coin));
                let own = sum(own.map(|held| held.value));
                let is_of_own_coins = matches!(operation.kind, Kind::Change | Kind::Redeem);
                let is_known = was_known || refused.is_refused_with(&[REFERENCE_CONFLICT]);
                self.refuse(id, &refused.to_string(), spent, !is_known)?;
                if is_of_own_coins && own > 0 {
                    return Err(WalletError::SpentElsewhere(own));
                }
                Err(refused.into())
            }
            // The request that this one replaces may still arrive.
            Err(ExchangeError::NotSent(reason)) if operation.replaces.is_some() => {
                Err(ExchangeError::Unknown(reason).into())
            }
            Err(ExchangeError::NotSent(reason)) => {
                self.refuse(id, &reason, Vec::new(), true)?;
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

    /// Refreshes the documents after a refusal because of a mint key, if the issuer answers.
    pub(super) async fn learn_after_refusal(&mut self, currency: &BigInt) -> Result<(), WalletError> {
        match self.refresh(currency).await {
            Ok(()) | Err(WalletError::Exchange(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Whether the answer to a resume says that the request brings no coins: a mint waited for money and will not be
/// carried out, or the coins have expired.
pub(super) fn brings_no_coins(error: &ExchangeError) -> bool {
    error.is_refused_with(&[INSUFFICIENT_FUNDS, KEY_EXPIRED, KEY_REVOKED])
}

/// Makes and verifies the coins of blinds, in the order of the blinds.
fn unblind<'currency>(
    currency: &'currency Currency,
    blinded: &[&'currency Blinded],
    signatures: &'currency [BlindSignature],
) -> Result<Vec<Coin>, WalletError> {
    let suite = currency.cddc.cipher_suite();
    let signed = |blinded: &&'currency Blinded| {
        let signature = signatures
            .iter()
            .find(|signature| signature.reference == blinded.reference);
        let signature = &signature.ok_or(WalletError::WrongSignature)?.blind_signature;
        let key = currency.mint_keys[&blinded.payload.mint_key_id].public_key();
        Ok((key, &blinded.payload, signature, unblinder(suite, key, blinded)?))
    };
    let signed: Vec<_> = blinded.iter().map(signed).collect::<Result<_, WalletError>>()?;
    suite.finish_all(&signed).map_err(|_| WalletError::WrongSignature)
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

/// Says of each coin of a request whether the request was made for it: the received ones if there are any. The wallet
/// adds own coins to those.
fn meant_coins(operation: &Operation) -> Vec<bool> {
    let is_own = operation.gives.iter().map(|given| given.is_own);
    let has_foreign = is_own.clone().any(|is_own| !is_own);
    is_own.map(|is_own| !(is_own && has_foreign)).collect()
}

/// Returns the indices of the coins that were spent before, in the answer to a request with `given` coins. If
/// the issuer does not name them, only a single coin is known to be spent.
pub(super) fn spent_coins(refused: &ExchangeError, given: usize) -> Vec<usize> {
    match refused {
        ExchangeError::Refused { coins, .. } if refused.is_double_spend() => {
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
    fn only_coins_that_the_issuer_names_are_spent() {
        let spent = |coins: Option<&str>, word: &str, given| {
            let (word, coins) = (word.to_owned(), coins.map(str::to_owned));
            let description = "double-spend: coins were spent before: [1]".to_owned();
            let refused = ExchangeError::Refused {
                word,
                description,
                coins,
                count: None,
            };
            spent_coins(&refused, given)
        };
        assert_eq!(spent(Some("0,2"), "double-spend", 3), [0, 2]);
        for unclear in [None, Some("3"), Some("-1"), Some(""), Some("0,x")] {
            assert_eq!(spent(unclear, "double-spend", 3), [0; 0], "{unclear:?}");
            assert_eq!(
                spent(unclear, "double-spend", 1),
                [0],
                "a single coin needs no index"
            );
        }
        assert_eq!(spent(Some("0"), "invalid", 1), [0; 0]);
    }
}
