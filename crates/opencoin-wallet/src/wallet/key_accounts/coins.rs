//! Coins out of a key account, and coins into it.

use opencoin_log::hash::{Hash, leaf_hash};
use opencoin_log::key_account::{AccountKey, Payee, RedeemOrder, mint_details, redeem_message};
use opencoin_log::promise::request_root;
use opencoin_schema::{BigInt, RequestMint, RequestRedeem, text};

use super::super::{ITEMS_MAX, MINT_COINS_MAX, OnProgress, parts};
use super::Wallet;
use crate::error::WalletError;
use crate::event::{CoinId, Given, KeyOrder, Kind, MintPayment, Operation, OperationId};
use crate::tokenizing::{Counts, complete_set, number, total};
use opencoin_api::Secret;

impl Wallet {
    /// Mints coins worth `amount`, paid for by a key account. Returns the number of the first request.
    ///
    /// # Errors
    /// The wallet has no such key, coins cannot make the amount, or the issuer refuses, delays or does not answer.
    pub async fn mint_by_key(
        &mut self,
        key: &AccountKey,
        amount: u64,
        progress: OnProgress<'_>,
    ) -> Result<u64, WalletError> {
        self.read_clock();
        let no = self.key_no(key)?;
        let id = self.state.keys[&no].currency.clone();
        self.refresh_if_old(&id).await?;
        self.require_log(&id)?;
        self.check_sum(&id, amount)?;
        let wanted = complete_set(amount, &self.currency(&id)?.denominations(self.now))?;
        let coins = number(&wanted);
        if coins > MINT_COINS_MAX {
            return Err(WalletError::TooManyCoins {
                coins,
                coins_max: MINT_COINS_MAX,
            });
        }
        let (mut done, all) = (0, coins as usize);
        let mut first = None;
        // One after the other, so that the number of a payment that is refused is free for the next.
        for part in parts(&wanted, ITEMS_MAX) {
            let made = &mut |made| progress(done + made, all);
            let operation = self.begin_mint_by_key(&id, no, &part, made).await?;
            first = first.or(Some(operation.id));
            self.begin_and_run(vec![operation]).await?;
            done += number(&part) as usize;
        }
        first.ok_or(WalletError::NoExactCoins(amount))
    }

    async fn begin_mint_by_key(
        &mut self,
        id: &BigInt,
        no: u64,
        part: &Counts,
        made: &mut (dyn FnMut(usize) + Send),
    ) -> Result<Operation, WalletError> {
        let seq = self.next_seq(no).await?;
        let secrets = self.next_secrets(id)?;
        let request_number = secrets.number();
        let (blinded, blinds) = self.blind(id, part, &secrets, made).await?;
        let reference = secrets.reference;
        let issued = self
            .issued_leaves(id, &blinds)
            .ok_or(WalletError::KeysUnchecked)?;
        let details = mint_details(reference.as_be_bytes(), &root_of(&issued));
        let amount = total(part);
        let payment = self.sign_order(id, no, (seq, Payee::Mint(details), amount), String::new())?;
        let request = RequestMint {
            blinds,
            message_reference: 0,
            transaction_reference: reference.clone(),
        };
        Ok(Operation {
            id: self.state.next_id(),
            currency: id.clone(),
            kind: Kind::Mint,
            amount,
            request: Secret::new(text::compact(&request)),
            token: None,
            holder: None,
            reference: Some(reference),
            blinded,
            gives: Vec::new(),
            replaces: None,
            phrase: secrets.phrase,
            number: request_number,
            key_order: Some(KeyOrder {
                account: no,
                text: Secret::new(payment.to_text()),
                payment: Some(MintPayment {
                    seq,
                    expires: payment.order.expires,
                }),
            }),
            at: self.now,
        })
    }

    /// Redeems coins worth `amount` to a key account. Returns the number of the first request.
    ///
    /// # Errors
    /// The wallet has no such key, its balance is too low, or the issuer refuses or does not answer.
    pub async fn redeem_to_key(&mut self, key: &AccountKey, amount: u64) -> Result<u64, WalletError> {
        self.read_clock();
        let no = self.key_no(key)?;
        let id = self.state.keys[&no].currency.clone();
        self.refresh_if_old(&id).await?;
        let origin = self.require_log(&id)?.origin().as_str().to_owned();
        if !self.state.keys[&no].is_open {
            return Err(WalletError::KeyNotIntroduced(key.to_string()));
        }
        let coins = self.pick(&id, amount).await?;
        let keys = coins.iter().map(|coin| coin.payload.mint_key_id.clone());
        self.require_logged_keys(&id, keys.collect()).await?;
        let seed = self.store.key_seed(no)?;
        let mut operations = Vec::new();
        for part in coins.chunks(ITEMS_MAX) {
            let spent = self.spent_leaves(&id, part).ok_or(WalletError::KeysUnchecked)?;
            let order = RedeemOrder {
                key: *key,
                sig: seed.sign(&redeem_message(&origin, &root_of(&spent))),
            };
            let currency = self.currency(&id)?;
            let ids: Vec<CoinId> = part.iter().map(|coin| currency.coin_id(&coin.payload)).collect();
            let request = RequestRedeem {
                coins: part.to_vec(),
                message_reference: 0,
            };
            operations.push(Operation {
                id: self.state.next_id() + operations.len() as OperationId,
                currency: id.clone(),
                kind: Kind::Redeem,
                amount: ids.iter().map(|coin| currency.coins[coin].value).sum(),
                request: Secret::new(text::compact(&request)),
                token: None,
                holder: None,
                reference: None,
                blinded: Vec::new(),
                gives: ids.into_iter().map(|coin| Given { coin, is_own: true }).collect(),
                replaces: None,
                phrase: 0,
                number: None,
                key_order: Some(KeyOrder {
                    account: no,
                    text: Secret::new(order.to_text()),
                    payment: None,
                }),
                at: self.now,
            });
        }
        let first = self.state.next_id();
        self.begin_and_run(operations).await?;
        Ok(first)
    }
}

fn root_of(leaves: &[Vec<u8>]) -> Hash {
    let hashes: Vec<Hash> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
    request_root(&hashes)
}
