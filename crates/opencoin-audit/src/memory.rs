//! The in-memory model as an auditor sees it.

use async_trait::async_trait;
use opencoin_ledger::journal::Entry;
use opencoin_ledger::stored::StoredMintKey;
use opencoin_ledger::view::MintKeyState;
use opencoin_ledger::{AccountId, LedgerError, LedgerTime, MemoryLedger, Settlement, TransactionNo, View};

use crate::{
    ACCEPTANCES_PER_PAGE_MAX, AuditSource, CoinsToCount, JournalRow, Pass, PayoutRow, StoredAcceptance,
    Wanted,
};

#[async_trait]
impl AuditSource for MemoryLedger {
    fn database(&self) -> &'static str {
        "memory"
    }

    async fn read(&self, pass: &mut Pass) -> Result<(), LedgerError> {
        pass.settle_at_once(); // one command at a time gets a number
        self.read(|view, journal| {
            state(view, pass);
            records(journal, pass);
        });
        Ok(())
    }

    async fn acceptances(&self, wanted: Wanted<'_>) -> Result<Vec<StoredAcceptance>, LedgerError> {
        let is_wanted = |no: i64| match wanted {
            Wanted::After(after) => no > after.get(),
            Wanted::Numbers(numbers) => numbers.contains(&TransactionNo::new(no)),
        };
        let acceptances = self.read(|_, journal| {
            numbered(journal)
                .filter(|(no, entry)| is_wanted(*no) && entry.blinds.is_some())
                .take(ACCEPTANCES_PER_PAGE_MAX)
                .map(|(no, entry)| {
                    StoredAcceptance::new(
                        no,
                        entry.kind.code(),
                        entry.content.as_bytes().to_vec(),
                        entry.debit.map(AccountId::get),
                        entry.at.unix_micros(),
                        entry.blinds.as_deref(),
                    )
                })
                .collect()
        });
        Ok(acceptances)
    }
}

fn state(view: &View, pass: &mut Pass) {
    let mut accounts: Vec<_> = view.accounts().collect();
    accounts.sort_unstable_by_key(|account| account.id);
    for account in accounts {
        pass.account(account.id.get(), account.name.as_str(), account.balance.as_i64());
    }
    let mut mint_keys: Vec<_> = view.mint_keys().collect();
    mint_keys.sort_unstable_by_key(|key| key.no);
    mint_keys
        .into_iter()
        .for_each(|key| pass.mint_key(&stored_mint_key(key)));
    let mut payouts: Vec<_> = view.payouts().collect();
    payouts.sort_unstable_by_key(|payout| payout.no);
    for payout in payouts {
        let is_paid = |(settlement, _): &(Settlement, LedgerTime)| matches!(settlement, Settlement::Paid(_));
        pass.payout(PayoutRow {
            no: payout.no.get(),
            account: payout.account.get(),
            amount: payout.amount.as_i64(),
            reference: payout.request.as_bytes(),
            paid: payout.settled.as_ref().map(is_paid),
        });
    }
    let counted = pass.coins_to_count();
    let is_counted = |no: &i64| match counted {
        CoinsToCount::All => true,
        CoinsToCount::Of(only) => *no == only,
        CoinsToCount::None => false,
    };
    let spent = view.spent().map(|no| no.get().into()).filter(is_counted);
    spent.for_each(|no| pass.spent(no, 1));
    let recouped = view.recouped().map(|no| no.get().into()).filter(is_counted);
    recouped.for_each(|no| pass.recouped(no, 1));
}

fn stored_mint_key(key: &MintKeyState) -> StoredMintKey {
    let terms = &key.terms;
    let dates = [
        terms.sign_not_before(),
        terms.sign_not_after(),
        terms.coins_expiry(),
    ];
    StoredMintKey {
        no: key.no.get(),
        id: key.id.as_bytes().to_vec(),
        denomination: terms.denomination().as_i64(),
        dates: dates.map(|date| date.unix_micros()),
        issued: key.issued as i64,     // counted up to `i64::MAX` only
        returned: key.returned as i64, // at most `issued`
        recouped: key.recouped as i64, // the same
        stopped_reason: key.stopped.as_ref().map(|reason| reason.as_str().to_owned()),
        retired: key.retired,
        pruned: key.pruned,
    }
}

fn records(journal: &[Entry], pass: &mut Pass) {
    let from = pass.journal_from();
    for (id, entry) in numbered(journal).filter(|(no, _)| *no >= from) {
        pass.journal(&JournalRow {
            id,
            kind: entry.kind.code().into(),
            debit: entry.debit.map(AccountId::get),
            credit: entry.credit.map(AccountId::get),
            amount: entry.amount.as_i64(),
            at: entry.at.unix_micros(),
            reference: entry.reference.as_bytes(),
            content: entry.content.as_bytes(),
            blinds: entry.blinds.as_deref(),
        });
    }
}

/// The records with their numbers.
fn numbered(journal: &[Entry]) -> impl Iterator<Item = (i64, &Entry)> {
    (1..).zip(journal)
}
