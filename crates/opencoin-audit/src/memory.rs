//! Lets an auditor read the in-memory model.

use async_trait::async_trait;
use opencoin_ledger::bank::ExportState;
use opencoin_ledger::journal::{IssuedCounts, Record};
use opencoin_ledger::stored::StoredMintKey;
use opencoin_ledger::view::MintKeyState;
use opencoin_ledger::{
    AccountId, EntryNo, LedgerError, LedgerTime, MemoryLedger, MemorySnapshot, Settlement, TransactionNo,
};

use opencoin_log::key_ledger::KeyAccount;

use crate::{
    ACCEPTANCES_PER_PAGE_MAX, AccountRow, AuditSource, CoinsToCount, FilePayoutRow, FileRow, JournalRow,
    Pass, PayoutRow, StoredAcceptance, WaitingRow, Wanted,
};

#[async_trait]
impl AuditSource for MemoryLedger {
    fn database(&self) -> &'static str {
        "memory"
    }

    async fn read(&self, pass: &mut Pass) -> Result<(), LedgerError> {
        pass.settle_at_once(); // numbers are assigned to one command at a time
        self.read(|books| {
            state(books, pass);
            records(books, pass);
        });
        Ok(())
    }

    async fn acceptances(&self, wanted: Wanted<'_>) -> Result<Vec<StoredAcceptance>, LedgerError> {
        let is_wanted = |no: i64| match wanted {
            Wanted::After(after) => no > after.get(),
            Wanted::Numbers(numbers) => numbers.contains(&TransactionNo::new(no)),
        };
        let acceptances = self.read(|books| {
            numbered(books.journal)
                .filter_map(|(no, record)| Some((no, record, books.blinds.get(&no)?)))
                .filter(|(no, ..)| is_wanted(*no))
                .take(ACCEPTANCES_PER_PAGE_MAX)
                .map(|(no, record, blinds)| {
                    StoredAcceptance::new(
                        no,
                        record.kind.code(),
                        record.content.as_bytes().to_vec(),
                        record.debit.map(AccountId::get),
                        record.at.unix_micros(),
                        blinds,
                    )
                })
                .collect()
        });
        Ok(acceptances)
    }
}

fn state(books: MemorySnapshot<'_>, pass: &mut Pass) {
    let view = books.view;
    let mut accounts: Vec<_> = view.accounts().collect();
    accounts.sort_unstable_by_key(|account| account.id);
    for account in accounts {
        let key = account.key();
        pass.account(AccountRow {
            id: account.id.get(),
            name: account.name.as_str(),
            balance: account.balance.as_i64(),
            last_entry: account.last_entry.get(),
            counts: [key.map(|key| key.seq as i64), key.map(|key| key.credits as i64)],
            status: account.status.code(),
        });
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
    for (export, payouts) in books.files() {
        pass.file(FileRow {
            no: export.no.get(),
            payouts: export.payouts.into(),
            amount: export.amount.as_i64(),
            state: export.state.code(),
        });
        for payout in payouts {
            pass.file_payout(FilePayoutRow {
                file: export.no.get(),
                payout: payout.get(),
                is_withdrawn: export.state == ExportState::Withdrawn,
            });
        }
    }
    for waiting in view.all_waiting() {
        pass.waiting(&WaitingRow {
            reference: waiting.reference.as_bytes(),
            account: waiting.account.get(),
            content: waiting.content.as_bytes(),
            amount: waiting.amount.as_i64(),
            blinds: &books.waiting_blinds[&waiting.reference],
        });
    }
    books
        .accessible
        .iter()
        .for_each(|account| pass.way_in(account.get()));
    if let Some(log) = books.log {
        let root = log.head.ledger_root.as_bytes();
        pass.log_head(log.head.totals.columns(), root, log.head.halted.as_deref());
        for key in log.keys.values() {
            pass.log_key(key.no.get().into(), key.issued as i64, key.spent as i64);
        }
        for (key, account) in log.key_accounts.accounts() {
            let KeyAccount {
                balance,
                seq,
                credits,
            } = *account;
            pass.log_key_account(key.as_bytes(), balance as i64, seq as i64, credits as i64);
        }
        for (_, waiting) in log.pending {
            pass.log_pending(&waiting.coins, &waiting.statements, waiting.totals.columns());
        }
    }
    let counted = pass.coins_to_count();
    if counted == CoinsToCount::All {
        pass.blinds_rows(books.blinds.len() as i64);
    }
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
        fingerprint: key.identity.fingerprint().as_bytes().to_vec(),
        modulus_bytes: key.identity.modulus_bytes().into(),
        denomination: terms.denomination().as_i64(),
        dates: dates.map(|date| date.unix_micros()),
        issued: key.issued as i64,     // at most `i64::MAX`
        returned: key.returned as i64, // at most `issued`
        recouped: key.recouped as i64, // at most `issued`
        stopped_reason: key.stopped.as_ref().map(|reason| reason.as_str().to_owned()),
        retired: key.retired,
        pruned: key.pruned,
        awaits_log: key.awaits_log,
    }
}

fn records(books: MemorySnapshot<'_>, pass: &mut Pass) {
    let from = pass.journal_from();
    for (id, record) in numbered(books.journal).filter(|(no, _)| *no >= from) {
        let issued = record.issued.as_ref().map(IssuedCounts::to_bytes);
        let expires_with = record
            .blinds
            .as_ref()
            .map(|blinds| blinds.expires_with.get().into());
        pass.journal(&JournalRow {
            id,
            kind: record.kind.code().into(),
            debit: record.debit.map(AccountId::get),
            debit_entry: record.debit_entry.map(EntryNo::get),
            credit: record.credit.map(AccountId::get),
            credit_entry: record.credit_entry.map(EntryNo::get),
            amount: record.amount.as_i64(),
            at: record.at.unix_micros(),
            reference: record.reference.as_bytes(),
            content: record.content.as_bytes(),
            issued: issued.as_deref(),
            blinds: books.blinds.get(&id).map(Vec::as_slice).zip(expires_with),
        });
    }
}

/// The records with their numbers.
fn numbered(journal: &[Record]) -> impl Iterator<Item = (i64, &Record)> {
    (1..).zip(journal)
}
