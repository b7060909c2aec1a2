//! Keys: made again from the same seed, stored and read, never shown, and their certificates' signatures.

use opencoin_crypto::{BadSignature, KeyError, PrivateKey};
use opencoin_schema::{BigInt, RsaPublicKey};

use crate::support::{MASTER_KEY, MINT_KEY, SMALL_KEY, key, rng, sign_blind};

#[test]
fn a_generated_key_has_its_length_and_is_new() {
    let make = |bits| PrivateKey::generate(bits).unwrap();
    let (key, other) = (make(1024), make(1024));
    assert_eq!(key.public_key().modulus_bits(), 1024);
    assert_eq!(key.public_key().document().public_exponent, 65537);
    assert_ne!(key.public_key(), other.public_key());
    let read = PrivateKey::from_pkcs8_pem(&key.to_pkcs8_pem()).unwrap();
    let number = BigInt::from_be_bytes(b"a number to sign");
    assert_eq!(sign_blind(&read, &number), sign_blind(&key, &number));
}

#[test]
fn keys_of_unsupported_sizes_are_not_generated() {
    let make = |bits| PrivateKey::generate(bits).err();
    assert_eq!(make(511), Some(KeyError::ModulusBits(511)));
    assert_eq!(make(8194), Some(KeyError::ModulusBits(8194)));
    assert_eq!(make(576), Some(KeyError::BitsStep(576)));
}

#[test]
fn a_stored_key_is_the_same_key() {
    let pem = MASTER_KEY.to_pkcs8_pem();
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    let read = PrivateKey::from_pkcs8_pem(&pem).unwrap();
    assert_eq!(read.public_key(), MASTER_KEY.public_key());
    let number = BigInt::from_be_bytes(b"a number to sign");
    assert_eq!(sign_blind(&read, &number), sign_blind(&MASTER_KEY, &number));
}

#[test]
fn a_damaged_file_is_refused() {
    let pem = SMALL_KEY.to_pkcs8_pem();
    let body_start = pem.find('\n').unwrap() + 1;
    let body_end = pem.find("\n-----END").unwrap();
    for position in body_start..body_end {
        let mut damaged = pem.to_string();
        let replacement = if &damaged[position..=position] == "A" {
            "B"
        } else {
            "A"
        };
        damaged.replace_range(position..=position, replacement);
        // Most of a key's bytes are checked by arithmetic. What is not (the CRT values) is computed again,
        // never used as read.
        if let Ok(read) = PrivateKey::from_pkcs8_pem(&damaged) {
            assert_eq!(read.public_key(), SMALL_KEY.public_key(), "position {position}");
        }
    }
    for text in [
        "",
        "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
        &pem[..pem.len() / 2],
    ] {
        assert_eq!(PrivateKey::from_pkcs8_pem(text).err(), Some(KeyError::NotPem));
    }
}

#[test]
fn an_encrypted_key_opens_with_its_passphrase_alone() {
    let pem = MASTER_KEY.to_encrypted_pkcs8_pem(b"correct horse", &mut rng(3));
    assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
    let read = PrivateKey::from_encrypted_pkcs8_pem(&pem, b"correct horse").unwrap();
    assert_eq!(read.public_key(), MASTER_KEY.public_key());
    for passphrase in [&b""[..], b"Correct horse", b"correct horse "] {
        assert_eq!(
            PrivateKey::from_encrypted_pkcs8_pem(&pem, passphrase).err(),
            Some(KeyError::Passphrase)
        );
    }
    let again = MASTER_KEY.to_encrypted_pkcs8_pem(b"correct horse", &mut rng(4));
    assert_ne!(again, pem, "salt and initialisation vector are fresh");
    for text in ["", &MASTER_KEY.to_pkcs8_pem(), &pem[..pem.len() / 2]] {
        assert_eq!(
            PrivateKey::from_encrypted_pkcs8_pem(text, b"correct horse").err(),
            Some(KeyError::NotEncryptedPem)
        );
    }
}

#[test]
fn a_damaged_encrypted_file_never_gives_another_key() {
    let pem = SMALL_KEY.to_encrypted_pkcs8_pem(b"p", &mut rng(3));
    let (start, end) = (pem.find('\n').unwrap() + 1, pem.find("\n-----END").unwrap());
    for position in (start..end).step_by(29) {
        let mut damaged = pem.to_string();
        let replacement = if &damaged[position..=position] == "A" {
            "B"
        } else {
            "A"
        };
        damaged.replace_range(position..=position, replacement);
        if let Ok(read) = PrivateKey::from_encrypted_pkcs8_pem(&damaged, b"p") {
            assert_eq!(read.public_key(), SMALL_KEY.public_key(), "position {position}");
        }
    }
}

#[test]
fn debug_shows_the_identifier_and_no_secret() {
    let id = MASTER_KEY.public_key().id();
    assert_eq!(format!("{:?}", *MASTER_KEY), format!("PrivateKey({id}, secret)"));
    assert_eq!(
        format!("{:?}", MASTER_KEY.public_key()),
        format!("PublicKey({id}, 2048 bits)")
    );
}

#[test]
fn a_certificates_signature_belongs_to_its_text_and_key() {
    for key in [&*MASTER_KEY, &*SMALL_KEY] {
        let signature = key.sign_certificate("text", &mut rng(1)).unwrap();
        let public = key.public_key();
        assert_eq!(public.verify_certificate("text", &signature), Ok(()));
        assert_eq!(public.verify_certificate("texts", &signature), Err(BadSignature));
        assert_eq!(
            MINT_KEY.public_key().verify_certificate("text", &signature),
            Err(BadSignature)
        );
        assert_eq!(
            public.verify_certificate("text", &BigInt::default()),
            Err(BadSignature)
        );
        assert_eq!(
            public.verify_certificate("text", &public.document().modulus),
            Err(BadSignature)
        );
        let too_long = BigInt::from_be_bytes(&vec![0xff; public.modulus_bytes() + 1]);
        assert_eq!(public.verify_certificate("text", &too_long), Err(BadSignature));
    }
}

#[test]
fn the_salt_is_random() {
    let signature = |seed| MASTER_KEY.sign_certificate("text", &mut rng(seed)).unwrap();
    assert_eq!(signature(1), signature(1));
    assert_ne!(signature(1), signature(2));
}

/// Sizes that are no multiple of eight: the encoded message ends on other bits, and may be a byte shorter
/// than the modulus.
#[test]
fn certificates_work_at_every_alignment_of_the_modulus() {
    for bits in (512..=528).step_by(2) {
        let key = key(bits, bits as u64);
        let signature = key.sign_certificate("text", &mut rng(1)).unwrap();
        assert_eq!(
            key.public_key().verify_certificate("text", &signature),
            Ok(()),
            "{bits} bits"
        );
    }
}

/// The signature equals its own remainder: `s + n` must not pass for another signature of the same text.
#[test]
fn a_signature_is_one_number() {
    let small = SMALL_KEY.public_key();
    let signature = SMALL_KEY.sign_certificate("text", &mut rng(1)).unwrap();
    let sum = add(&signature, &small.document().modulus);
    assert_eq!(small.verify_certificate("text", &sum), Err(BadSignature));
}

fn add(left: &BigInt, right: &BigInt) -> BigInt {
    let number = |number: &BigInt| num_bigint_dig::BigUint::from_bytes_be(number.as_be_bytes());
    BigInt::from_be_bytes(&(number(left) + number(right)).to_bytes_be())
}

#[test]
fn the_identifier_is_the_documents() {
    let document: RsaPublicKey = MINT_KEY.public_key().document().clone();
    assert_eq!(*MINT_KEY.public_key().id(), document.id());
}
