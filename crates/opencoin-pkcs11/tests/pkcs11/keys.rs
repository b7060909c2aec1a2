//! Making, listing and destroying keys.

use std::collections::BTreeSet;

use cryptoki::context::{CInitializeArgs, CInitializeFlags};
use cryptoki::object::{Attribute, AttributeInfo, AttributeType, ObjectClass};
use opencoin_crypto::{KeyError, KeyStore, KeyStoreError};
use opencoin_schema::BigInt;
use opencoin_testkit::softhsm::in_own_process;

use crate::support::{BITS, Other, are_signatures, blinds, open, wait};

#[test]
fn keys_are_listed_until_they_are_destroyed() {
    in_own_process(|token| {
        let store = open(token);
        assert_eq!(store.ids(), Ok(BTreeSet::new()));
        let keys = [store.generate(BITS).unwrap(), store.generate(BITS).unwrap()];
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
        assert_eq!(
            objects.len(),
            2,
            "both halves of one key are gone, both of the other are there"
        );
    });
}

#[test]
fn keys_outlive_the_process_that_made_them() {
    in_own_process(|token| {
        let store = open(token);
        let key = store.generate(BITS).unwrap();
        drop(store);
        // A module that is ended and started again has nothing in memory.
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
fn a_private_half_cannot_be_taken_out_and_signs_only() {
    in_own_process(|token| {
        let store = open(token);
        store.generate(BITS).unwrap();
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
        assert!(extractable.is_err(), "and nobody can change that");
        assert!(
            session
                .update_attributes(private, &[Attribute::Sensitive(false)])
                .is_err()
        );
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
fn a_key_carries_its_identifier_and_is_found_without_it() {
    in_own_process(|token| {
        let store = open(token);
        let keys = [store.generate(BITS).unwrap(), store.generate(BITS).unwrap()];
        let session = Other::new(token).session();
        for key in &keys {
            let id = key.id().to_padded_be_bytes(20).unwrap();
            assert_eq!(
                session.find_objects(&[Attribute::Id(id)]).unwrap().len(),
                2,
                "both halves"
            );
        }
        // A token that gives identifiers of its own.
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
fn keys_of_somebody_else_are_left_alone() {
    in_own_process(|token| {
        let store = open(token);
        let key = store.generate(BITS).unwrap();
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
fn what_cannot_be_a_mint_key_is_refused_before_the_token_is_asked() {
    in_own_process(|token| {
        let store = open(token);
        for bits in [0, 510, 8194] {
            assert_eq!(
                store.generate(bits),
                Err(KeyStoreError::Key(KeyError::ModulusBits(bits)))
            );
        }
        assert_eq!(
            store.generate(1025),
            Err(KeyStoreError::Key(KeyError::BitsStep(1025)))
        );
        assert_eq!(store.ids(), Ok(BTreeSet::new()));
    });
}

#[test]
fn a_token_that_makes_no_rsa_keys_says_so_when_it_is_asked_for_one() {
    in_own_process(|token| {
        token.configure("slots.mechanisms = CKM_RSA_X_509");
        let error = open(token).generate(BITS).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("does not do CKM_RSA_PKCS_KEY_PAIR_GEN"),
            "{error}"
        );
    });
}
