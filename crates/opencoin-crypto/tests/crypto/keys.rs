//! Keys: making, storing and reading them, and the signatures of certificates.

use opencoin_crypto::{BadSignature, KeyError, PrivateKey};
use opencoin_schema::{BigInt, RsaPublicKey};

use crate::support::{MASTER_KEY, MINT_KEY, SMALL_KEY, key, rng, sign_blind, to_big_int, to_biguint};

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
fn unsupported_key_sizes_are_refused() {
    let make = |bits| PrivateKey::generate(bits).err();
    assert_eq!(make(511), Some(KeyError::ModulusBits(511)));
    assert_eq!(make(8194), Some(KeyError::ModulusBits(8194)));
    assert_eq!(make(576), Some(KeyError::BitsStep(576)));
}

#[test]
fn a_stored_key_can_be_read_again() {
    let pem = MASTER_KEY.to_pkcs8_pem();
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
    let read = PrivateKey::from_pkcs8_pem(&pem).unwrap();
    assert_eq!(read.public_key(), MASTER_KEY.public_key());
    let number = BigInt::from_be_bytes(b"a number to sign");
    assert_eq!(sign_blind(&read, &number), sign_blind(&MASTER_KEY, &number));
}

/// Changes a PEM file at every `step`th place of its body, and reads it.
fn damage(pem: &str, step: usize, read: impl Fn(&str) -> Result<PrivateKey, KeyError>) {
    let (start, end) = (pem.find('\n').unwrap() + 1, pem.find("\n-----END").unwrap());
    for position in (start..end).step_by(step) {
        let mut damaged = pem.to_owned();
        let replacement = if pem[position..].starts_with('A') {
            "B"
        } else {
            "A"
        };
        damaged.replace_range(position..=position, replacement);
        if let Ok(read) = read(&damaged) {
            assert_eq!(read.public_key(), SMALL_KEY.public_key(), "position {position}");
        }
    }
}

#[test]
fn a_damaged_file_never_gives_another_key() {
    let pem = SMALL_KEY.to_pkcs8_pem();
    // Arithmetic checks most of a key's bytes. The others (the CRT values) are not used but computed again.
    damage(&pem, 1, PrivateKey::from_pkcs8_pem);
    let empty = "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n";
    for text in ["", empty, &pem[..pem.len() / 2]] {
        assert_eq!(PrivateKey::from_pkcs8_pem(text).err(), Some(KeyError::NotPem));
    }
    let pem = SMALL_KEY.to_encrypted_pkcs8_pem(b"p", &mut rng(3));
    damage(&pem, 29, |pem| PrivateKey::from_encrypted_pkcs8_pem(pem, b"p"));
}

#[test]
fn an_encrypted_key_opens_only_with_its_passphrase() {
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
fn debug_shows_the_identifier_and_no_secret() {
    let id = MASTER_KEY.public_key().id();
    assert_eq!(format!("{:?}", *MASTER_KEY), format!("PrivateKey({id}, secret)"));
    assert_eq!(
        format!("{:?}", MASTER_KEY.public_key()),
        format!("PublicKey({id}, 2048 bits)")
    );
}

#[test]
fn a_signature_belongs_to_its_text_and_key() {
    for key in [&*MASTER_KEY, &*SMALL_KEY] {
        let signature = key.sign_certificate("text", &mut rng(1)).unwrap();
        let public = key.public_key();
        assert_eq!(public.verify_certificate("text", &signature), Ok(()));
        let too_long = BigInt::from_be_bytes(&vec![0xff; public.modulus_bytes() + 1]);
        for (key, text, signature) in [
            (public, "texts", &signature),
            (MINT_KEY.public_key(), "text", &signature),
            (public, "text", &BigInt::default()),
            (public, "text", &public.document().modulus),
            (public, "text", &too_long),
        ] {
            assert_eq!(key.verify_certificate(text, signature), Err(BadSignature));
        }
    }
}

#[test]
fn the_salt_is_random() {
    let signature = |seed| MASTER_KEY.sign_certificate("text", &mut rng(seed)).unwrap();
    assert_eq!(signature(1), signature(1));
    assert_ne!(signature(1), signature(2));
}

/// If the size is not a multiple of eight, the encoded message has unused bits and may be a byte shorter than the
/// modulus.
#[test]
fn certificates_work_at_every_alignment_of_the_modulus() {
    for bits in (512..=528).step_by(2) {
        let key = key(bits, bits as u64);
        let signature = key.sign_certificate("text", &mut rng(1)).unwrap();
        let verified = key.public_key().verify_certificate("text", &signature);
        assert_eq!(verified, Ok(()), "{bits} bits");
    }
}

/// `s + n` is congruent to the signature `s`, and must not be accepted as a second signature of the same text.
#[test]
fn each_signature_is_a_unique_number() {
    let small = SMALL_KEY.public_key();
    let signature = SMALL_KEY.sign_certificate("text", &mut rng(1)).unwrap();
    let sum = to_biguint(&signature) + to_biguint(&small.document().modulus);
    assert_eq!(
        small.verify_certificate("text", &to_big_int(&sum)),
        Err(BadSignature)
    );
}

#[test]
fn the_identifier_is_the_documents() {
    let document: RsaPublicKey = MINT_KEY.public_key().document().clone();
    assert_eq!(*MINT_KEY.public_key().id(), document.id());
}
