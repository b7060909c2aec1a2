//! The rows that a batch can read, which a store has to load.

use std::collections::BTreeSet;

use opencoin_log::key_account::Payee;

use crate::journal::ReferenceKey;
use crate::log::LogBatchNo;
use crate::mint_key_no::MintKeyNo;
use crate::recovered::RecoveredPart;
use crate::{
    AccountId, AccountName, AccountStatus, CoinIn, Command, Consent, IssuedDigest, MintKeyId, PayoutNo,
    Prepared, ProposalNo, RevokedBlind, TokenHash, View,
};

/// The keys of all rows that a batch can read. A store locks the rows of each set in ascending order.
#[derive(Debug, Default)]
pub struct Touches {
    /// Payouts to settle. Their accounts are read too: see [`Touches::accounts_and_payees`].
    pub payouts: BTreeSet<PayoutNo>,
    /// Accounts by number.
    pub accounts: BTreeSet<AccountId>,
    /// The names of accounts to open, and of key accounts that a recovery changes. A store need not lock them: names do
    /// not change, and nothing else uses the books during a recovery.
    pub names: BTreeSet<AccountName>,
    /// The token hashes of accounts to open.
    pub token_hashes: BTreeSet<TokenHash>,
    /// Mint keys.
    pub mint_keys: BTreeSet<MintKeyId>,
    /// Coins whose spent rows are read, in the order of the commands. A list, because most batches are decided
    /// without reading these rows.
    pub coins: Vec<CoinIn>,
    /// Blinds to recoup and their coins.
    pub revoked: BTreeSet<RevokedBlind>,
    /// Records of the journal.
    pub references: BTreeSet<ReferenceKey>,
    /// Accounts whose waiting mints are all read, in addition to [`Touches::mints`].
    pub minting: BTreeSet<AccountId>,
    /// Accounts whose payouts that are not settled are all read, after the rows of the accounts were locked.
    pub closing: BTreeSet<AccountId>,
    /// The reference keys of mints, which may be waiting.
    pub mints: BTreeSet<ReferenceKey>,
    /// Whether the state of signing is read.
    pub signing: bool,
    /// Whether the state of signing is changed. A store then locks its row.
    pub changes_signing: bool,
    /// Recovered blinds whose rows are read, because a request of a lost time takes them.
    pub claims: BTreeSet<(MintKeyNo, IssuedDigest, LogBatchNo)>,
    /// Whether recovered money is assigned. Then its balance is read, and a store locks it.
    pub assigns_recovered: bool,
    /// Whether the log is opened. Then all mint keys are read, and not only those in [`Touches::mint_keys`], and whether
    /// money has moved.
    pub opens_log: bool,
    /// Whether the last assigned numbers of accounts are read.
    pub last_account: bool,
    /// Whether the last assigned mint key number is read.
    pub last_mint_key: bool,
    /// Whether the last assigned payout number is read.
    pub last_payout: bool,
    /// Proposals to carry out. A store locks their rows before all others.
    pub proposals: BTreeSet<ProposalNo>,
    /// Operations to propose. Their proposals that wait are read, and the last assigned number of proposals.
    pub proposed: BTreeSet<ReferenceKey>,
}

impl Touches {
    /// The rows that these commands can read.
    #[must_use]
    pub fn of(batch: &[Prepared<'_>]) -> Self {
        let mut touches = Self::default();
        for prepared in batch {
            touches.references.extend(prepared.key.clone());
            match prepared.consent {
                Consent::NotNeeded => {}
                Consent::Needed => touches.proposed.extend(prepared.key.clone()),
                Consent::Given(no) => drop(touches.proposals.insert(no)),
            }
            if let Command::Mint { account, payment, .. } = mint_of(prepared.command) {
                touches.minting.insert(*account);
                touches.mints.extend(prepared.key.clone());
                touches
                    .references
                    .extend(payment.as_ref().map(|payment| payment.reference()));
            }
            touches.add(prepared.command);
        }
        touches
    }

    /// The accounts of this batch and those of its loaded payouts, which receive the money if a payout fails.
    #[must_use]
    pub fn accounts_and_payees(&self, view: &View) -> BTreeSet<AccountId> {
        self.accounts
            .iter()
            .copied()
            .chain(view.payouts().map(|payout| payout.account))
            .collect()
    }

    fn add(&mut self, command: &Command) {
        match command {
            Command::OpenAccount { name, token_hash, .. } => {
                self.names.insert(name.clone());
                self.token_hashes.extend(*token_hash);
                self.last_account = true;
            }
            Command::IntroduceKey { introduction, .. } => {
                self.names.insert(AccountName::of_key(introduction.key));
                self.last_account = true;
            }
            Command::PayByKey { payer, payee, .. } => self.accounts.extend([*payer, *payee]),
            Command::SetAccountStatus { account, status, .. } => {
                self.accounts.insert(*account);
                if *status == AccountStatus::Closed {
                    self.closing.insert(*account);
                    self.minting.insert(*account);
                }
            }
            Command::Credit { account, .. } | Command::Debit { account, .. } => {
                self.accounts.insert(*account);
            }
            Command::Transfer { from, to, .. } => self.accounts.extend([*from, *to]),
            Command::RequestPayout { account, .. } => {
                self.accounts.insert(*account);
                self.last_payout = true;
            }
            Command::SettlePayout { payout, .. } => {
                self.payouts.insert(*payout);
            }
            Command::RegisterMintKey { id, .. } => {
                self.mint_keys.insert(*id);
                self.last_mint_key = true;
            }
            Command::OpenLog { .. } => self.opens_log = true,
            Command::LogCurrency { .. } => {}
            Command::StopMintKey { id, .. }
            | Command::RetireMintKey { id, .. }
            | Command::PruneMintKey { id, .. }
            | Command::ReleaseMintKey { id, .. } => {
                self.mint_keys.insert(*id);
            }
            Command::SetSigningPaused { .. } => {
                self.signing = true;
                self.changes_signing = true;
            }
            Command::Recover { recovered, .. } => self.add_recovered(&recovered.part),
            Command::AssignRecovered { account, .. } => {
                self.accounts.insert(*account);
                self.assigns_recovered = true;
            }
            Command::SignAgain { request, found, .. } => {
                let blinds = found.blinds.iter();
                self.claims
                    .extend(blinds.map(|(no, digest)| (*no, *digest, found.batch)));
                self.add_signed_again(request);
            }
            Command::Mint { account, blinds, .. } => {
                self.signing = true;
                self.accounts.insert(*account);
                self.add_mint_keys(blinds, |blind| blind.mint_key);
            }
            Command::Renew { coins, blinds, .. } => {
                self.signing = true;
                self.add_coins(coins);
                self.add_mint_keys(blinds, |blind| blind.mint_key);
            }
            Command::Redeem { account, coins, .. } => {
                self.accounts.insert(*account);
                self.add_coins(coins);
            }
            Command::Recoup { revoked, blinds, .. } => {
                self.signing = true;
                self.add_revoked(revoked);
                self.add_mint_keys(blinds, |blind| blind.mint_key);
            }
        }
    }

    fn add_recovered(&mut self, part: &RecoveredPart) {
        match part {
            RecoveredPart::Issued(blinds) => self.add_mint_keys(blinds, |blind| blind.mint_key),
            RecoveredPart::Spent(coins) => self.add_coins(coins),
            RecoveredPart::Recouped(revoked) => self.add_revoked(revoked),
            RecoveredPart::Introduced(introduction) => {
                self.names.insert(AccountName::of_key(introduction.key));
                self.last_account = true;
            }
            RecoveredPart::Credited(credit) => {
                self.names.insert(AccountName::of_key(credit.key));
            }
            RecoveredPart::PaidByKey(payment) => {
                self.names.insert(AccountName::of_key(payment.order.from));
                if let Payee::Key(payee) = payment.order.to {
                    self.names.insert(AccountName::of_key(payee));
                }
            }
            RecoveredPart::PaidIn(_) | RecoveredPart::PaidOut(_) | RecoveredPart::Shortfall(_) => {}
        }
    }

    /// What a request of a lost time reads when it is signed again: not its coins, which the log has as spent.
    fn add_signed_again(&mut self, request: &Command) {
        self.signing = true;
        match request {
            Command::Mint { account, blinds, .. } => {
                self.accounts.insert(*account);
                self.add_mint_keys(blinds, |blind| blind.mint_key);
            }
            Command::Renew { coins, blinds, .. } => {
                self.add_mint_keys(coins, |coin| coin.mint_key);
                self.add_mint_keys(blinds, |blind| blind.mint_key);
            }
            Command::Recoup { blinds, .. } => self.add_mint_keys(blinds, |blind| blind.mint_key),
            _ => {}
        }
    }

    fn add_revoked(&mut self, revoked: &[RevokedBlind]) {
        self.add_mint_keys(revoked, |revoked| revoked.mint_key);
        self.coins.extend(revoked.iter().map(|revoked| CoinIn {
            mint_key: revoked.mint_key,
            spent_digest: revoked.spent_digest,
        }));
        self.revoked.extend(revoked);
    }

    fn add_coins(&mut self, coins: &[CoinIn]) {
        self.add_mint_keys(coins, |coin| coin.mint_key);
        self.coins.extend_from_slice(coins);
    }

    /// Adds the mint keys of these coins or blinds. Those of one key usually follow each other.
    fn add_mint_keys<T>(&mut self, items: &[T], mint_key: impl Fn(&T) -> MintKeyId) {
        let runs = items.chunk_by(|item, next| mint_key(item) == mint_key(next));
        self.mint_keys.extend(runs.map(|run| mint_key(&run[0])));
    }
}

/// The mint that a command carries out, if it is one.
fn mint_of(command: &Command) -> &Command {
    match command {
        Command::SignAgain { request, .. } => request,
        other => other,
    }
}
