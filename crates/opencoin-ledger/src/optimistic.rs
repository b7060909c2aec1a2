//! Optimistic decisions: a batch is decided without reading its rows, which saves round trips to the
//! database.
//!
//! Nearly every command succeeds: the account exists and can pay, no coin is spent, the reference is new,
//! signing is not paused. [`decide_optimistically`] decides a batch on a view in which all of that is true,
//! and returns the resulting [`Postings`]. A store writes them in one transaction, under the conditions that
//! they name. If a condition fails, nothing is written, and [`decide`] decides the batch on the stored rows.
//!
//! The conditions are stricter than the rules: money and signatures that a batch adds do not pay for anything
//! in the same batch. So if the conditions hold, the commands have the same outcomes in any order.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, RwLock, RwLockReadGuard};

use crate::journal::{Kind, Record, ReferenceKey};
use crate::log::{LogBatchNo, OpenLog, PendingLeaves};
use crate::view::{AccountOwner, AccountState, MintKeyNo, MintKeyState, Signing};
use crate::{
    AccountId, AccountStatus, Amount, Applied, Command, EntryNo, MintKeyId, MintKeyIdentity, MintKeyTerms,
    Outcome, Prepared, SpentDigest, Touches, View, decide,
};

/// The balance of every account and the count of signatures of every mint key in the optimistic view: far
/// from both limits.
const PLENTY: u64 = i64::MAX as u64 / 2;

/// The changes of a batch in which every command succeeds: rows to insert and sums to add, with conditions.
#[derive(Debug)]
pub struct Postings {
    /// Records to append, those with coins with the batch of the log that is open. Conditions: none of their references is stored, and none of their mints is waiting.
    pub journal: Vec<Record>,
    /// Coins to insert, sorted, with the batch of the log that is open. Condition: none of them is spent.
    pub spent: Vec<(MintKeyNo, SpentDigest)>,
    /// Accounts to change, sorted by id.
    pub accounts: Vec<AccountPosting>,
    /// Mint keys to change, sorted by id.
    pub mint_keys: Vec<MintKeyPosting>,
    /// Whether the batch signs. Condition if it does: signing is not paused.
    pub signs: bool,
    /// The batch of the log that was open when the store last read it; `None` if the books have no log. Condition: the
    /// log is not halted, and the batch is still open. A store that stores and returns the batch that is open now can do
    /// without the second one.
    pub log_batch: Option<LogBatchNo>,
    /// What the batch adds to the log. Empty if there is none.
    pub pending: PendingLeaves,
}

/// The change of an account. Condition: the account exists and is open, holds at least `paid`, and its balance plus
/// `received` does not overflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountPosting {
    /// The account of a holder.
    pub id: AccountId,
    /// The sum to subtract.
    pub paid: Amount,
    /// The sum to add.
    pub received: Amount,
    /// The number of entries of the account in this batch. The records number them 1, 2, 3, ...; the store adds
    /// the number of the account's newest entry before the batch.
    pub entries: u32,
}

/// The change of a mint key. Condition: the key exists with this number and id, is neither stopped nor
/// pruned, neither retired nor waiting for the log if it signs, signed enough before this batch for the returned coins, and its count
/// of signatures does not overflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MintKeyPosting {
    /// The short number of the key.
    pub no: MintKeyNo,
    /// The id of the key.
    pub id: MintKeyId,
    /// The number of new signatures.
    pub issued: u64,
    /// The number of returned coins.
    pub returned: u64,
}

/// A cache of what a store has read: columns of mint keys that do not change, and the state of the log.
#[derive(Debug, Clone, Default)]
pub struct KnownBooks(Arc<RwLock<Known>>);

#[derive(Debug, Default)]
struct Known {
    mint_keys: HashMap<MintKeyId, (MintKeyNo, MintKeyIdentity, MintKeyTerms)>,
    log: Option<OpenLog>,
}

impl AccountPosting {
    fn nothing(id: AccountId) -> Self {
        let (paid, received, entries) = (Amount::ZERO, Amount::ZERO, 0);
        Self {
            id,
            paid,
            received,
            entries,
        }
    }
}

impl Postings {
    /// The reference keys of the mints, none of which may be waiting.
    pub fn mints(&self) -> impl Iterator<Item = &ReferenceKey> {
        let mints = self.journal.iter().filter(|record| record.kind == Kind::Mint);
        mints.map(|record| &record.reference)
    }
}

impl KnownBooks {
    /// Caches what is in a view: the mint keys of a batch from a view of the stored rows, before the batch is decided.
    ///
    /// # Panics
    /// Never: nothing panics while the lock is held.
    pub fn remember(&self, view: &View, touches: &Touches) {
        let keys = touches.mint_keys.iter().filter_map(|id| view.mint_key(*id));
        let mut known = self.0.write().expect("nothing panics while it is held");
        known
            .mint_keys
            .extend(keys.map(|key| (key.id, (key.no, key.identity, key.terms))));
        known.log = view.open_log();
    }

    fn get(&self, id: MintKeyId) -> Option<(MintKeyNo, MintKeyIdentity, MintKeyTerms)> {
        self.read().mint_keys.get(&id).copied()
    }

    fn log(&self) -> Option<OpenLog> {
        self.read().log
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.0.read().expect("nothing panics while it is held")
    }
}

/// Decides a batch without reading its rows.
///
/// # Errors
/// The indices, ascending, of the commands for which this is not possible: a command changes more than money
/// and coins, is an operator's, repeats another of the batch, would be refused in any state, or names a mint key that is not
/// cached, or the account of a key.
pub fn decide_optimistically(
    batch: &[Prepared<'_>],
    touches: &Touches,
    known: &KnownBooks,
) -> Result<(Vec<Outcome>, Postings), Vec<usize>> {
    let mut view = optimistic_view(touches, known);
    let (mut outcomes, mut odd) = (Vec::with_capacity(batch.len()), Vec::new());
    for (place, prepared) in batch.iter().enumerate() {
        let is_routine = prepared.action.is_none() && is_move(prepared.command);
        let decided = is_routine.then(|| decide(&mut view, prepared));
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
        log_batch: changes.log_batch,
        pending: changes.pending,
        spent: changes.spent,
        journal: changes.journal,
    };
    Ok((outcomes, postings))
}

/// Sets the batch of the log that was open when the outcomes of [`decide_optimistically`] came true.
pub fn set_log_batch(outcomes: &mut [Outcome], batch: Option<LogBatchNo>) {
    for outcome in outcomes.iter_mut().flatten() {
        if let Some(logged) = &mut outcome.logged {
            logged.batch = batch.expect("the log is open: a condition of the batch");
        }
    }
}

/// The indices of all commands.
fn all(batch: &[Prepared<'_>]) -> Vec<usize> {
    (0..batch.len()).collect()
}

/// Whether a command only moves money and coins and is frequent. Recoups and payouts are too rare to
/// optimise.
fn is_move(command: &Command) -> bool {
    match command {
        Command::Credit { .. }
        | Command::Debit { .. }
        | Command::Transfer { .. }
        | Command::Mint { .. }
        | Command::Renew { .. }
        | Command::Redeem { .. } => true,
        Command::OpenAccount { .. }
        | Command::IntroduceKey { .. }
        | Command::PayByKey { .. }
        | Command::RegisterMintKey { .. }
        | Command::StopMintKey { .. }
        | Command::RetireMintKey { .. }
        | Command::PruneMintKey { .. }
        | Command::SetSigningPaused { .. }
        | Command::OpenLog { .. }
        | Command::LogCurrency { .. }
        | Command::ReleaseMintKey { .. }
        | Command::Recoup { .. }
        | Command::SetAccountStatus { .. }
        | Command::RequestPayout { .. }
        | Command::SettlePayout { .. }
        | Command::Recover { .. }
        | Command::AssignRecovered { .. }
        | Command::SignAgain { .. } => false,
    }
}

fn sorted_by_id(postings: impl Iterator<Item = MintKeyPosting>) -> Vec<MintKeyPosting> {
    let mut postings: Vec<_> = postings.collect();
    postings.sort_unstable_by_key(|posting| posting.id);
    postings
}

/// The view in which a batch is expected to succeed. Mint keys that are not cached are missing, so commands
/// that name them are refused.
fn optimistic_view(touches: &Touches, known: &KnownBooks) -> View {
    let mut view = View::default();
    // System accounts have no row. Key accounts are missing, so commands that name them are refused here: each change
    // of them is numbered.
    for &id in touches
        .accounts
        .range(AccountId::FIRST_HOLDER..AccountId::FIRST_KEY_ACCOUNT)
    {
        let name = "optimistic".parse().expect("a valid name");
        let balance = Amount::new(PLENTY).expect("half of the largest amount");
        view.load_account(AccountState {
            id,
            name,
            owner: AccountOwner::Holder { token_hash: None },
            balance,
            last_entry: EntryNo::BEFORE_ALL,
            status: AccountStatus::Open,
        });
    }
    for &id in &touches.mint_keys {
        let Some((no, identity, terms)) = known.get(id) else {
            continue;
        };
        let (issued, returned, recouped) = (PLENTY, 0, 0);
        view.load_mint_key(MintKeyState {
            no,
            id,
            identity,
            terms,
            issued,
            returned,
            recouped,
            stopped: None,
            retired: false,
            pruned: false,
            awaits_log: false,
        });
    }
    view.load_signing(Signing::default());
    view.load_log(known.log());
    view
}

/// What each account pays and receives according to the records; `None` if a sum overflows.
fn account_postings(journal: &[Record]) -> Option<Vec<AccountPosting>> {
    let mut postings = BTreeMap::<AccountId, AccountPosting>::new();
    let of_holder = |account: Option<AccountId>| account.filter(|id| *id >= AccountId::FIRST_HOLDER);
    for record in journal {
        if let Some(id) = of_holder(record.debit) {
            let posting = postings.entry(id).or_insert(AccountPosting::nothing(id));
            posting.paid = posting.paid.checked_add(record.amount)?;
            posting.entries += 1;
        }
        if let Some(id) = of_holder(record.credit) {
            let posting = postings.entry(id).or_insert(AccountPosting::nothing(id));
            posting.received = posting.received.checked_add(record.amount)?;
            posting.entries += 1;
        }
    }
    Some(postings.into_values().collect())
}
