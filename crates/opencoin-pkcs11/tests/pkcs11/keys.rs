//! Making, listing and destroying keys.

use std::collections::BTreeSet;

use cryptoki::context::{CInitializeArgs, CInitializeFlags};
use cryptoki::object::{Attribute, AttributeInfo, AttributeType, ObjectClass};
use opencoin_crypto::{KeyError, KeyPrimes, KeyStore, KeyStoreError};
use opencoin_schema::BigInt;
use opencoin_testkit::softhsm::in_own_process;

use crate::support::{BITS, Other, are_signatures, blinds, open, wait};

#[test]
fn keys_are_listed_until_they_are_destroyed() {
    in_own_process(|token| {
        let store = open(token);
        assert_eq!(store.ids(), Ok(BTreeSet::new()));
        let keys = [
            store.generate(BITS, KeyPrimes::Two).unwrap(),
            store.generate(BITS, KeyPrimes::Two).unwrap(),
        ];
        for key in &keys {
            assert_eq!(
                (key.modulus_bits(), key.document().public_exponent),
                (BITS, 65537)
            );
        }
        assert_eq!(store.ids(), Ok(keys.iter().map(|key| key.id().clone()).collect()));

        assert_eq!(store.destroy(keys[0].id()), Ok(true));
        assert_eq!(store.destroy(keys[0].id()), Ok(false), "it is gone already");
        assert_eq!(store.ids(), Ok(BTreeSet::from([keys[1].id().clone()])));
        assert_eq!(store.destroy(&BigInt::from_be_bytes(&[7])), Ok(false));
        let objects = Other::new(token).session().find_objects(&[]).unwrap();
        assert_eq!(objects.len(), 2, "only the halves of the other key remain");
    });
}

#[test]
fn keys_outlive_the_process_that_made_them() {
    in_own_process(|token| {
        let store = open(token);
        let key = store.generate(BITS, KeyPrimes::Two).unwrap();
        drop(store);
        // After a restart, the module has nothing in memory.
        let other = Other::new(token);
        other.pkcs11.clone().finalize().unwrap();
        other
            .pkcs11
            .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
            .unwrap();
        let store = open(token);
        assert_eq!(store.ids(), Ok(BTreeSet::from([key.id().clone()])));
        let signatures = wait(store.signer().unwrap().sign(blinds(&key, 1))).unwrap();
        assert!(are_signatures(&key, &signatures));
    });
}

#[test]
fn a_private_half_is_not_extractable_and_can_only_sign() {
    in_own_process(|token| {
        let store = open(token);
        store.generate(BITS, KeyPrimes::Two).unwrap();
        let session = Other::new(token).session();
        let private = session
            .find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)])
            .unwrap()[0];
        let secrets = [
            AttributeType::PrivateExponent,
            AttributeType::Prime1,
            AttributeType::Coefficient,
        ];
        for secret in session.get_attribute_info(private, &secrets).unwrap() {
            assert!(matches!(secret, AttributeInfo::Sensitive), "{secret:?}");
        }
        let extractable = session.update_attributes(private, &[Attribute::Extractable(true)]);
        assert!(extractable.is_err(), "this cannot be changed");
        let readable = session.update_attributes(private, &[Attribute::Sensitive(false)]);
        assert!(readable.is_err(), "this cannot be changed");
        let uses = [
            AttributeType::Sign,
            AttributeType::Decrypt,
            AttributeType::Unwrap,
            AttributeType::Derive,
        ];
        let uses = session.get_attributes(private, &uses).unwrap();
        let expected = [
            Attribute::Sign(true),
            Attribute::Decrypt(false),
            Attribute::Unwrap(false),
            Attribute::Derive(false),
        ];
        assert_eq!(uses, expected);
    });
}

#[test]
fn a_key_has_its_identifier_and_is_found_without_it() {
    in_own_process(|token| {
        let store = open(token);
        let keys = [
            store.generate(BITS, KeyPrimes::Two).unwrap(),
            store.generate(BITS, KeyPrimes::Two).unwrap(),
        ];
        let session = Other::new(token).session();
        for key in &keys {
            let id = key.id().to_padded_be_bytes(20).unwrap();
            let halves = session.find_objects(&[Attribute::Id(id)]).unwrap();
            assert_eq!(halves.len(), 2);
        }
        // As in a token that chooses identifiers itself.
        for half in session.find_objects(&[]).unwrap() {
            session
                .update_attributes(half, &[Attribute::Id(vec![1])])
                .unwrap();
        }
        let signer = store.signer().unwrap();
        for key in &keys {
            assert!(are_signatures(key, &wait(signer.sign(blinds(key, 1))).unwrap()));
            assert_eq!(store.destroy(key.id()), Ok(true));
        }
        assert_eq!(session.find_objects(&[]).unwrap(), []);
    });
}

#[test]
fn other_keys_in_the_token_are_ignored() {
    in_own_process(|token| {
        let store = open(token);
        let key = store.generate(BITS, KeyPrimes::Two).unwrap();
        let session = Other::new(token).session();
        for half in session.find_objects(&[]).unwrap() {
            session
                .update_attributes(half, &[Attribute::Label(b"a key for something else".to_vec())])
                .unwrap();
        }
        assert_eq!(store.ids(), Ok(BTreeSet::new()));
        assert_eq!(store.destroy(key.id()), Ok(false));
        assert_eq!(session.find_objects(&[]).unwrap().len(), 2);
    });
}

#[test]
fn keys_of_three_primes_are_refused() {
    in_own_process(|token| {
        let store = open(token);
        let error = store.generate(BITS, KeyPrimes::Three).unwrap_err().to_string();
        assert!(
            error.contains("tokens make RSA keys with 2 primes only"),
            "{error}"
        );
        assert_eq!(store.ids(), Ok(BTreeSet::new()));
    });
}

#[test]
fn invalid_key_sizes_are_refused() {
    in_own_process(|token| {
        let store = open(token);
        for bits in [0, 510, 8194] {
            let refused = KeyError::ModulusBits(bits);
            assert_eq!(
                store.generate(bits, KeyPrimes::Two),
                Err(KeyStoreError::Key(refused))
            );
        }
        let refused = KeyError::BitsStep(1025);
        assert_eq!(
            store.generate(1025, KeyPrimes::Two),
            Err(KeyStoreError::Key(refused))
        );
        assert_eq!(store.ids(), Ok(BTreeSet::new()));
    });
}

#[test]
fn the_error_names_the_mechanism_that_a_token_lacks() {
    in_own_process(|token| {
        token.configure("slots.mechanisms = CKM_RSA_X_509");
        let error = open(token)
            .generate(BITS, KeyPrimes::Two)
            .unwrap_err()
            .to_string();
        assert!(error.contains("does not do CKM_RSA_PKCS_KEY_PAIR_GEN"), "{error}");
    });
}
