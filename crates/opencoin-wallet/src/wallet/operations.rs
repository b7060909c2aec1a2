//! A money operation, step by step: begun (its secrets and exact request are in the journal), run (the request is sent, as often
//! as it takes), settled (coins or a refusal go to the journal).

use opencoin_crypto::Unblinder;
use opencoin_schema::{BlindSignature, Coin, RequestResume, text};

use super::{DOUBLE_SPEND, Wallet};
use crate::client::{self, ExchangeError};
use crate::error::WalletError;
use crate::state::{Blinded, Event, Given, Kind, Operation, OperationId};

/// The issuer knows nothing of a transaction reference.
const NOT_FOUND: &str = "not-found";

impl Wallet {
    /// Puts all requests into the journal, so that none can be forgotten, and then sends them.
    pub(super) async fn begin_and_run(&mut self, operations: Vec<Operation>) -> Result<(), WalletError> {
        let ids = operations.iter().map(|operation| operation.id).collect();
        self.record(Event::Begun { operations })?;
        self.run_all(ids).await
    }

    /// Sends requests that belong together, one after another.
    pub(super) async fn run_all(&mut self, ids: Vec<OperationId>) -> Result<(), WalletError> {
        let mut delayed = None;
        let mut ids = ids.into_iter();
        while let Some(id) = ids.next() {
            match self.run(id).await {
                Ok(()) => {}
                Err(error @ WalletError::Exchange(ExchangeError::Delayed)) => delayed = Some(error),
                Err(error) => {
                    if matches!(error, WalletError::Exchange(ExchangeError::Refused { .. })) {
                        let description = "not sent, because another part of it was refused".to_owned();
                        for id in ids {
                            let (description, at) = (description.clone(), (self.clock)());
                            self.record(Event::Refused { operation: id, description, spent: Vec::new(), at })?;
                        }
                    }
                    return Err(error);
                }
            }
        }
        delayed.map_or(Ok(()), Err)
    }

    /// Sends the exact request and settles the operation with its answer.
    pub(super) async fn run(&mut self, id: OperationId) -> Result<(), WalletError> {
        let operation = &self.state.operations[&id].what;
        let cdd = self.currency(&operation.currency)?.cddc.cdd();
        let (services, path) = match operation.kind {
            Kind::Mint => (&cdd.mint_service, "/mint"),
            Kind::Redeem => (&cdd.redeem_service, "/redeem"),
            Kind::Receive { .. } | Kind::Change | Kind::Reclaim { .. } => (&cdd.renew_service, "/renew"),
        };
        let (token, request) = (operation.token.as_ref(), operation.request.expose());
        let answer = client::post(self.transport.as_ref(), services, path, token, request).await;
        let answer = answer.and_then(|answer| match operation.kind {
            Kind::Redeem => client::redeemed(&answer).map(|()| Vec::new()),
            _ => client::signatures(&answer),
        });
        self.settle(id, answer)
    }

    /// Asks for the signatures of what was accepted; if nothing was, sends the request itself again.
    pub(super) async fn resume_operation(&mut self, id: OperationId) -> Result<(), WalletError> {
        let operation = &self.state.operations[&id].what;
        let Some(reference) = &operation.reference else { return self.run(id).await };
        let cdd = self.currency(&operation.currency)?.cddc.cdd();
        let services = if operation.kind == Kind::Mint { &cdd.mint_service } else { &cdd.renew_service };
        let request = RequestResume { message_reference: 0, transaction_reference: reference.clone() };
        let answer = client::post(self.transport.as_ref(), services, "/resume", None, &text::compact(&request)).await;
        match answer.and_then(|answer| client::signatures(&answer)) {
            Err(ExchangeError::Refused { word, .. }) if word == NOT_FOUND => self.run(id).await,
            // That the question is refused says nothing about what was accepted before.
            Err(ExchangeError::Refused { description, .. }) => Err(ExchangeError::Unknown(description).into()),
            answer => self.settle(id, answer),
        }
    }

    pub(super) fn settle(
        &mut self,
        id: OperationId,
        answer: Result<Vec<BlindSignature>, ExchangeError>,
    ) -> Result<(), WalletError> {
        let at = (self.clock)();
        match answer {
            Ok(signatures) => {
                let coins = self.unblind(&self.state.operations[&id].what, &signatures)?;
                self.record(Event::Finished { operation: id, coins, at })
            }
            Err(ExchangeError::Refused { word, description }) => {
                let gives = &self.state.operations[&id].what.gives;
                let spent = if word == DOUBLE_SPEND { spent_coins(&description, gives) } else { Vec::new() };
                self.record(Event::Refused { operation: id, description: description.clone(), spent, at })?;
                Err(ExchangeError::Refused { word, description }.into())
            }
            Err(unfinished @ (ExchangeError::Delayed | ExchangeError::Unknown(_))) => Err(unfinished.into()),
        }
    }

    /// Makes and verifies the coins of an operation, in the order of its blinds.
    pub(super) fn unblind(&self, operation: &Operation, signatures: &[BlindSignature]) -> Result<Vec<Coin>, WalletError> {
        let currency = self.currency(&operation.currency)?;
        let finish = |blinded: &Blinded| {
            let signature = signatures.iter().find(|signature| signature.reference == blinded.reference);
            let signature = &signature.ok_or(WalletError::WrongSignature)?.blind_signature;
            let key = &currency.mint_keys[&blinded.payload.mint_key_id];
            let unblinder = Unblinder::from_secret_hex(blinded.unblinder.expose())
                .map_err(|error| WalletError::Blinding(error.to_string()))?;
            let suite = currency.cddc.cipher_suite();
            suite.finish(key.public_key(), &blinded.payload, signature, &unblinder).map_err(|_| WalletError::WrongSignature)
        };
        operation.blinded.iter().map(finish).collect()
    }

    pub(super) fn reclaims(&self, id: OperationId) -> bool {
        matches!(self.state.operations[&id].what.kind, Kind::Reclaim { .. })
    }
}

/// The indices in the issuer's description, as in `double-spend: coins were spent before: [0, 2]`. An issuer that names none
/// leaves it open, unless there was only one coin: no coin is given up on suspicion.
fn spent_coins(description: &str, gives: &[Given]) -> Vec<usize> {
    let list = description.rsplit_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(list, _)| list);
    let named: Option<Vec<usize>> = list.and_then(|list| list.split(',').map(|index| index.trim().parse().ok()).collect());
    match named {
        Some(indices) if indices.iter().all(|index| *index < gives.len()) => indices,
        Some(_) | None if gives.len() == 1 => vec![0],
        Some(_) | None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use opencoin_schema::BigInt;

    use super::*;

    #[test]
    fn only_coins_that_the_issuer_names_are_given_up() {
        let given = |count: u8| -> Vec<Given> {
            (0..count).map(|number| Given { coin: BigInt::from_be_bytes(&[number]), is_own: true }).collect()
        };
        assert_eq!(spent_coins("double-spend: coins were spent before: [0, 2]", &given(3)), [0, 2]);
        for unclear in ["double-spend: [3]", "double-spend: [-1]", "double-spend: []", "double-spend", "double-spend: [0, x]"] {
            assert_eq!(spent_coins(unclear, &given(3)), [0; 0], "{unclear}");
            assert_eq!(spent_coins(unclear, &given(1)), [0], "there is no other");
        }
    }
}
