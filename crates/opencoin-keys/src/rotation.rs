//! The schedule of mint keys: when they are made, when they sign, and when their private keys are destroyed.
//!
//! The keys of a denomination succeed each other as *generations*. A generation signs for `signing_window`. The next
//! one begins `overlap` before that ends, so that wallets and servers with different clocks always find a key. It is
//! made `lead` before it begins, so that an operator has time to carry the request to an offline master key and back.
//! Coins are accepted for `coin_lifetime` after the end of signing. The private key is kept for `resume_window` after
//! the end of signing.
//!
//! ```text
//!   made    begins                      ends          private key destroyed         coins expire
//!    |-lead-|------ signing_window ------|-- resume_window --|                           |
//!                              |-overlap-|--------------- coin_lifetime ------------------|
//!                              next begins
//! ```

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use opencoin_config::{RotationPolicy, Window};
use opencoin_ledger::{MintKeyId, MintKeyStatus};
use opencoin_schema::BigInt;

use crate::currency::{CertifiedMintKey, Currency, ledger_time};

/// A CDD should be replaced this long before it expires.
const CDD_EXPIRY_MARGIN: TimeDelta = TimeDelta::days(90);

/// The state of a mint key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// The key does not sign yet.
    Future,
    /// The key signs.
    Signing,
    /// The key no longer signs, but its coins are accepted.
    Accepting,
    /// Its coins have expired.
    Expired,
    /// The key was stopped for good, by an operator or because more coins were returned than it signed.
    Revoked,
    /// The key came too late for the public log. It is not in the books and is never used.
    Late,
}

/// A step of the schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The moment from which the step is due.
    pub at: DateTime<Utc>,
    /// The work to do.
    pub what: Due,
}

/// The work of a [`Step`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// Make a mint key.
    MakeKey {
        /// The denomination of the new key.
        denomination: u64,
        /// The dates of the new key.
        window: Window,
    },
    /// Destroy a private key.
    DestroyKey {
        /// The id of the key.
        id: BigInt,
        /// The denomination of the key.
        denomination: u64,
    },
    /// Prune the spent coins of a key whose coins have expired.
    Prune {
        /// The id of the key.
        id: BigInt,
        /// The denomination of the key.
        denomination: u64,
    },
    /// The CDD expires soon: sign one with a later expiry.
    ChangeCdd,
}

/// The state of a key at this moment.
#[must_use]
pub(crate) fn state(key: &CertifiedMintKey, status: Option<&MintKeyStatus>, now: DateTime<Utc>) -> KeyState {
    let at = ledger_time(now);
    if status.is_some_and(|status| status.stopped.is_some()) {
        KeyState::Revoked
    } else if at < key.terms.sign_not_before() {
        KeyState::Future
    } else if key.terms.signs_at(at) && !status.is_some_and(|status| status.retired) {
        KeyState::Signing
    } else if key.terms.accepts_coins_at(at) {
        KeyState::Accepting
    } else {
        KeyState::Expired
    }
}

/// The state of a key of this currency, whose books know these keys.
#[must_use]
pub fn state_in(
    currency: &Currency,
    statuses: &[MintKeyStatus],
    key: &CertifiedMintKey,
    now: DateTime<Utc>,
) -> KeyState {
    if currency.is_left_out(key, statuses, now) {
        return KeyState::Late;
    }
    let status = statuses.iter().find(|status| status.id == key.ledger_id);
    state(key, status, now)
}

/// The schedule of a currency's keys, ordered by time. Overdue steps have a moment in the past.
///
/// `private` contains the ids of the private keys in the store; without them no step destroys a key. Keys that are made
/// now begin to sign after the `offline_time` of `policy`.
#[must_use]
pub fn plan(
    currency: &Currency,
    statuses: &[MintKeyStatus],
    private: &BTreeSet<BigInt>,
    policy: &RotationPolicy,
    now: DateTime<Utc>,
) -> Vec<Step> {
    let by_id: BTreeMap<MintKeyId, &MintKeyStatus> =
        statuses.iter().map(|status| (status.id, status)).collect();
    let status = |key: &CertifiedMintKey| by_id.get(&key.ledger_id).copied();
    let mut steps: Vec<Step> = Vec::new();
    for &denomination in &currency.current().cdd().denominations {
        let is_of_denomination =
            |key: &&CertifiedMintKey| key.verified.mint_key().denomination == denomination;
        let (mut signs_now, mut last_end) = (false, None);
        for key in currency.mint_keys().filter(is_of_denomination) {
            let state = state_in(currency, statuses, key, now);
            signs_now |= state == KeyState::Signing;
            let begins = key.verified.mint_key().sign_coins_not_before.to_utc();
            // Another key would not begin earlier.
            signs_now |= state == KeyState::Future && begins <= now + policy.offline_time.get();
            if matches!(state, KeyState::Future | KeyState::Signing) {
                last_end = last_end.max(Some(key.verified.mint_key().sign_coins_not_after.to_utc()));
            }
        }
        // If no key signs now, a future generation is not enough: wallets need coins now. The current generation
        // may have been revoked.
        let (at, window) = match last_end.filter(|_| signs_now) {
            Some(end) => {
                let begins = end - policy.overlap.get();
                let is_late = begins <= now + policy.offline_time.get();
                let window = if is_late {
                    policy.window_soon(now)
                } else {
                    policy.window_from(begins)
                };
                (begins - policy.lead.get(), window)
            }
            None => (now, policy.window_soon(now)),
        };
        let what = Due::MakeKey { denomination, window };
        steps.push(Step { at, what });
    }
    for key in currency.mint_keys() {
        let mint_key = key.verified.mint_key();
        let (id, denomination) = (mint_key.id.clone(), mint_key.denomination);
        if private.contains(&id) {
            // Revoked and late keys sign nothing, so they are not needed for resumes.
            let at = match state_in(currency, statuses, key, now) {
                KeyState::Revoked => now,
                KeyState::Late => currency.is_needless_from(key).map_or(now, |from| from.max(now)),
                KeyState::Future | KeyState::Signing | KeyState::Accepting | KeyState::Expired => {
                    mint_key.sign_coins_not_after.to_utc() + policy.resume_window.get()
                }
            };
            let id = id.clone();
            let what = Due::DestroyKey { id, denomination };
            steps.push(Step { at, what });
        }
        if status(key).is_some_and(|status| !status.pruned) {
            steps.push(Step {
                at: mint_key.coins_expiry_date.to_utc(),
                what: Due::Prune { id, denomination },
            });
        }
    }
    steps.push(Step {
        at: currency.current().cdd().cdd_expiry_date.to_utc() - CDD_EXPIRY_MARGIN,
        what: Due::ChangeCdd,
    });
    steps.sort_by_key(|step| step.at);
    steps
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, OnceLock};

    use opencoin_config::Span;
    use opencoin_crypto::{PublicKey, VerifiedCddc, sign_cddc, sign_mint_key_certificate};
    use opencoin_ledger::StopReason;
    use opencoin_schema::Timestamp;
    use opencoin_testkit::keys::private_key;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use opencoin_ledger::view::MintKeyNo;

    use super::*;
    use crate::create::set_url;
    use crate::signing_request::{MintKeyDraft, cdd_draft};

    const TICK: TimeDelta = TimeDelta::microseconds(1);
    /// The current denominations. There are keys of 2 as well, a removed denomination.
    const DENOMINATIONS: [u64; 2] = [1, 5];

    fn start() -> DateTime<Utc> {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn policy() -> RotationPolicy {
        RotationPolicy {
            offline_time: Span::default(),
            ..RotationPolicy::default()
        }
    }

    /// The window of the first generation.
    fn first() -> Window {
        policy().window_from(start())
    }

    /// When the second generation begins.
    fn second_begins() -> DateTime<Utc> {
        first().sign_not_after - policy().overlap.get()
    }

    fn second() -> Window {
        policy().window_from(second_begins())
    }

    fn public_key(generation: u8, denomination: u64) -> PublicKey {
        private_key(&format!("mint {generation} {denomination}"))
            .public_key()
            .clone()
    }

    /// Only the first CDD has the denomination 2.
    fn cddc(serial: u64) -> VerifiedCddc {
        let denominations = if serial == 1 {
            vec![1, 2, 5]
        } else {
            DENOMINATIONS.to_vec()
        };
        let expiry = Timestamp::from_utc(start() + TimeDelta::days(3650));
        let mut draft = cdd_draft(serial, denominations, expiry);
        set_url(&mut draft, "http://127.0.0.1:8080");
        let master = private_key("master");
        let cdd = draft.with_master_key(master.public_key());
        sign_cddc(cdd, &master, &mut StdRng::seed_from_u64(serial)).unwrap()
    }

    /// A currency with one generation of keys, or two.
    fn currency(generations: u8) -> Arc<Currency> {
        static MADE: [OnceLock<Arc<Currency>>; 2] = [OnceLock::new(), OnceLock::new()];
        let make = || {
            let (master, cddcs) = (private_key("master"), [cddc(1), cddc(2)]);
            let mut mkcs = Vec::new();
            let windows = [first(), second()];
            for (generation, denomination) in [(1, 1), (1, 2), (1, 5), (2, 1), (2, 5)] {
                let index = usize::from(generation - 1);
                if generation <= generations {
                    let (key, cddc) = (public_key(generation, denomination), &cddcs[index]);
                    let serial = cddc.cdd().cdd_serial;
                    let draft = MintKeyDraft::new(&key, denomination, serial, windows[index]);
                    let rng = &mut StdRng::seed_from_u64(denomination);
                    let signed = sign_mint_key_certificate(draft.with_issuer(cddc), cddc, &master, rng);
                    mkcs.push(signed.unwrap().mkc().clone());
                }
            }
            let cddcs = cddcs.iter().map(|cddc| cddc.cddc().clone()).collect();
            Arc::new(Currency::new(cddcs, mkcs).unwrap())
        };
        Arc::clone(MADE[usize::from(generations) - 1].get_or_init(make))
    }

    fn key(currency: &Currency, generation: u8, denomination: u64) -> &CertifiedMintKey {
        currency
            .mint_key(public_key(generation, denomination).id())
            .unwrap()
    }

    fn status(key: &CertifiedMintKey) -> MintKeyStatus {
        let (id, terms) = (key.ledger_id, key.terms);
        MintKeyStatus {
            no: MintKeyNo::new(1),
            id,
            identity: key.identity,
            awaits_log: false,
            terms,
            issued: 0,
            returned: 0,
            stopped: None,
            recouped: 0,
            retired: false,
            pruned: false,
        }
    }

    fn statuses(currency: &Currency) -> Vec<MintKeyStatus> {
        currency.mint_keys().map(status).collect()
    }

    fn revoke(statuses: &mut [MintKeyStatus], key: &CertifiedMintKey) {
        let status = statuses
            .iter_mut()
            .find(|status| status.id == key.ledger_id)
            .unwrap();
        status.stopped = Some(StopReason::new("stolen").unwrap());
    }

    /// The work that is due at this moment, if the store has all private keys.
    fn due(currency: &Currency, statuses: &[MintKeyStatus], now: DateTime<Utc>) -> Vec<Due> {
        let private = currency
            .mint_keys()
            .map(|key| key.verified.mint_key().id.clone())
            .collect();
        let steps = plan(currency, statuses, &private, &policy(), now);
        assert!(steps.is_sorted_by_key(|step| step.at));
        steps
            .into_iter()
            .filter(|step| step.at <= now)
            .map(|step| step.what)
            .collect()
    }

    fn keys_due(currency: &Currency, statuses: &[MintKeyStatus], now: DateTime<Utc>) -> Vec<(u64, Window)> {
        let due = due(currency, statuses, now).into_iter();
        let made = due.filter_map(|due| {
            if let Due::MakeKey { denomination, window } = due {
                Some((denomination, window))
            } else {
                None
            }
        });
        made.collect()
    }

    #[test]
    fn the_state_follows_the_window_to_the_microsecond() {
        let currency = currency(1);
        let Window {
            sign_not_before,
            sign_not_after,
            coins_expiry,
        } = first();
        let key = key(&currency, 1, 5);
        let moments = [
            (sign_not_before - TICK, KeyState::Future),
            (sign_not_before, KeyState::Signing),
            (sign_not_before + TICK, KeyState::Signing),
            (sign_not_after - TICK, KeyState::Signing),
            (sign_not_after, KeyState::Signing),
            (sign_not_after + TICK, KeyState::Accepting),
            (coins_expiry - TICK, KeyState::Accepting),
            (coins_expiry, KeyState::Accepting),
            (coins_expiry + TICK, KeyState::Expired),
        ];
        let stopped = MintKeyStatus {
            stopped: Some(StopReason::new("stolen").unwrap()),
            ..status(key)
        };
        let retired = MintKeyStatus {
            retired: true,
            ..status(key)
        };
        for (now, expected) in moments {
            assert_eq!(state(key, None, now), expected, "{now}");
            assert_eq!(state(key, Some(&status(key)), now), expected, "{now}");
            assert_eq!(state(key, Some(&stopped), now), KeyState::Revoked, "{now}");
            // A retired key never signs.
            let quiet = if expected == KeyState::Signing {
                KeyState::Accepting
            } else {
                expected
            };
            assert_eq!(state(key, Some(&retired), now), quiet, "{now}");
        }
    }

    #[test]
    fn the_next_generation_is_due_lead_before_it_begins() {
        let currency = currency(1);
        let (statuses, begins) = (statuses(&currency), second_begins());
        let made_from = begins - policy().lead.get();
        assert_eq!(keys_due(&currency, &statuses, made_from - TICK), []);
        // Removed denominations get no keys.
        let on_time = DENOMINATIONS.map(|denomination| (denomination, second()));
        for now in [made_from, made_from + TICK, begins - TICK] {
            assert_eq!(keys_due(&currency, &statuses, now), on_time, "{now}");
        }
        // After the planned begin, new keys sign at once.
        for now in [
            begins,
            begins + TICK,
            first().sign_not_after,
            first().sign_not_after + TICK,
            first().coins_expiry + TICK,
        ] {
            let window = policy().window_now(now);
            assert_eq!(
                keys_due(&currency, &statuses, now),
                DENOMINATIONS.map(|denomination| (denomination, window)),
                "{now}"
            );
            assert!(window.sign_not_before < now && now < window.sign_not_after);
        }
    }

    #[test]
    fn in_the_overlap_both_generations_sign_and_wallets_get_the_newer() {
        let currency = currency(2);
        let (statuses, none) = (statuses(&currency), BTreeSet::new());
        let (old, new) = (key(&currency, 1, 5), key(&currency, 2, 5));
        let end = first().sign_not_after;
        let moments = [
            (second_begins() - TICK, [KeyState::Signing, KeyState::Future], old),
            (second_begins(), [KeyState::Signing, KeyState::Signing], new),
            (
                second_begins() + TICK,
                [KeyState::Signing, KeyState::Signing],
                new,
            ),
            (end, [KeyState::Signing, KeyState::Signing], new),
            (end + TICK, [KeyState::Accepting, KeyState::Signing], new),
        ];
        for (now, states, newest) in moments {
            assert_eq!([old, new].map(|key| state(key, None, now)), states, "{now}");
            let current = currency.current_mint_keys(now, &none);
            assert_eq!(
                current
                    .iter()
                    .map(|key| key.terms.denomination().units())
                    .collect::<Vec<_>>(),
                DENOMINATIONS,
                "{now}"
            );
            assert_eq!(current[1].ledger_id, newest.ledger_id, "{now}");
            assert_eq!(keys_due(&currency, &statuses, now), [], "{now}");
        }
        let third_made_from = second().sign_not_after - policy().overlap.get() - policy().lead.get();
        assert_eq!(keys_due(&currency, &statuses, third_made_from - TICK), []);
        assert_eq!(
            keys_due(&currency, &statuses, third_made_from).len(),
            DENOMINATIONS.len()
        );
    }

    #[test]
    fn a_denomination_without_a_signing_key_is_due_at_once_even_if_a_future_key_exists() {
        let currency = currency(2);
        let mut statuses = statuses(&currency);
        revoke(&mut statuses, key(&currency, 1, 5));
        for now in [start(), second_begins() - TICK] {
            assert_eq!(
                keys_due(&currency, &statuses, now),
                [(5, policy().window_now(now))],
                "{now}"
            );
        }
        assert_eq!(
            keys_due(&currency, &statuses, second_begins()),
            [],
            "the next generation signs"
        );
        revoke(&mut statuses, key(&currency, 2, 5));
        assert_eq!(
            keys_due(&currency, &statuses, second_begins()),
            [(5, policy().window_now(second_begins()))]
        );
    }

    #[test]
    fn private_keys_are_destroyed_after_the_resume_window_and_revoked_ones_at_once() {
        let currency = currency(1);
        let mut statuses = statuses(&currency);
        let destroyed = |statuses: &[MintKeyStatus], now| {
            let due = due(&currency, statuses, now).into_iter();
            let mut denominations: Vec<u64> = due
                .filter_map(|due| {
                    if let Due::DestroyKey { denomination, .. } = due {
                        Some(denomination)
                    } else {
                        None
                    }
                })
                .collect();
            denominations.sort_unstable();
            denominations
        };
        let from = first().sign_not_after + policy().resume_window.get();
        assert!(destroyed(&statuses, from - TICK).is_empty());
        for now in [from, from + TICK] {
            assert_eq!(destroyed(&statuses, now), [1, 2, 5], "{now}");
        }
        revoke(&mut statuses, key(&currency, 1, 5));
        for now in [start() - TICK, start(), from - TICK] {
            assert_eq!(destroyed(&statuses, now), [5], "{now}");
        }
        let steps = plan(&currency, &statuses, &BTreeSet::new(), &policy(), from);
        let destroys = steps
            .iter()
            .any(|step| matches!(step.what, Due::DestroyKey { .. }));
        assert!(!destroys, "only existing private keys are destroyed");
    }

    #[test]
    fn spent_coins_can_be_pruned_once_after_their_expiry() {
        let currency = currency(1);
        let mut statuses = statuses(&currency);
        let pruned = |statuses: &[MintKeyStatus], now| {
            due(&currency, statuses, now)
                .iter()
                .filter(|due| matches!(due, Due::Prune { .. }))
                .count()
        };
        let expiry = first().coins_expiry;
        assert_eq!(
            [expiry - TICK, expiry, expiry + TICK].map(|now| pruned(&statuses, now)),
            [0, 3, 3]
        );
        statuses[0].pruned = true;
        assert_eq!(pruned(&statuses, expiry + TICK), 2);
        // A key that is not in the books has no spent coins.
        assert_eq!(pruned(&[], expiry + TICK), 0);
    }

    #[test]
    fn a_cdd_that_expires_soon_is_due() {
        let currency = currency(1);
        let from = start() + TimeDelta::days(3650) - CDD_EXPIRY_MARGIN;
        let is_due = |now| due(&currency, &statuses(&currency), now).contains(&Due::ChangeCdd);
        assert_eq!([from - TICK, from, from + TICK].map(is_due), [false, true, true]);
    }
}
