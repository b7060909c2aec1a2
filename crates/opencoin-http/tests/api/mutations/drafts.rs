//! Valid messages of every type, with coins, blinds and references that the issuer knows.

use std::collections::VecDeque;

use opencoin_schema::{
    BigInt, Blind, Coin, Request, RequestCddSerial, RequestCddc, RequestMint, RequestMintKeyCertificates,
    RequestRedeem, RequestRenew, RequestResume, ResponseMint, text,
};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::{IteratorRandom, SliceRandom};

use crate::fixture::{Blinded, DENOMINATIONS, TestCurrency, random_number};

const BLINDS_PER_KEY: usize = 8;
/// The most spent coins, accepted messages and references that are remembered.
const REMEMBERED_MAX: usize = 200;
/// Longer messages are not repeated.
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
    /// The index of the holder whose token goes with it.
    pub(crate) holder: usize,
    /// Whether it must be accepted if nothing changes it.
    pub(crate) is_certain: bool,
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
    pub(crate) fn new(currency: &TestCurrency, rng: &mut StdRng) -> Self {
        let blinds = some_blinds(currency, BLINDS_PER_KEY, rng);
        Self {
            blinds: blinds.into_iter().map(|blinded| blinded.blind).collect(),
            ..Self::default()
        }
    }

    pub(crate) fn needs_coins(&self) -> bool {
        let count = |value| {
            let coins = self.coins.iter();
            coins.filter(|coin| coin.payload.denomination == value).count()
        };
        DENOMINATIONS.iter().any(|value| count(*value) < COINS_MIN)
    }

    /// A mint of coins to spend, and what turns its answer into coins.
    pub(crate) fn mint_of_coins(&self, currency: &TestCurrency, rng: &mut StdRng) -> (Draft, Vec<Blinded>) {
        let mut blinded = some_blinds(currency, COINS_MINTED, rng);
        name(blinded.iter_mut().map(|blinded| &mut blinded.blind));
        let request = RequestMint {
            blinds: blinded.iter().map(|blinded| blinded.blind.clone()).collect(),
            message_reference: 1,
            transaction_reference: random_number(rng),
        };
        let draft = Draft {
            path: "/mint",
            body: text::compact(&request).into_bytes(),
            holder: 0,
            is_certain: true,
        };
        (draft, blinded)
    }

    pub(crate) fn take_coins(&mut self, currency: &TestCurrency, blinded: &[Blinded], answer: &[u8]) {
        let answer: ResponseMint = opencoin_schema::from_json(answer).unwrap();
        let signed = blinded.iter().zip(&answer.blind_signatures);
        self.coins
            .extend(signed.map(|(blinded, signature)| currency.finish(blinded, signature)));
    }

    pub(crate) fn draft(&self, rng: &mut StdRng) -> Draft {
        let message_reference = *[0, 1, -1, i128::from(u64::MAX), i128::from(i64::MIN)]
            .choose(rng)
            .unwrap();
        let holder = if rng.gen_ratio(1, 10) { POOR } else { 0 };
        let reference = random_number(rng);
        let request = RequestCddSerial { message_reference };
        let cdd_serial = ("/cddc/serial", Request::RequestCddSerial(request), true);
        let (path, request, is_certain) = match rng.gen_range(0..24) {
            0 => cdd_serial,
            1 => {
                let request = RequestCddc {
                    cdd_serial: rng.gen_range(0..=1),
                    message_reference,
                };
                ("/cddc", Request::RequestCddc(request), true)
            }
            2 | 3 => {
                let request = self.mint_keys(message_reference, rng);
                ("/mkcs", Request::RequestMintKeyCertificates(request), true)
            }
            4..9 => {
                let mut blinds: Vec<Blind> = self.blinds.choose_multiple(rng, ITEMS_MAX).cloned().collect();
                blinds.truncate(rng.gen_range(1..=ITEMS_MAX));
                let request = RequestMint {
                    blinds: named(blinds),
                    message_reference,
                    transaction_reference: reference,
                };
                ("/mint", Request::RequestMint(request), holder != POOR)
            }
            9..14 => {
                let (coins, is_certain) = self.some_coins(rng);
                let keys = coins.iter().map(|coin| &coin.payload.mint_key_id);
                let request = RequestRenew {
                    blinds: named(keys.map(|key| self.blind_of(key, rng)).collect()),
                    coins,
                    message_reference,
                    transaction_reference: reference,
                };
                ("/renew", Request::RequestRenew(request), is_certain)
            }
            14..17 => {
                let known = self.references.iter().choose(rng);
                let request = RequestResume {
                    message_reference,
                    transaction_reference: known.cloned().unwrap_or(reference),
                };
                ("/resume", Request::RequestResume(request), known.is_some())
            }
            17..21 => {
                let (coins, is_certain) = self.some_coins(rng);
                let request = RequestRedeem {
                    coins,
                    message_reference,
                };
                ("/redeem", Request::RequestRedeem(request), is_certain)
            }
            _ => match self.accepted.iter().choose(rng) {
                Some(accepted) => return accepted.clone(),
                None => cdd_serial,
            },
        };
        Draft {
            path,
            body: text::compact(&request).into_bytes(),
            holder,
            is_certain,
        }
    }

    /// Records a message that moved money.
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
        // The tree cannot hold larger integers.
        let is_small = i64::try_from(request.message_reference()).is_ok();
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
    name(blinds.iter_mut());
    blinds
}

/// Gives each blind of a request a reference of its own.
fn name<'blind>(blinds: impl Iterator<Item = &'blind mut Blind>) {
    blinds
        .enumerate()
        .for_each(|(index, blind)| blind.reference = format!("b{index}"));
}

/// This many blinds of each mint key.
fn some_blinds(currency: &TestCurrency, count: usize, rng: &mut StdRng) -> Vec<Blinded> {
    let keys = currency
        .currency
        .mint_keys()
        .flat_map(|key| (0..count).map(move |_| key));
    keys.map(|key| currency.blind(key, rng)).collect()
}
