//! Prepares requests before they are measured.
//!
//! Blinds are random numbers, which the issuer cannot distinguish from real ones. Coins are real: each is blinded,
//! signed with the private key and unblinded. That costs more than the issuer's part, so measurements with coins are
//! limited to [`COINS_MAX`].

use std::num::NonZeroUsize;
use std::thread;

use anyhow::{Context, Result};
use opencoin_crypto::{AcceptedBlinds, BlindToSign, BlindingSeed};
use opencoin_schema::{BigInt, Blind, Coin, Payload, RequestMint, RequestRedeem, RequestRenew, text};
use rand::rngs::OsRng;
use tokio::runtime::Handle;

use super::currency::{Currency, Sender, random_bytes};
use super::load::Request;
use super::mint_keys::SigningKey;
use super::plan::Operation;

/// The most coins for one measurement.
pub(super) const COINS_MAX: usize = 24_000;

const REFERENCE_BYTES: usize = 16;

/// Prepares `requests` requests of `coins` coins each, on all cores.
pub(super) async fn prepare(
    currency: &Currency,
    key: &SigningKey,
    sender: Sender,
    operation: Operation,
    coins: usize,
    requests: usize,
) -> Result<Vec<Request>> {
    if operation.spends() {
        currency.record_minted(key, coins * requests).await?;
    }
    let maker = Maker {
        currency,
        key,
        sender,
        operation,
        coins,
        runtime: Handle::current(),
    };
    tokio::task::block_in_place(|| maker.on_all_cores(requests))
}

struct Maker<'run> {
    currency: &'run Currency,
    key: &'run SigningKey,
    sender: Sender,
    operation: Operation,
    coins: usize,
    runtime: Handle,
}

impl Maker<'_> {
    fn on_all_cores(&self, requests: usize) -> Result<Vec<Request>> {
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let share = |thread: usize| (requests + thread) / threads;
        thread::scope(|scope| {
            let make = |count: usize| {
                scope.spawn(move || (0..count).map(|_| self.request()).collect::<Result<Vec<_>>>())
            };
            let running: Vec<_> = (0..threads).map(|thread| make(share(thread))).collect();
            let mut all = Vec::with_capacity(requests);
            for thread in running {
                all.extend(thread.join().expect("making requests does not panic")?);
            }
            Ok(all)
        })
    }

    fn request(&self) -> Result<Request> {
        let message_reference = 1;
        let transaction_reference = BigInt::from_be_bytes(&random_bytes(REFERENCE_BYTES));
        let body = match self.operation {
            Operation::Mint => text::compact(&RequestMint {
                blinds: self.blinds(),
                message_reference,
                transaction_reference,
            }),
            Operation::Renew => {
                let (blinds, coins) = (self.blinds(), self.coins()?);
                text::compact(&RequestRenew {
                    blinds,
                    coins,
                    message_reference,
                    transaction_reference,
                })
            }
            Operation::Redeem => text::compact(&RequestRedeem {
                coins: self.coins()?,
                message_reference,
            }),
        };
        let head = format!(
            "POST /{} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.operation,
            self.currency.token(self.sender).expose(),
            body.len(),
        );
        Ok([head.as_bytes(), body.as_bytes()].concat())
    }

    fn blinds(&self) -> Vec<Blind> {
        (0..self.coins).map(|index| self.blind(index)).collect()
    }

    fn blind(&self, index: usize) -> Blind {
        let public = &self.key.public;
        let mut number = random_bytes(public.modulus_bytes());
        // Smaller than the modulus, whose first bit is set, but of the same length.
        number[0] = number[0] & 0x3f | 0x40;
        let blinded_payload_hash = BigInt::from_be_bytes(&number);
        Blind {
            blinded_payload_hash,
            mint_key_id: public.id().clone(),
            reference: format!("blind {index}"),
        }
    }

    /// Makes coins that are signed by the mint key.
    fn coins(&self) -> Result<Vec<Coin>> {
        let mint_keys = &self.currency.mint_keys;
        let (suite, public) = (mint_keys.cddc.cipher_suite(), &self.key.public);
        let mut payloads = Vec::with_capacity(self.coins);
        let mut blinds = Vec::with_capacity(self.coins);
        for _ in 0..self.coins {
            let payload = self.payload();
            let (blinded, unblinder) = suite.blind(public, &payload, &BlindingSeed::generate(&mut OsRng))?;
            blinds.push(BlindToSign {
                mint_key_id: public.id().clone(),
                blinded,
            });
            payloads.push((payload, unblinder));
        }
        let accepted = AcceptedBlinds {
            transaction_reference: random_bytes(REFERENCE_BYTES),
            blinds: blinds.into(),
        };
        let signatures = self
            .runtime
            .block_on(mint_keys.signer.sign(accepted))
            .context("cannot sign coins")?;
        let finish =
            |((payload, unblinder), signature)| Ok(suite.finish(public, &payload, &signature, &unblinder)?);
        payloads.into_iter().zip(signatures).map(finish).collect()
    }

    fn payload(&self) -> Payload {
        let cdd = self.currency.mint_keys.cddc.cdd();
        Payload {
            cdd_location: cdd.cdd_location.clone(),
            denomination: self.key.denomination,
            issuer_id: cdd.id.clone(),
            mint_key_id: self.key.public.id().clone(),
            protocol_version: cdd.protocol_version.clone(),
            serial: BigInt::from_be_bytes(&random_bytes(REFERENCE_BYTES)),
        }
    }
}
