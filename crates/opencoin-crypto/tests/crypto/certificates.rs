//! Certificates: what was signed verifies, and each check that fails says which.

use opencoin_crypto::{
    CertificateError, CipherSuite, KeyError, MintKeyError, VerifiedCddc, sign_cddc,
    sign_mint_key_certificate, verify_cddc, verify_mint_key_certificate,
};
use opencoin_schema::{BigInt, Cddc, MintKey, Mkc};

use crate::support::{MASTER_KEY, MINT_KEY, OTHER_MINT_KEY, SMALL_KEY, cdd, mint_key, number, rng};

fn currency(suite: CipherSuite) -> VerifiedCddc {
    sign_cddc(cdd(&MASTER_KEY, suite), &MASTER_KEY, &mut rng(1)).unwrap()
}

fn certificate(mint_key: MintKey) -> Mkc {
    let currency = currency(CipherSuite::default());
    sign_mint_key_certificate(mint_key, &currency, &MASTER_KEY, &mut rng(2))
        .unwrap()
        .mkc()
        .clone()
}

#[test]
fn what_is_signed_verifies_in_both_suites() {
    for suite in CipherSuite::ALL {
        let signed = currency(suite);
        let verified = verify_cddc(signed.cddc()).unwrap();
        assert_eq!(verified, signed);
        assert_eq!(verified.cipher_suite(), suite);
        assert_eq!(verified.master_key(), MASTER_KEY.public_key());

        let mint_key = mint_key(&MINT_KEY, &MASTER_KEY);
        let signed =
            sign_mint_key_certificate(mint_key.clone(), &verified, &MASTER_KEY, &mut rng(2)).unwrap();
        let verified = verify_mint_key_certificate(signed.mkc(), &verified).unwrap();
        assert_eq!(verified.mint_key(), &mint_key);
        assert_eq!(verified.public_key(), MINT_KEY.public_key());
    }
}

#[test]
fn a_cddc_is_refused_for_the_check_that_it_fails() {
    type Change = fn(&mut Cddc);
    let cases: [(Change, &str); 7] = [
        (
            |cddc| cddc.cdd.cdd_serial += 1,
            "the signature is not the master key's",
        ),
        (
            |cddc| cddc.cdd.additional_info.push('x'),
            "the signature is not the master key's",
        ),
        (
            |cddc| cddc.signature = number("2"),
            "the signature is not the master key's",
        ),
        (
            |cddc| cddc.cdd.issuer_cipher_suite = "RSA".to_owned(),
            "unknown cipher suite \"RSA\"",
        ),
        (
            |cddc| cddc.cdd.id = number("ab"),
            "the id ab is not the key's, which is ",
        ),
        (
            |cddc| cddc.cdd.issuer_public_master_key.public_exponent = 4,
            "the key cannot be used: the public exponent 4",
        ),
        (
            |cddc| {
                // Somebody else's key, with its right id: the signature must be by the key inside.
                cddc.cdd.issuer_public_master_key = MINT_KEY.public_key().document().clone();
                cddc.cdd.id = MINT_KEY.public_key().id().clone();
            },
            "the signature is not the master key's",
        ),
    ];
    let sound = currency(CipherSuite::default()).cddc().clone();
    for (change, expected) in cases {
        let mut changed = sound.clone();
        change(&mut changed);
        let error = verify_cddc(&changed).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn a_mint_key_certificate_is_refused_for_the_check_that_it_fails() {
    type Change = fn(&mut Mkc);
    type Expected = fn(&CertificateError) -> bool;
    let cases: [(Change, Expected); 8] = [
        (
            |mkc| mkc.mint_key.denomination = 2,
            |error| *error == CertificateError::Signature,
        ),
        (
            |mkc| mkc.mint_key.coins_expiry_date = mkc.mint_key.sign_coins_not_after,
            |error| *error == CertificateError::Signature,
        ),
        (
            |mkc| mkc.signature = BigInt::default(),
            |error| *error == CertificateError::Signature,
        ),
        (
            |mkc| mkc.mint_key.denomination = 3,
            |error| *error == CertificateError::Denomination(3),
        ),
        (
            |mkc| mkc.mint_key.issuer_id = number("1"),
            |error| matches!(error, CertificateError::Issuer { .. }),
        ),
        (
            |mkc| mkc.mint_key.id = number("1"),
            |error| matches!(error, CertificateError::Id { .. }),
        ),
        (
            |mkc| {
                mkc.mint_key.public_mint_key = SMALL_KEY.public_key().document().clone();
                mkc.mint_key.id = SMALL_KEY.public_key().id().clone();
            },
            |error| {
                matches!(
                    error,
                    CertificateError::MintKey(MintKeyError::TooSmall { bits: 512, .. })
                )
            },
        ),
        (
            |mkc| mkc.mint_key.public_mint_key.modulus = number("ff"),
            |error| *error == CertificateError::Key(KeyError::ModulusBits(8)),
        ),
    ];
    let currency = currency(CipherSuite::default());
    let sound = certificate(mint_key(&MINT_KEY, &MASTER_KEY));
    assert!(verify_mint_key_certificate(&sound, &currency).is_ok());
    for (index, (change, expected)) in cases.into_iter().enumerate() {
        let mut changed = sound.clone();
        change(&mut changed);
        let error = verify_mint_key_certificate(&changed, &currency).unwrap_err();
        assert!(expected(&error), "case {index}: {error}");
    }
}

#[test]
fn nothing_is_signed_that_would_not_verify() {
    let refused = sign_cddc(cdd(&MASTER_KEY, CipherSuite::default()), &MINT_KEY, &mut rng(1));
    assert_eq!(refused, Err(CertificateError::Signature), "another key");

    let currency = currency(CipherSuite::default());
    let mint_key = mint_key(&MINT_KEY, &MASTER_KEY);
    let refused = sign_mint_key_certificate(mint_key.clone(), &currency, &OTHER_MINT_KEY, &mut rng(1));
    assert_eq!(refused, Err(CertificateError::Signature), "another key");
    let refused = sign_mint_key_certificate(
        MintKey {
            denomination: 3,
            ..mint_key
        },
        &currency,
        &MASTER_KEY,
        &mut rng(1),
    );
    assert_eq!(refused, Err(CertificateError::Denomination(3)));
}

/// A mint key signs whatever number it is handed, a hash of a forged certificate among them.
#[test]
fn the_master_key_is_never_a_mint_key() {
    let currency = currency(CipherSuite::default());
    let refused = sign_mint_key_certificate(
        mint_key(&MASTER_KEY, &MASTER_KEY),
        &currency,
        &MASTER_KEY,
        &mut rng(1),
    );
    assert_eq!(refused, Err(CertificateError::MintKeyIsMasterKey));
}
