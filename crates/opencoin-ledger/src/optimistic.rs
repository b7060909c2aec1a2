//! Optimistic decisions: a batch is decided before its rows are read, because each read of a store is a round
//! trip.
//!
//! Nearly every command finds the state in which it succeeds: the account exists and can pay, no coin is
//! spent, the reference is new, signing is not paused. [`decide_optimistically`] decides a batch on a view in
//! which all of that is so, and returns the [`Postings`] that follow. A store writes them under the conditions
//! that they name, in one transaction. If a condition fails, nothing is written, and [`decide`] decides the
//! batch on the stored rows.
//!
//! The conditions are stricter than the rules: money and signatures that come in with a batch do not pay for
//! anything in the same batch. So where the conditions hold, any order of the commands has the same outcomes.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, RwLock};

use crate::journal::{Kind, Record, ReferenceKey};
use crate::view::{AccountState, MintKeyNo, MintKeyState, Signing};
use crate::{
    AccountId, Amount, Applied, Command, MintKeyId, MintKeyTerms, Outcome, PayloadHash, Prepared, TokenHash,
    Touches, View, decide,
};

/// What an optimistic account holds and an optimistic mint key has signed: room in both directions.
const PLENTY: u64 = i64::MAX as u64 / 2;

/// What a batch does if every command succeeds: rows to insert, and sums to add under conditions.
#[derive(Debug)]
pub struct Postings {
    /// Records to append. Conditions: none of their references is stored, and no mint among them waits for money.
    pub journal: Vec<Record>,
    /// Coins to insert, sorted. Condition: none of them is there.
    pub spent: Vec<(MintKeyNo, PayloadHash)>,
    /// Accounts to change, sorted.
    pub accounts: Vec<AccountPosting>,
    /// Mint keys to change, sorted by id.
    pub mint_keys: Vec<MintKeyPosting>,
    /// Condition: signing is not paused.
    pub signs: bool,
}

/// Condition: the account exists, holds at least what it pays, and could hold what it receives before it
/// pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountPosting {
    /// Which.
    pub id: AccountId,
    /// To subtract.
    pub paid: Amount,
    /// To add.
    pub received: Amount,
}

/// Condition: the key exists under this number and id, is neither stopped nor pruned, is not retired where it
/// signs, had signed enough before this batch for the coins that come back, and can count that many
/// signatures more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MintKeyPosting {
    /// Its short number.
    pub no: MintKeyNo,
    /// Its id.
    pub id: MintKeyId,
    /// Signatures to count.
    pub issued: u64,
    /// Coins to count.
    pub returned: u64,
}

/// What never changes of the mint keys that a store has met.
#[derive(Debug, Clone, Default)]
pub struct KnownMintKeys(Arc<RwLock<HashMap<MintKeyId, (MintKeyNo, MintKeyTerms)>>>);

impl Postings {
    /// The references of the mints: those that must not wait for money.
    pub fn mints(&self) -> impl Iterator<Item = &ReferenceKey> {
        let mints = self.journal.iter().filter(|record| record.kind == Kind::Mint);
        mints.map(|record| &record.reference)
    }
}

impl KnownMintKeys {
    /// Remembers the keys of a batch, from a view of what is stored, before it is decided.
    ///
    /// # Panics
    /// Never: nothing panics while the lock is held.
    pub fn remember(&self, view: &View, touches: &Touches) {
        let keys = touches.mint_keys.iter().filter_map(|id| view.mint_key(*id));
        let mut known = self.0.write().expect("nothing panics while it is held");
        known.extend(keys.map(|key| (key.id, (key.no, key.terms))));
    }

    fn get(&self, id: MintKeyId) -> Option<(MintKeyNo, MintKeyTerms)> {
        self.0
            .read()
            .expect("nothing panics while it is held")
            .get(&id)
            .copied()
    }
}

/// Decides a batch before its rows are read.
///
/// # Errors
/// The places, ascending, of the commands for which that cannot be done: a command does more than move money and
/// coins, is not known to be new in its batch, would be refused whatever is there, or names a key that is not
/// known.
pub fn decide_optimistically(
    batch: &[Prepared<'_>],
    touches: &Touches,
    known: &KnownMintKeys,
) -> Result<(Vec<Outcome>, Postings), Vec<usize>> {
    let mut view = optimistic_view(touches, known);
    let (mut outcomes, mut odd) = (Vec::with_capacity(batch.len()), Vec::new());
    for (place, prepared) in batch.iter().enumerate() {
        let decided = is_move(prepared.command).then(|| decide(&mut view, prepared));
        match decided {
            Some(outcome @ Ok(Applied { repeated: false, .. })) => outcomes.push(outcome),
            _ => odd.push(place),
        }
    }
    if !odd.is_empty() {
        return Err(odd);
    }
    let changes = view.take_changes();
    let mint_keys = changes.mint_keys.iter().map(|key| MintKeyPosting {
        no: key.no,
        id: key.id,
        issued: key.issued - PLENTY,
        returned: key.returned,
    });
    let postings = Postings {
        accounts: account_postings(&changes.journal).ok_or_else(|| all(batch))?,
        mint_keys: sorted_by_id(mint_keys),
        signs: touches.signing,
        spent: changes.spent,
        journal: changes.journal,
    };
    Ok((outcomes, postings))
}

/// The places of all commands.
fn all(batch: &[Prepared<'_>]) -> Vec<usize> {
    (0..batch.len()).collect()
}

/// Whether a command moves money and coins and does nothing else. Recoups and payouts do, but are too rare to
/// be worth a place in the short way.
fn is_move(command: &Command) -> bool {
    match command {
        Command::Credit { .. }
        | Command::Debit { .. }
        | Command::Transfer { .. }
        | Command::Mint { .. }
        | Command::Renew { .. }
        | Command::Redeem { .. } => true,
        Command::OpenAccount { .. }
        | Command::RegisterMintKey { .. }
        | Command::StopMintKey { .. }
        | Command::RetireMintKey { .. }
        | Command::PruneMintKey { .. }
        | Command::SetSigningPaused { .. }
        | Command::Recoup { .. }
        | Command::RequestPayout { .. }
        | Command::SettlePayout { .. } => false,
    }
}

fn sorted_by_id(postings: impl Iterator<Item = MintKeyPosting>) -> Vec<MintKeyPosting> {
    let mut postings: Vec<_> = postings.collect();
    postings.sort_unstable_by_key(|posting| posting.id);
    postings
}

/// Mint keys that are not known are not there: what names them is refused.
fn optimistic_view(touches: &Touches, known: &KnownMintKeys) -> View {
    let mut view = View::default();
    // System accounts have no row.
    for &id in touches.accounts.range(AccountId::FIRST_HOLDER..) {
        let name = "optimistic".parse().expect("a name");
        let token_hash = TokenHash::new([0; 32]);
        let balance = Amount::new(PLENTY).expect("half of what an amount can be");
        view.load_account(AccountState {
            id,
            name,
            token_hash,
            balance,
        });
    }
    for &id in &touches.mint_keys {
        let Some((no, terms)) = known.get(id) else {
            continue;
        };
        let (issued, returned, recouped) = (PLENTY, 0, 0);
        view.load_mint_key(MintKeyState {
            no,
            id,
            terms,
            issued,
            returned,
            recouped,
            stopped: None,
            retired: false,
            pruned: false,
        });
    }
    view.load_signing(Signing::default());
    view
}

/// Both sums of each account, by the double entries; `None` where a sum is no amount.
fn account_postings(journal: &[Record]) -> Option<Vec<AccountPosting>> {
    let mut sums = BTreeMap::<AccountId, [Amount; 2]>::new();
    for entry in journal {
        for (side, account) in [entry.debit, entry.credit].into_iter().enumerate() {
            if let Some(account) = account.filter(|account| *account >= AccountId::FIRST_HOLDER) {
                let sum = &mut sums.entry(account).or_default()[side];
                *sum = sum.checked_add(entry.amount)?;
            }
        }
    }
    Some(
        sums.into_iter()
            .map(|(id, [paid, received])| AccountPosting { id, paid, received })
            .collect(),
    )
}
