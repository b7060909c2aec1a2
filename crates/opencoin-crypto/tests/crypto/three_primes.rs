//! Keys with three primes: files, and that OpenSSL and this crate read each other's.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use opencoin_crypto::{CipherSuite, KeyError, KeyPrimes, PrivateKey};
use opencoin_schema::BigInt;
use tempfile::TempDir;

use crate::support::{MASTER_KEY, mint, payload, rng, sign_blind};

static KEY: LazyLock<PrivateKey> =
    LazyLock::new(|| PrivateKey::generate_with(2048, KeyPrimes::Three).unwrap());

/// Runs OpenSSL in `folder` and returns what it wrote.
fn openssl(folder: &Path, arguments: &str) -> Vec<u8> {
    let mut command = Command::new("openssl");
    command.args(arguments.split(' ')).current_dir(folder);
    let output = command.output().expect("openssl is in Debian's package openssl");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {message}");
    output.stdout
}

fn folder_with(pem: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("key.pem"), pem).unwrap();
    folder
}

/// The private operation of OpenSSL with the key in the file `key.pem`.
fn openssl_sign(folder: &Path, input: &[u8]) -> Vec<u8> {
    fs::write(folder.join("input"), input).unwrap();
    openssl(
        folder,
        "pkeyutl -decrypt -inkey key.pem -in input -pkeyopt rsa_padding_mode:none",
    )
}

/// A number as long as the modulus and less.
fn input(key: &PrivateKey) -> Vec<u8> {
    vec![0x5a; key.public_key().modulus_bytes()]
}

#[test]
fn a_generated_key_has_its_length_and_is_new() {
    let make = |bits| PrivateKey::generate_with(bits, KeyPrimes::Three).unwrap();
    for bits in [1024, 1152, 2048] {
        let (key, other) = (make(bits), make(bits));
        assert_eq!(key.public_key().modulus_bits(), bits);
        assert_eq!(key.public_key().document().public_exponent, 65537);
        assert_ne!(key.public_key(), other.public_key());
    }
}

#[test]
fn unsupported_key_sizes_are_refused() {
    let make = |bits| PrivateKey::generate_with(bits, KeyPrimes::Three).err();
    assert_eq!(make(511), Some(KeyError::ModulusBits(511)));
    assert_eq!(make(1100), Some(KeyError::BitsStep(1100)));
    assert_eq!(make(896), Some(KeyError::TooShortForThreePrimes(896)));
}

#[test]
fn the_number_of_primes_is_two_or_three() {
    for (text, primes) in [("2", KeyPrimes::Two), ("3", KeyPrimes::Three)] {
        assert_eq!(text.parse(), Ok(primes));
        assert_eq!(primes.to_string(), text);
    }
    for refused in ["", "1", "4", "-2", "two"] {
        assert_eq!(refused.parse::<KeyPrimes>(), Err(KeyError::Primes));
    }
}

#[test]
fn a_stored_key_can_be_read_again() {
    let number = BigInt::from_be_bytes(b"a number to sign");
    let read = PrivateKey::from_pkcs8_pem(&KEY.to_pkcs8_pem()).unwrap();
    assert_eq!(read.public_key(), KEY.public_key());
    assert_eq!(sign_blind(&read, &number), sign_blind(&KEY, &number));

    let pem = KEY.to_encrypted_pkcs8_pem(b"correct horse", &mut rng(3));
    let read = PrivateKey::from_encrypted_pkcs8_pem(&pem, b"correct horse").unwrap();
    assert_eq!(sign_blind(&read, &number), sign_blind(&KEY, &number));
    assert_eq!(
        PrivateKey::from_encrypted_pkcs8_pem(&pem, b"Correct horse").err(),
        Some(KeyError::Passphrase)
    );
    assert!(
        !format!("{:?}", *KEY).contains("prime"),
        "Debug does not show the primes"
    );
}

/// The exponents and coefficients are compared as well, so nothing in the file can change unnoticed.
#[test]
fn a_damaged_file_never_gives_another_key() {
    let key = PrivateKey::generate_with(1024, KeyPrimes::Three).unwrap();
    let pem = key.to_pkcs8_pem();
    let (start, end) = (pem.find('\n').unwrap() + 1, pem.find("\n-----END").unwrap());
    let input = input(&key);
    for position in start..end {
        let mut damaged = pem.to_string();
        let replacement = if pem[position..].starts_with('A') {
            "B"
        } else {
            "A"
        };
        damaged.replace_range(position..=position, replacement);
        if let Ok(read) = PrivateKey::from_pkcs8_pem(&damaged) {
            // The only change that is not noticed is one that is none: of bits that are not read.
            assert_eq!(read.public_key(), key.public_key(), "position {position}");
            assert_eq!(read.raw_sign(&input), key.raw_sign(&input), "position {position}");
        }
    }
}

#[test]
fn openssl_reads_our_keys() {
    let input = input(&KEY);
    let plain = folder_with(&KEY.to_pkcs8_pem());
    openssl(plain.path(), "rsa -in key.pem -check -noout");
    let text = openssl(plain.path(), "rsa -in key.pem -text -noout");
    let text = String::from_utf8(text).unwrap();
    assert!(text.starts_with("Private-Key: (2048 bit, 3 primes)"), "{text}");
    assert_eq!(openssl_sign(plain.path(), &input), KEY.raw_sign(&input).unwrap());

    let encrypted = folder_with(&KEY.to_encrypted_pkcs8_pem(b"p", &mut rng(3)));
    openssl(encrypted.path(), "pkey -in key.pem -passin pass:p -check -noout");
}

#[test]
fn we_read_the_keys_of_openssl() {
    for bits in [1024, 2048, 3072, 4096] {
        let folder = folder_with("");
        let make = format!(
            "genpkey -algorithm RSA -out key.pem -pkeyopt rsa_keygen_bits:{bits} -pkeyopt rsa_keygen_primes:3"
        );
        openssl(folder.path(), &make);
        let pem = fs::read_to_string(folder.path().join("key.pem")).unwrap();
        let key = PrivateKey::from_pkcs8_pem(&pem).unwrap();
        let input = input(&key);
        assert_eq!(key.raw_sign(&input).unwrap(), openssl_sign(folder.path(), &input));

        openssl(
            folder.path(),
            "pkcs8 -topk8 -in key.pem -out sealed.pem -scrypt -passout pass:p",
        );
        let pem = fs::read_to_string(folder.path().join("sealed.pem")).unwrap();
        let read = PrivateKey::from_encrypted_pkcs8_pem(&pem, b"p").unwrap();
        assert_eq!(read.public_key(), key.public_key());
    }
}

#[test]
fn a_key_with_four_primes_is_refused() {
    let folder = folder_with("");
    let pem = openssl(
        folder.path(),
        "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4096 -pkeyopt rsa_keygen_primes:4",
    );
    let read = PrivateKey::from_pkcs8_pem(str::from_utf8(&pem).unwrap());
    assert_eq!(read.err(), Some(KeyError::NotPem));
}

#[test]
fn coins_and_certificates_are_signed_as_with_two_primes() {
    for suite in [CipherSuite::RsaSha256PssChaum82, CipherSuite::RsaSha384PssRfc9474] {
        let mut payload = payload(b"a serial");
        payload.mint_key_id = KEY.public_key().id().clone();
        let coin = mint(suite, &KEY, &payload, 1);
        assert!(suite.verify_coin(KEY.public_key(), &coin).is_ok());
    }
    let signature = KEY.sign_certificate("text", &mut rng(1)).unwrap();
    assert!(KEY.public_key().verify_certificate("text", &signature).is_ok());
    assert!(
        MASTER_KEY
            .public_key()
            .verify_certificate("text", &signature)
            .is_err()
    );
}
