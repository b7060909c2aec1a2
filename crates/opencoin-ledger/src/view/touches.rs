//! What a batch can read: exactly what a store has to load.

use std::collections::BTreeSet;

use crate::journal::ReferenceKey;
use crate::{
    AccountId, AccountName, CoinIn, Command, MintKeyId, PayoutNo, Prepared, RevokedBlind, TokenHash, View,
};

/// The keys of all rows that a batch can read, each set sorted: the order in which a store locks.
#[derive(Debug, Default)]
pub struct Touches {
    /// Payouts that may be settled. Their accounts are touched as well: [`Touches::accounts_and_payees`].
    pub payouts: BTreeSet<PayoutNo>,
    /// Accounts by number.
    pub accounts: BTreeSet<AccountId>,
    /// Accounts by name, for accounts to open.
    pub names: BTreeSet<AccountName>,
    /// Accounts by token, for accounts to open.
    pub token_hashes: BTreeSet<TokenHash>,
    /// Mint keys.
    pub mint_keys: BTreeSet<MintKeyId>,
    /// Coins that may be spent.
    pub coins: BTreeSet<CoinIn>,
    /// Blinds that may be recouped, and the coins that they became.
    pub revoked: BTreeSet<RevokedBlind>,
    /// Records of the journal.
    pub references: BTreeSet<ReferenceKey>,
    /// Accounts whose waiting mints are read, those of [`Touches::mints`] besides.
    pub minting: BTreeSet<AccountId>,
    /// Mints that may wait for money.
    pub mints: BTreeSet<ReferenceKey>,
    /// The state of signing, to read.
    pub signing: bool,
    /// The state of signing, to change: a store locks it.
    pub changes_signing: bool,
    /// The last number of an account.
    pub last_account: bool,
    /// The last number of a mint key.
    pub last_mint_key: bool,
    /// The last number of a payout.
    pub last_payout: bool,
}

impl Touches {
    /// What these commands can read.
    #[must_use]
    pub fn of(batch: &[Prepared<'_>]) -> Self {
        let mut touches = Self::default();
        for prepared in batch {
            touches.references.extend(prepared.key.clone());
            if let Command::Mint { account, .. } = prepared.command {
                touches.minting.insert(*account);
                touches.mints.extend(prepared.key.clone());
            }
            touches.add(prepared.command);
        }
        touches
    }

    /// The accounts of this batch, and those of the payouts that were loaded for it: their money may come
    /// back.
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
                self.token_hashes.insert(*token_hash);
                self.last_account = true;
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
            Command::StopMintKey { id, .. }
            | Command::RetireMintKey { id, .. }
            | Command::PruneMintKey { id, .. } => {
                self.mint_keys.insert(*id);
            }
            Command::SetSigningPaused { .. } => {
                self.signing = true;
                self.changes_signing = true;
            }
            Command::Mint { account, blinds, .. } => {
                self.signing = true;
                self.accounts.insert(*account);
                self.mint_keys.extend(blinds.iter().map(|blind| blind.mint_key));
            }
            Command::Renew { coins, blinds, .. } => {
                self.signing = true;
                self.add_coins(coins);
                self.mint_keys.extend(blinds.iter().map(|blind| blind.mint_key));
            }
            Command::Redeem { account, coins, .. } => {
                self.accounts.insert(*account);
                self.add_coins(coins);
            }
            Command::Recoup { revoked, blinds, .. } => {
                self.signing = true;
                let coin = |revoked: &RevokedBlind| CoinIn {
                    mint_key: revoked.mint_key,
                    payload_hash: revoked.payload_hash,
                };
                self.add_coins(&revoked.iter().map(coin).collect::<Vec<_>>());
                self.mint_keys.extend(blinds.iter().map(|blind| blind.mint_key));
                self.revoked.extend(revoked);
            }
        }
    }

    fn add_coins(&mut self, coins: &[CoinIn]) {
        self.mint_keys.extend(coins.iter().map(|coin| coin.mint_key));
        self.coins.extend(coins);
    }
}
