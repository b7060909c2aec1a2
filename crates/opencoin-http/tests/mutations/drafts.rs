//! Valid messages of every type, made of coins, blinds and references that the issuer really knows.

use std::collections::VecDeque;

use opencoin_crypto::{BlindingSeed, CipherSuite, Unblinder};
use opencoin_keys::{CertifiedMintKey, Currency};
use opencoin_schema::{
    BigInt, Blind, Coin, PROTOCOL_VERSION, Payload, Request, RequestCddSerial, RequestCddc, RequestMint,
    RequestMintKeyCertificates, RequestRedeem, RequestRenew, RequestResume, ResponseMint, text,
};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::answers::message_reference;
use crate::house::{DENOMINATIONS, URL};

const BLINDS_PER_KEY: usize = 8;
/// What is remembered of each: coins that were spent, messages that were accepted, references.
const REMEMBERED_MAX: usize = 200;
/// A longer message is not worth repeating.
const REPEATED_BYTES_MAX: usize = 20_000;
const COINS_MIN: usize = 6;
/// Coins of each denomination that are minted when there are too few.
const COINS_MINTED: usize = 8;
const ITEMS_MAX: usize = 3;
const POOR: usize = 1;

/// A valid message, not yet addressed.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) path: &'static str,
    pub(crate) body: Vec<u8>,
    /// Whose token goes with it.
    pub(crate) holder: usize,
    /// Whether it is accepted as it stands.
    pub(crate) is_certain: bool,
}

/// A coin before its signature.
pub(crate) struct Cast {
    payload: Payload,
    unblinder: Unblinder,
}

#[derive(Default)]
pub(crate) struct Drafts {
    blinds: Vec<Blind>,
    coins: Vec<Coin>,
    spent: VecDeque<Coin>,
    accepted: VecDeque<Draft>,
    references: VecDeque<BigInt>,
}

impl Drafts {
    pub(crate) fn new(currency: &Currency, rng: &mut StdRng) -> Self {
        let blinds = currency
            .mint_keys()
            .flat_map(|key| (0..BLINDS_PER_KEY).map(move |_| key));
        Self {
            blinds: blinds.map(|key| cast(key, rng).0).collect(),
            ..Self::default()
        }
    }

    pub(crate) fn needs_coins(&self) -> bool {
        DENOMINATIONS.iter().any(|value| {
            self.coins
                .iter()
                .filter(|coin| coin.payload.denomination == *value)
                .count()
                < COINS_MIN
        })
    }

    /// A mint of coins to spend, and what turns its answer into coins.
    pub(crate) fn mint_of_coins(&self, currency: &Currency, rng: &mut StdRng) -> (Draft, Vec<Cast>) {
        let keys = currency
            .mint_keys()
            .flat_map(|key| (0..COINS_MINTED).map(move |_| key));
        let (blinds, casts): (Vec<Blind>, Vec<Cast>) = keys.map(|key| cast(key, rng)).unzip();
        let request = RequestMint {
            blinds: named(blinds),
            message_reference: 1,
            transaction_reference: random_number(rng),
        };
        (
            Draft {
                path: "/mint",
                body: text::compact(&request).into_bytes(),
                holder: 0,
                is_certain: true,
            },
            casts,
        )
    }

    pub(crate) fn take_coins(&mut self, currency: &Currency, casts: &[Cast], answer: &[u8]) {
        let answer: ResponseMint = opencoin_schema::from_json(answer).unwrap();
        for (Cast { payload, unblinder }, signature) in casts.iter().zip(answer.blind_signatures) {
            let key = currency
                .mint_key(&payload.mint_key_id)
                .unwrap()
                .verified
                .public_key();
            let coin = currency
                .cipher_suite()
                .finish(key, payload, &signature.blind_signature, unblinder);
            self.coins.push(coin.unwrap());
        }
    }

    pub(crate) fn draft(&self, rng: &mut StdRng) -> Draft {
        let message_reference = *[0, 1, -1, i128::from(u64::MAX), i128::from(i64::MIN)]
            .choose(rng)
            .unwrap();
        let holder = if rng.gen_ratio(1, 10) { POOR } else { 0 };
        let draft = |path, body: String, is_certain| Draft {
            path,
            body: body.into_bytes(),
            holder,
            is_certain,
        };
        match rng.gen_range(0..24) {
            0 => draft(
                "/cddc/serial",
                text::compact(&RequestCddSerial { message_reference }),
                true,
            ),
            1 => {
                let request = RequestCddc {
                    cdd_serial: rng.gen_range(0..=1),
                    message_reference,
                };
                draft("/cddc", text::compact(&request), true)
            }
            2 | 3 => draft(
                "/mkcs",
                text::compact(&self.mint_keys(message_reference, rng)),
                true,
            ),
            4..9 => {
                let mut blinds: Vec<Blind> = self.blinds.choose_multiple(rng, ITEMS_MAX).cloned().collect();
                blinds.truncate(rng.gen_range(1..=ITEMS_MAX));
                let request = RequestMint {
                    blinds: named(blinds),
                    message_reference,
                    transaction_reference: random_number(rng),
                };
                draft("/mint", text::compact(&request), holder != POOR)
            }
            9..14 => {
                let (coins, is_certain) = self.some_coins(rng);
                let blinds = coins
                    .iter()
                    .map(|coin| self.blind_of(&coin.payload.mint_key_id, rng))
                    .collect();
                let transaction_reference = random_number(rng);
                let request = RequestRenew {
                    blinds: named(blinds),
                    coins,
                    message_reference,
                    transaction_reference,
                };
                draft("/renew", text::compact(&request), is_certain)
            }
            14..17 => {
                let known = self
                    .references
                    .iter()
                    .collect::<Vec<_>>()
                    .choose(rng)
                    .map(|reference| (*reference).clone());
                let is_certain = known.is_some();
                let transaction_reference = known.unwrap_or_else(|| random_number(rng));
                draft(
                    "/resume",
                    text::compact(&RequestResume {
                        message_reference,
                        transaction_reference,
                    }),
                    is_certain,
                )
            }
            17..21 => {
                let (coins, is_certain) = self.some_coins(rng);
                draft(
                    "/redeem",
                    text::compact(&RequestRedeem {
                        coins,
                        message_reference,
                    }),
                    is_certain,
                )
            }
            _ => match self.accepted.len() {
                0 => draft("/", text::compact(&RequestCddSerial { message_reference }), true),
                count => self.accepted[rng.gen_range(0..count)].clone(),
            },
        }
    }

    /// Takes note of a message that has moved money.
    pub(crate) fn accepted(&mut self, request: &Request, holder: usize) {
        let (path, coins, reference) = match request {
            Request::RequestMint(request) => ("/mint", &[][..], Some(&request.transaction_reference)),
            Request::RequestRenew(request) => {
                ("/renew", &request.coins[..], Some(&request.transaction_reference))
            }
            Request::RequestRedeem(request) => ("/redeem", &request.coins[..], None),
            other => panic!("{} moves no money", other.type_name()),
        };
        self.coins.retain(|coin| !coins.contains(coin));
        self.spent.extend(coins.iter().cloned());
        self.references.extend(reference.cloned());
        let body = text::compact(request).into_bytes();
        // Larger integers do not survive the tree.
        let is_small = i64::try_from(message_reference(request)).is_ok();
        if is_small && body.len() <= REPEATED_BYTES_MAX {
            self.accepted.push_back(Draft {
                path,
                body,
                holder,
                is_certain: true,
            });
        }
        forget(&mut self.spent);
        forget(&mut self.references);
        forget(&mut self.accepted);
    }

    /// Coins, and whether they can be spent.
    fn some_coins(&self, rng: &mut StdRng) -> (Vec<Coin>, bool) {
        let is_fresh = self.spent.len() < ITEMS_MAX || rng.gen_ratio(3, 4);
        let count = rng.gen_range(1..ITEMS_MAX);
        let mut coins: Vec<Coin> = self.coins.choose_multiple(rng, count).cloned().collect();
        if !is_fresh {
            coins.push(self.spent[rng.gen_range(0..self.spent.len())].clone());
        }
        (coins, is_fresh)
    }

    fn blind_of(&self, mint_key_id: &BigInt, rng: &mut StdRng) -> Blind {
        let blinds: Vec<_> = self
            .blinds
            .iter()
            .filter(|blind| blind.mint_key_id == *mint_key_id)
            .collect();
        (*blinds.choose(rng).unwrap()).clone()
    }

    fn mint_keys(&self, message_reference: i128, rng: &mut StdRng) -> RequestMintKeyCertificates {
        let denominations = DENOMINATIONS[..rng.gen_range(0..=DENOMINATIONS.len())].to_vec();
        let count = rng.gen_range(0..ITEMS_MAX);
        let ids = self
            .blinds
            .choose_multiple(rng, count)
            .map(|blind| blind.mint_key_id.clone());
        RequestMintKeyCertificates {
            denominations,
            message_reference,
            mint_key_ids: ids.collect(),
        }
    }
}

fn forget<T>(remembered: &mut VecDeque<T>) {
    remembered.drain(..remembered.len().saturating_sub(REMEMBERED_MAX));
}

fn named(mut blinds: Vec<Blind>) -> Vec<Blind> {
    blinds
        .iter_mut()
        .enumerate()
        .for_each(|(index, blind)| blind.reference = format!("b{index}"));
    blinds
}

fn random_number(rng: &mut StdRng) -> BigInt {
    BigInt::from_be_bytes(&rng.r#gen::<[u8; 16]>())
}

fn cast(key: &CertifiedMintKey, rng: &mut StdRng) -> (Blind, Cast) {
    let mint_key = key.verified.mint_key();
    let payload = Payload {
        cdd_location: format!("{URL}/cddc"),
        denomination: mint_key.denomination,
        issuer_id: mint_key.issuer_id.clone(),
        mint_key_id: mint_key.id.clone(),
        protocol_version: PROTOCOL_VERSION.to_owned(),
        serial: random_number(rng),
    };
    let seed = BlindingSeed::generate(rng);
    let (blinded_payload_hash, unblinder) = CipherSuite::default()
        .blind(key.verified.public_key(), &payload, &seed)
        .unwrap();
    let blind = Blind {
        blinded_payload_hash,
        mint_key_id: mint_key.id.clone(),
        reference: String::new(),
    };
    (blind, Cast { payload, unblinder })
}
