//! Locked messages: the right passphrase opens them, and everything else is refused with its reason.

use opencoin_lock::{
    UnlockError, WORK_FACTOR_MAX, armored, find_armored, from_cbor, is_locked, lock, to_cbor, unlock,
};
use proptest::prelude::*;

/// Costs nothing.
const CHEAP: u8 = 2;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_message_comes_back_from_each_form(message: Vec<u8>, passphrase in ".{1,20}") {
        let locked = lock(&message, &passphrase, CHEAP);
        prop_assert!(is_locked(&locked));
        prop_assert_eq!(&unlock(&locked, &passphrase).unwrap()[..], &message[..]);
        let mail = format!("Hi!\r\n{}\r\nBye", armored(&locked));
        prop_assert_eq!(&find_armored(&mail).unwrap().unwrap(), &locked);
        prop_assert_eq!(&from_cbor(&to_cbor(&locked)).unwrap(), &locked);
        prop_assert_eq!(unlock(&locked, &format!("{passphrase}?")), Err(UnlockError::WrongPassphrase));
    }

    #[test]
    fn changed_bytes_are_noticed(message: Vec<u8>, at in any::<prop::sample::Index>(), flip in 1..=255_u8) {
        let locked = lock(&message, "secret", CHEAP);
        let at = at.index(locked.len());
        let mut changed = locked.clone();
        changed[at] ^= flip;
        prop_assert!(unlock(&changed, "secret").is_err());
        prop_assert!(unlock(&locked[..at], "secret").is_err());
    }
}

#[test]
fn a_stranger_cannot_ask_for_much_work() {
    let locked = lock(b"coins", "secret", CHEAP);
    let text = String::from_utf8_lossy(&locked).into_owned();
    let line = text.lines().nth(1).unwrap();
    let costly = format!("{} {}\n", line.rsplit_once(' ').unwrap().0, WORK_FACTOR_MAX + 1);
    let header = format!("age-encryption.org/v1\n{costly}");
    let rest = &locked[text.lines().take(2).map(|line| line.len() + 1).sum()..];
    let changed = [header.as_bytes(), rest].concat();
    assert_eq!(
        unlock(&changed, "secret"),
        Err(UnlockError::TooMuchWork(WORK_FACTOR_MAX + 1))
    );
}

#[test]
fn what_is_locked_otherwise_or_cut_off_says_so() {
    assert_eq!(find_armored("no armour"), None);
    let text = armored(&lock(b"coins", "secret", CHEAP));
    assert_eq!(
        find_armored(&text[..text.len() - 10]),
        Some(Err(UnlockError::Damaged))
    );
    assert_eq!(
        find_armored(&text.replacen('\n', "\n!", 2)),
        Some(Err(UnlockError::Damaged))
    );
    assert_eq!(unlock(b"not age", "secret"), Err(UnlockError::Damaged));
    for cbor in [
        &[][..],
        &[0x41],
        &[0x41, 1, 2],
        &[0x58, 1, 1],
        &[0x5f, 0xff],
        &[0x61, 0x61],
    ] {
        assert_eq!(from_cbor(cbor), Err(UnlockError::Damaged));
    }
    let key = age::x25519::Identity::generate();
    let other = age::encrypt(&key.to_public(), b"coins").unwrap();
    assert_eq!(unlock(&other, "secret"), Err(UnlockError::NoPassphrase));
}
