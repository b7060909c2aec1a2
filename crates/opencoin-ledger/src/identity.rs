//! The identity of a command: its reference key and content digest. The same key with another digest is a
//! conflict.
//!
//! The digest is SHA-256 over a canonical encoding. Every part of variable length has its length before it,
//! so different contents have different encodings. Times are left out, so a command that is sent again later
//! is the same command.

use opencoin_log::key_account::{Introduction, Payment};
use opencoin_schema::text;
use sha2::{Digest, Sha256};

use crate::journal::{ContentDigest, Kind, Record, ReferenceKey, ReferenceScope};
use crate::recovered::{AssignmentWay, Recovered, RecoveredPart};
use crate::{
    AccountId, Action, Amount, Blind, CoinIn, Command, Consent, HistoryId, KeyPayment, LedgerTime,
    OperatorCommand, Reference, RevokedBlind, Settlement,
};

/// A command with its identity, computed once and used to load, decide and save.
#[derive(Debug)]
pub struct Prepared<'a> {
    pub(crate) command: &'a Command,
    /// The key of the record that reveals a repetition; `None` if the state itself reveals it.
    pub(crate) key: Option<ReferenceKey>,
    pub(crate) content: ContentDigest,
    /// What is recorded if the command is applied and not repeated; `None` if no operator has sent it.
    pub(crate) action: Option<&'a Action>,
    /// Whether a second operator is needed.
    pub(crate) consent: Consent,
}

impl<'a> Prepared<'a> {
    /// Computes the identity of a command.
    #[must_use]
    pub fn new(command: &'a Command) -> Self {
        if let Command::SignAgain { request, .. } = command {
            return Self {
                command,
                ..Self::new(request)
            };
        }
        let content = content(command);
        let key = match command {
            Command::OpenAccount { .. }
            | Command::SetAccountStatus { .. }
            | Command::RegisterMintKey { .. }
            | Command::StopMintKey { .. }
            | Command::RetireMintKey { .. }
            | Command::PruneMintKey { .. }
            | Command::SetSigningPaused { .. }
            | Command::OpenLog { .. }
            | Command::ReleaseMintKey { .. } => None,
            Command::IntroduceKey { introduction, .. } => {
                Some(ReferenceKey::of_introduction(&introduction.key))
            }
            Command::PayByKey { payment, .. } => Some(payment.reference()),
            Command::LogCurrency { .. } => Some(ReferenceKey::new(ReferenceScope::Log, content.as_bytes())),
            Command::Recover { recovered, .. } => Some(recovered_key(recovered, &content)),
            Command::Credit { reference, .. }
            | Command::Debit { reference, .. }
            | Command::AssignRecovered { reference, .. } => Some(payment_key(reference)),
            Command::Transfer {
                from: account, key, ..
            }
            | Command::RequestPayout { account, key, .. } => Some(ReferenceKey::of_holder(*account, key)),
            Command::SettlePayout { payout, .. } => Some(ReferenceKey::of_settlement(*payout)),
            Command::Mint {
                transaction_reference,
                ..
            }
            | Command::Renew {
                transaction_reference,
                ..
            }
            | Command::Recoup {
                transaction_reference,
                ..
            } => Some(ReferenceKey::of_transaction(transaction_reference)),
            Command::Redeem { .. } => Some(ReferenceKey::new(ReferenceScope::Redeem, content.as_bytes())),
            Command::SignAgain { .. } => unreachable!("it has the identity of its request"),
        };
        Self {
            command,
            key,
            content,
            action: None,
            consent: Consent::NotNeeded,
        }
    }

    /// Computes the identity of an operator's command. Who sends it is no part of it.
    #[must_use]
    pub fn of_operator(command: &'a OperatorCommand) -> Self {
        Self {
            action: Some(&command.action),
            consent: command.consent,
            ..Self::new(&command.command)
        }
    }

    /// Computes the identities of a batch.
    #[must_use]
    pub fn batch(commands: &'a [Command]) -> Vec<Self> {
        commands.iter().map(Self::new).collect()
    }

    /// Computes the identities of a batch of an operator's commands.
    #[must_use]
    pub fn operator_batch(commands: &'a [OperatorCommand]) -> Vec<Self> {
        commands.iter().map(Self::of_operator).collect()
    }
}

pub(crate) fn payment_key(reference: &Reference) -> ReferenceKey {
    ReferenceKey::new(ReferenceScope::Payment, reference.as_str().as_bytes())
}

/// A recovered introduction or payment has the key of the original, so that the original, sent again, is repeated.
fn recovered_key(recovered: &Recovered, content: &ContentDigest) -> ReferenceKey {
    match &recovered.part {
        RecoveredPart::Introduced(introduction) => ReferenceKey::of_introduction(&introduction.key),
        RecoveredPart::PaidByKey(payment) => {
            ReferenceKey::of_key_payment(&payment.order.from, payment.order.seq)
        }
        _ => ReferenceKey::new(ReferenceScope::Recovery, content.as_bytes()),
    }
}

fn content(command: &Command) -> ContentDigest {
    match command {
        // The password is not part of it, because it can change later.
        Command::OpenAccount { name, token_hash, .. } => Encoder::new(Kind::OpenAccount)
            .bytes(name.as_str().as_bytes())
            .bytes(token_hash.as_ref().map_or(&[], |hash| &hash.as_bytes()[..])),
        // It has no record; the kind is only that of the digest.
        Command::SetAccountStatus { account, status, .. } => Encoder::new(Kind::OpenAccount)
            .number(account.get())
            .number(status.code().into()),
        Command::IntroduceKey { introduction, .. } => return introduction_content(introduction),
        Command::PayByKey { payment, .. } => return payment_content(&payment.payment),
        Command::Credit { account, amount, .. } => Encoder::new(Kind::Credit)
            .number(account.get())
            .number(amount.as_i64()),
        Command::Debit { account, amount, .. } => Encoder::new(Kind::Debit)
            .number(account.get())
            .number(amount.as_i64()),
        Command::Transfer {
            from,
            to,
            amount,
            label,
            ..
        } => Encoder::new(Kind::Transfer)
            .number(from.get())
            .number(to.get())
            .number(amount.as_i64())
            .text_or_none(label.as_ref()),
        Command::RequestPayout {
            account,
            amount,
            destination,
            ..
        } => Encoder::new(Kind::RequestPayout)
            .number(account.get())
            .number(amount.as_i64())
            .bytes(destination.as_str().as_bytes()),
        Command::SettlePayout {
            payout, settlement, ..
        } => {
            let (kind, text) = match settlement {
                Settlement::Paid(reference) => (Kind::PayPayout, reference),
                Settlement::Failed(reason) => (Kind::ReturnPayout, reason),
            };
            Encoder::new(kind)
                .number(payout.get())
                .bytes(text.as_str().as_bytes())
        }
        Command::RegisterMintKey { id, terms, .. } => Encoder::new(Kind::RegisterMintKey)
            .bytes(id.as_bytes())
            .number(terms.denomination().as_i64())
            .number(terms.sign_not_before().unix_micros())
            .number(terms.sign_not_after().unix_micros())
            .number(terms.coins_expiry().unix_micros()),
        Command::StopMintKey { id, .. } => Encoder::new(Kind::StopMintKey).bytes(id.as_bytes()),
        Command::RetireMintKey { id, .. } => Encoder::new(Kind::RetireMintKey).bytes(id.as_bytes()),
        Command::PruneMintKey { id, .. } => Encoder::new(Kind::PruneMintKey).bytes(id.as_bytes()),
        Command::OpenLog { .. } => Encoder::new(Kind::OpenLog),
        // Not the signature: the same description counts once, however often the master key has signed it.
        Command::LogCurrency { cddc, .. } => {
            Encoder::new(Kind::LogCurrency).bytes(text::compact(&cddc.cdd).as_bytes())
        }
        Command::ReleaseMintKey { id, .. } => Encoder::new(Kind::ReleaseMintKey).bytes(id.as_bytes()),
        Command::SetSigningPaused { paused, .. } => {
            Encoder::new(Kind::SetSigningPaused).number(i64::from(*paused))
        }
        Command::Recover { recovered, .. } => return recovered_content(recovered),
        Command::AssignRecovered {
            account, amount, way, ..
        } => Encoder::new(Kind::AssignRecovered)
            .number(account.get())
            .number(amount.as_i64())
            .number(i64::from(*way == AssignmentWay::ToAccount)),
        Command::SignAgain { request, .. } => return self::content(request),
        Command::Mint { account, blinds, .. } => return mint_content(*account, blinds),
        Command::Renew { coins, blinds, .. } => Encoder::new(Kind::Renew).coins(coins).blinds(blinds),
        Command::Redeem { account, coins, .. } => {
            let mut set = coins.clone();
            set.sort_unstable(); // the order of the coins makes no difference
            Encoder::new(Kind::Redeem).number(account.get()).coins(&set)
        }
        Command::Recoup { revoked, blinds, .. } => Encoder::new(Kind::Recoup).revoked(revoked).blinds(blinds),
    }
    .finish()
}

fn introduction_content(introduction: &Introduction) -> ContentDigest {
    Encoder::new(Kind::IntroduceKey)
        .bytes(introduction.to_text().as_bytes())
        .finish()
}

/// The content digest of a payment by a key, whatever its payee.
pub(crate) fn payment_content(payment: &Payment) -> ContentDigest {
    Encoder::new(Kind::PayForMint)
        .bytes(payment.to_text().as_bytes())
        .finish()
}

impl KeyPayment {
    /// The reference key of its record.
    pub(crate) fn reference(&self) -> ReferenceKey {
        let order = &self.payment.order;
        ReferenceKey::of_key_payment(&order.from, order.seq)
    }
}

fn recovered_content(recovered: &Recovered) -> ContentDigest {
    let batch = i64::try_from(recovered.batch.get()).unwrap_or(i64::MAX);
    let encoder = Encoder::new(Kind::Recover).number(batch);
    let encoder = match &recovered.part {
        RecoveredPart::Issued(blinds) => {
            blinds
                .iter()
                .fold(encoder.number(1).count(blinds.len()), |encoder, blind| {
                    encoder
                        .bytes(blind.mint_key.as_bytes())
                        .bytes(blind.issued_digest.as_bytes())
                })
        }
        RecoveredPart::Spent(coins) => encoder.number(2).coins(coins),
        RecoveredPart::Recouped(revoked) => encoder.number(3).revoked(revoked),
        RecoveredPart::PaidIn(amount) => encoder.number(4).number(amount.as_i64()),
        RecoveredPart::PaidOut(amount) => encoder.number(5).number(amount.as_i64()),
        RecoveredPart::Shortfall(amount) => encoder.number(6).number(amount.as_i64()),
        RecoveredPart::Credited(credit) => encoder.number(7).bytes(credit.to_text().as_bytes()),
        RecoveredPart::Introduced(introduction) => return introduction_content(introduction),
        RecoveredPart::PaidByKey(payment) => return payment_content(payment),
    };
    encoder.finish()
}

/// The content digest of a mint, over its account and blinds. Both are in its record, so an audit can
/// recompute it.
#[must_use]
pub fn mint_content(account: AccountId, blinds: &[Blind]) -> ContentDigest {
    Encoder::new(Kind::Mint)
        .number(account.get())
        .blinds(blinds)
        .finish()
}

/// The content digest of the record with which a history begins.
fn history_content(history: HistoryId) -> ContentDigest {
    Encoder::new(Kind::AcceptState).bytes(history.as_bytes()).finish()
}

impl Record {
    /// The first record of this history, after an operator accepted an older state of the books. Its number
    /// is above all that the lost state can have assigned.
    #[must_use]
    pub fn of_accepted_state(history: HistoryId, at: LedgerTime) -> Self {
        Self {
            kind: Kind::AcceptState,
            reference: ReferenceKey::new(ReferenceScope::History, history.as_bytes()),
            content: history_content(history),
            debit: None,
            credit: None,
            debit_entry: None,
            credit_entry: None,
            amount: Amount::ZERO,
            at,
            issued: None,
            blinds: None,
            label: None,
            recovered_batch: None,
        }
    }
}

struct Encoder(Sha256);

impl Encoder {
    fn new(kind: Kind) -> Self {
        Self(Sha256::new())
            .bytes(b"opencoin ledger content 1")
            .number(kind.code().into())
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
        self
    }

    fn number(mut self, number: i64) -> Self {
        self.0.update(number.to_be_bytes());
        self
    }

    fn text_or_none(self, text: Option<&Reference>) -> Self {
        text.into_iter()
            .fold(self.count(usize::from(text.is_some())), |encoder, text| {
                encoder.bytes(text.as_str().as_bytes())
            })
    }

    fn count(mut self, count: usize) -> Self {
        self.0.update((count as u64).to_be_bytes());
        self
    }

    fn coins(self, coins: &[CoinIn]) -> Self {
        coins.iter().fold(self.count(coins.len()), |encoder, coin| {
            encoder
                .bytes(coin.mint_key.as_bytes())
                .bytes(coin.spent_digest.as_bytes())
        })
    }

    fn blinds(self, blinds: &[Blind]) -> Self {
        blinds.iter().fold(self.count(blinds.len()), |encoder, blind| {
            encoder
                .bytes(blind.reference.as_bytes())
                .bytes(blind.mint_key.as_bytes())
                .bytes(&blind.blinded)
        })
    }

    fn revoked(self, revoked: &[RevokedBlind]) -> Self {
        revoked
            .iter()
            .fold(self.count(revoked.len()), |encoder, revoked| {
                let (key, blind, hash) = (
                    revoked.mint_key.as_bytes(),
                    revoked.issued_digest.as_bytes(),
                    revoked.spent_digest.as_bytes(),
                );
                encoder.bytes(key).bytes(blind).bytes(hash)
            })
    }

    fn finish(self) -> ContentDigest {
        ContentDigest::new(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LedgerTime, MintKeyId, SpentDigest, TransactionReference};

    fn coin(hash: u8) -> CoinIn {
        CoinIn {
            mint_key: MintKeyId::new([1; 20]),
            spent_digest: SpentDigest::new([hash; 32]),
        }
    }

    fn redeem(coins: &[CoinIn], at: i64) -> Command {
        let (account, at) = (AccountId::new(3), LedgerTime::from_unix_micros(at));
        Command::Redeem {
            account,
            coins: coins.to_vec(),
            at,
        }
    }

    fn mint(blinds: &[(&str, &[u8])]) -> Command {
        let blind = |(reference, blinded): &(&str, &[u8])| Blind {
            reference: (*reference).to_owned(),
            mint_key: MintKeyId::new([1; 20]),
            blinded: blinded.to_vec(),
        };
        Command::Mint {
            account: AccountId::new(3),
            transaction_reference: TransactionReference::new([1]).unwrap(),
            blinds: blinds.iter().map(blind).collect(),
            payment: None,
            wait_until: None,
            at: LedgerTime::from_unix_micros(0),
        }
    }

    #[test]
    fn a_redeem_is_identified_by_its_set_of_coins() {
        let [first, second] = [redeem(&[coin(1), coin(2)], 5), redeem(&[coin(2), coin(1)], 9)];
        assert_eq!(Prepared::new(&first).key, Prepared::new(&second).key);
        let third = redeem(&[coin(1)], 5);
        assert_ne!(Prepared::new(&first).key, Prepared::new(&third).key);
    }

    #[test]
    fn moving_bytes_between_parts_changes_the_content() {
        let [first, second] = [mint(&[("ab", b"c")]), mint(&[("a", b"bc")])];
        assert_ne!(Prepared::new(&first).content, Prepared::new(&second).content);
        let [first, second] = [
            mint(&[("a", b"x"), ("b", b"y")]),
            mint(&[("b", b"y"), ("a", b"x")]),
        ];
        assert_ne!(Prepared::new(&first).content, Prepared::new(&second).content);
    }
}
