//! Certificates: signed documents verify, and errors name the failed check.

use opencoin_crypto::{
    CertificateError, CipherSuite, VerifiedCddc, sign_cddc, sign_mint_key_certificate, verify_cddc,
    verify_mint_key_certificate,
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
fn signed_certificates_verify_in_both_suites() {
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
fn the_error_names_the_check_that_a_cddc_fails() {
    type Change = fn(&mut Cddc);
    let signature = "the signature is not the master key's";
    let other_key: Change = |cddc| {
        // The signature must be by the key in the document.
        cddc.cdd.issuer_public_master_key = MINT_KEY.public_key().document().clone();
        cddc.cdd.id = MINT_KEY.public_key().id().clone();
    };
    let suite: Change = |cddc| cddc.cdd.issuer_cipher_suite = "RSA".to_owned();
    let exponent: Change = |cddc| cddc.cdd.issuer_public_master_key.public_exponent = 4;
    let cases: [(Change, &str); 7] = [
        (|cddc| cddc.cdd.cdd_serial += 1, signature),
        (|cddc| cddc.cdd.additional_info.push('x'), signature),
        (|cddc| cddc.signature = number("2"), signature),
        (
            |cddc| cddc.cdd.id = number("ab"),
            "the id ab is not the key's, which is ",
        ),
        (suite, "unknown cipher suite \"RSA\""),
        (exponent, "the key cannot be used: the public exponent 4"),
        (other_key, signature),
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
fn the_error_names_the_check_that_a_mint_key_certificate_fails() {
    type Change = fn(&mut Mkc);
    let small_key: Change = |mkc| {
        mkc.mint_key.public_mint_key = SMALL_KEY.public_key().document().clone();
        mkc.mint_key.id = SMALL_KEY.public_key().id().clone();
    };
    let small_modulus: Change = |mkc| mkc.mint_key.public_mint_key.modulus = number("ff");
    let expiry: Change = |mkc| mkc.mint_key.coins_expiry_date = mkc.mint_key.sign_coins_not_after;
    let signature = "the signature is not the master key's";
    let cases: [(Change, &str); 8] = [
        (|mkc| mkc.mint_key.denomination = 2, signature),
        (expiry, signature),
        (|mkc| mkc.signature = BigInt::default(), signature),
        (
            |mkc| mkc.mint_key.denomination = 3,
            "the currency has no denomination 3",
        ),
        (
            |mkc| mkc.mint_key.issuer_id = number("1"),
            "the mint key is of issuer 1, not of ",
        ),
        (
            |mkc| mkc.mint_key.id = number("1"),
            "the id 1 is not the key's, which is ",
        ),
        (small_key, "a mint key of 512 bits is too small"),
        (small_modulus, "the key cannot be used: the modulus has 8 bits"),
    ];
    let currency = currency(CipherSuite::default());
    let sound = certificate(mint_key(&MINT_KEY, &MASTER_KEY));
    assert!(verify_mint_key_certificate(&sound, &currency).is_ok());
    for (change, expected) in cases {
        let mut changed = sound.clone();
        change(&mut changed);
        let error = verify_mint_key_certificate(&changed, &currency)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn certificates_that_would_not_verify_are_not_signed() {
    let refused = sign_cddc(cdd(&MASTER_KEY, CipherSuite::default()), &MINT_KEY, &mut rng(1));
    assert_eq!(refused, Err(CertificateError::Signature), "another key");

    let currency = currency(CipherSuite::default());
    let mint_key = mint_key(&MINT_KEY, &MASTER_KEY);
    let refused = sign_mint_key_certificate(mint_key.clone(), &currency, &OTHER_MINT_KEY, &mut rng(1));
    assert_eq!(refused, Err(CertificateError::Signature), "another key");
    let mint_key = MintKey {
        denomination: 3,
        ..mint_key
    };
    let refused = sign_mint_key_certificate(mint_key, &currency, &MASTER_KEY, &mut rng(1));
    assert_eq!(refused, Err(CertificateError::Denomination(3)));
}

/// A mint key signs any number, even the hash of a forged certificate.
#[test]
fn the_master_key_is_never_a_mint_key() {
    let (currency, mint_key) = (
        currency(CipherSuite::default()),
        mint_key(&MASTER_KEY, &MASTER_KEY),
    );
    let refused = sign_mint_key_certificate(mint_key, &currency, &MASTER_KEY, &mut rng(1));
    assert_eq!(refused, Err(CertificateError::MintKeyIsMasterKey));
}
