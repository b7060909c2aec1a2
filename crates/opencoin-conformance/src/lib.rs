//! The tests that every ledger must pass, and the comparison of ledgers on random commands.
//!
//! The test program of a store writes `opencoin_conformance::conformance_tests!(function)`, where the
//! function opens two ledgers on one new database, as two processes do. This runs every test here on that
//! store, so that all stores are tested for the same rules. A test that fails panics.
#![expect(
    clippy::unwrap_used,
    reason = "these are tests, compiled only for test programs"
)]

mod access;
mod accounts;
mod audit;
mod bank;
mod coins;
mod concurrency;
mod entries;
mod exports;
mod faults;
mod growth;
mod history;
mod kept;
mod key_accounts;
mod key_world;
mod log;
mod mint_keys;
mod operators;
mod payouts;
mod permutations;
mod proposals;
mod random;
mod recoup;
mod recovery;
mod status;
mod waiting;
mod world;

use std::sync::Arc;

pub use access::*;
pub use accounts::*;
pub use audit::{
    TAMPERINGS, Tampering, acceptances_are_read, an_auditor_goes_on_in_broken_books, an_auditor_resumes,
    books_to_tamper_with, credit_at, tampering_is_found,
};
pub use bank::*;
pub use coins::*;
pub use concurrency::*;
pub use entries::*;
pub use exports::*;
pub use faults::{Dropped, FaultCase, batches_are_dropped_anywhere};
pub use growth::{RENEW_BYTES_MAX, growth_of_a_renew};
pub use history::books_tell_their_history;
pub use kept::*;
pub use key_accounts::*;
pub use log::*;
pub use mint_keys::*;
pub use operators::*;
pub use payouts::*;
pub use permutations::{Permuted, assert_same_log, permuted};
pub use proposals::{
    a_declined_proposal_moves_nothing, a_proposal_is_carried_out_by_another_operator,
    a_refused_proposal_waits_on, a_settlement_is_proposed_and_carried_out,
    one_of_many_verdicts_at_once_counts, what_was_booked_meanwhile_is_not_carried_out_again,
};
pub use random::{Sequence, assert_agreement, sequence};
pub use recoup::*;
pub use recovery::*;
pub use status::*;
pub use waiting::*;
pub use world::{World, alice, bob, without_log};

use opencoin_audit::AuditSource;
use opencoin_ledger::{HasAccounts, HasLog, HasOperators, Ledger};

/// A complete store: the ledger, the accounts and the audit of one database.
pub trait Store: Ledger + HasAccounts + HasOperators + HasLog + AuditSource {}

impl<T: Ledger + HasAccounts + HasOperators + HasLog + AuditSource> Store for T {}

/// Two ledgers on one database, as in two processes.
pub type Pair = [Arc<dyn Store>; 2];

/// Makes a `#[tokio::test]` of each test function here, for the store that `$open` opens. `$open` is an
/// `async fn() -> (Pair, impl Sized)`. The second part of the pair is dropped at the end of the test.
#[macro_export]
macro_rules! conformance_tests {
    ($open:path) => {
        $crate::conformance_tests! { @of each $open }
    };
    (one_by_one $open:path) => {
        $crate::conformance_tests! { @of one_by_one $open }
    };
    (@of $way:ident $open:path) => {
        $crate::conformance_tests! { @$way $open;
            an_account_is_opened_once
            accounts_are_found_by_name_and_token
            a_payment_counts_once
            payment_references_are_shared_by_credits_and_debits
            invalid_payments_change_nothing
            a_transfer_moves_money_once
            balances_do_not_overflow
            a_mint_key_is_registered_once
            a_stopped_key_neither_signs_nor_takes_coins
            a_resumed_transaction_names_its_stopped_keys
            keys_sign_in_their_window_and_coins_expire
            a_key_is_retired_once_its_window_has_ended
            a_retired_key_signs_nothing_whatever_the_clock_says
            a_key_is_pruned_once_its_coins_have_expired
            a_pruned_key_stays_out_of_use_whatever_the_clock_says
            coins_spent_and_pruned_in_one_batch_leave_no_rows
            a_key_can_be_pruned_while_its_coins_come_back
            blinds_are_deleted_with_the_last_of_their_keys
            coins_come_back_through_every_ledger
            signing_pauses_and_resumes
            a_mint_is_accepted_once_and_can_be_resumed
            a_repetition_is_answered_whatever_happened_since
            a_reference_with_other_content_is_a_conflict
            a_malformed_mint_changes_nothing
            a_renew_keeps_the_value
            a_renew_of_unequal_value_changes_nothing
            a_coin_is_spent_once
            a_coin_named_twice_in_a_request_is_refused
            a_redeem_is_identified_by_its_coins
            the_same_hash_under_another_key_is_another_coin
            more_coins_than_signatures_stop_the_key
            commands_of_a_batch_see_each_other
            a_refused_command_in_a_batch_changes_nothing
            a_batch_has_a_limit
            a_large_batch_is_carried_out
            blinds_of_a_key_are_found_page_by_page
            kept_signatures_take_the_place_of_blinds
            signatures_are_kept_only_where_nothing_has_changed
            honest_coins_of_a_stopped_key_are_recouped_once
            an_invalid_recoup_changes_nothing
            a_coin_that_came_back_is_not_recouped
            no_more_is_recouped_than_was_signed
            recoups_share_references_with_mints_and_renews
            recouped_coins_are_forgotten_with_their_key
            a_thief_costs_the_issuer_and_not_the_holders
            one_of_fifty_renewals_of_a_coin_succeeds
            a_key_can_be_retired_while_it_signs
            one_of_twenty_recoups_of_a_blind_succeeds
            signatures_kept_by_several_at_once_are_kept_once
            ten_of_fifty_mints_succeed_with_money_for_ten
            the_same_mint_sent_many_times_at_once_counts_once
            accounts_opened_at_once_get_different_numbers
            crossing_transfers_do_not_block_each_other
            a_payout_is_requested_once
            a_payout_is_settled_once
            a_payout_can_be_settled_in_the_batch_that_requests_it
            payouts_are_read_in_pages
            concurrent_settlements_settle_a_payout_once
            payouts_requested_at_once_are_numbered_without_a_gap
            entries_say_what_moved_the_money_of_an_account
            entries_are_read_in_pages
            entries_are_followed_while_money_moves
            fifty_spenders_cannot_overdraw_one_balance
            an_account_is_opened_with_or_without_a_password
            a_new_account_token_replaces_the_old_one
            accounts_are_read_in_pages_by_name
            a_session_ends_at_its_time
            sessions_have_a_limit
            a_new_password_ends_sessions
            a_holder_needs_the_current_password_to_change_it
            wrong_passwords_are_counted
            wrong_passwords_at_once_are_counted
            a_service_acts_with_its_own_key
            services_get_new_keys_and_are_removed
            services_have_a_limit
            a_mint_waits_and_is_carried_out_once
            a_mint_is_given_up_for_good_when_its_time_is_over
            a_mint_waits_until_the_later_time
            another_mint_with_a_waiting_reference_is_a_conflict
            a_mint_whose_keys_no_longer_sign_is_given_up
            waiting_mints_have_a_limit
            concurrent_waiting_mints_have_a_limit
            a_mint_is_given_up_or_carried_out_and_never_both
            waiting_mints_are_due_in_order
            waiting_mints_and_payouts_are_counted
            accepted_commands_are_in_the_log
            a_description_is_logged_once_whatever_its_signature
            a_batch_does_not_depend_on_the_order_of_requests
            two_sealers_do_no_harm
            sealing_loses_nothing_that_is_accepted_meanwhile
            a_key_signs_when_the_log_has_it
            counts_are_those_of_the_last_batch
            a_log_can_begin_late
            a_lost_time_is_recovered
            an_interrupted_recovery_goes_on
            the_issuer_bears_what_accounts_owe_after_a_recovery
            a_copy_that_does_not_fit_changes_nothing
            a_waiting_mint_whose_reference_was_used_hinders_no_recovery
            key_accounts_of_a_lost_time_are_recovered
            an_interrupted_recovery_of_key_accounts_goes_on
            statements_that_do_not_follow_are_not_recovered
            stopped_keys_and_recoups_are_in_the_log
            ended_keys_are_closed_in_the_log
            what_waited_for_long_is_sealed_in_the_time_of_its_keys
            a_broken_rule_halts_the_log
            checkpoints_and_the_lease_are_shared
            the_newest_published_checkpoints_are_kept
            the_batch_of_a_spent_coin_is_known
            a_key_is_introduced_once
            keys_need_a_log
            names_of_keys_are_reserved
            a_key_pays_in_order
            invalid_payments_of_keys_change_nothing
            a_key_mints
            keys_are_credited
            only_payments_move_the_money_of_a_key
            one_of_fifty_payments_with_a_number_succeeds
            the_same_payment_sent_many_times_at_once_counts_once
            a_key_cannot_overdraw_its_account
            crossing_payments_do_not_block_each_other
            keys_introduced_at_once_get_different_accounts
            payments_are_sealed_while_keys_pay
            accounts_of_keys_are_in_the_log
            the_batch_of_a_payment_is_known
            waiting_statements_are_told_apart
            payments_are_sealed_after_a_long_pause
            a_broken_rule_of_key_accounts_halts_the_log
            a_change_by_an_operator_is_recorded_once
            credentials_that_an_operator_sets_are_recorded
            actions_are_read_in_pages
            actions_at_once_are_numbered_without_a_gap
            a_proposal_is_carried_out_by_another_operator
            a_declined_proposal_moves_nothing
            a_refused_proposal_waits_on
            what_was_booked_meanwhile_is_not_carried_out_again
            a_settlement_is_proposed_and_carried_out
            one_of_many_verdicts_at_once_counts
            a_line_is_assigned_with_the_consent_of_another_operator
            large_lines_are_booked_by_another_operator
            a_statement_is_stored_once_and_previewed
            the_columns_of_the_newest_booked_table_are_remembered
            a_statement_is_claimed_as_it_was_previewed
            an_unmatched_line_is_decided_once
            a_movement_is_not_credited_again_by_another_reading
            statements_booked_at_once_claim_each_line_once
            a_line_for_a_closed_account_is_kept
            a_payout_is_exported_once
            payouts_exported_at_once_are_in_one_file
            a_file_is_withdrawn_once
            a_file_is_paid_once
            a_file_ends_in_one_way
            a_payout_is_settled_while_its_file_ends
            payouts_of_frozen_accounts_are_told
            a_file_has_many_payouts
            a_frozen_account_moves_no_money
            a_waiting_mint_of_a_frozen_account_waits
            a_closed_account_has_no_money_and_no_way_in
            accounts_are_opened_and_closed_in_one_batch
            an_account_is_closed_while_it_is_paid
            a_start_code_is_used_once
            a_start_code_ends_with_another_reset
            a_token_that_has_ended_makes_no_lasting_access
            a_service_that_an_operator_removes_is_recorded
        }
    };
    (@one_by_one $open:path; $($test:ident)*) => {
        $({
            // All of these tests in one future are too large for the stack of a thread.
            fn run() -> ::std::pin::Pin<Box<dyn Future<Output = ()>>> {
                Box::pin(async {
                    let (ledgers, _alive) = $open().await;
                    $crate::$test(&ledgers).await;
                    $crate::assert_books_hold(&ledgers).await;
                })
            }
            println!("{}", stringify!($test));
            run().await;
        })*
    };
    (@each $open:path; $($test:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let (ledgers, _alive) = $open().await;
                $crate::$test(&ledgers).await;
                $crate::assert_books_hold(&ledgers).await;
            }
        )*
    };
}

/// Asserts every invariant of the books, as an audit does, and that both ledgers are on one database.
///
/// # Panics
/// An invariant does not hold, or the ledgers have different books.
pub async fn assert_books_hold(ledgers: &Pair) {
    let facts = ledgers[0].audit_facts().await.unwrap();
    let report = opencoin_audit::check(&facts);
    // The test of a halted log asserts that itself.
    let is_halted = report.broken() == ["the public log is not halted"];
    assert!(report.holds() || is_halted, "{report:#?}");
    assert_eq!(
        facts,
        ledgers[1].audit_facts().await.unwrap(),
        "both ledgers are on one database"
    );
    assert_log_holds(&*ledgers[0]).await;
}
