//! The errors that operators see for wrong options.

use std::path::PathBuf;

use cryptoki::context::Pkcs11;
use cryptoki::types::AuthPin;
use opencoin_crypto::KeyStore;
use opencoin_pkcs11::{PinRefusal, TokenError, TokenKeyStore, TokenOptions};
use opencoin_testkit::softhsm::{LABEL, in_own_process};

use crate::support::{Other, open, options, pin};

fn error(options: TokenOptions) -> TokenError {
    TokenKeyStore::open(options).unwrap_err()
}

#[test]
fn a_file_that_is_missing_or_not_a_module_is_named() {
    in_own_process(|token| {
        let with_module = |path: &str| {
            error(TokenOptions {
                module: PathBuf::from(path),
                ..options(token)
            })
        };
        let path = "/nowhere/libtoken.so";
        let missing = with_module(path);
        assert_eq!(missing, TokenError::ModuleMissing(PathBuf::from(path)));
        let expected = format!("there is no PKCS#11 module {path}: install");
        assert!(missing.to_string().starts_with(&expected), "{missing}");

        let libraries = std::fs::read_to_string("/proc/self/maps").unwrap();
        let mut paths = libraries
            .lines()
            .filter_map(|line| line.split_whitespace().nth(5));
        let library = paths.find(|path| path.contains("libc.so")).unwrap();
        for other in ["/etc/passwd", "/tmp", "/proc/self/exe", library] {
            let error = with_module(other);
            assert!(matches!(error, TokenError::NotAModule { .. }), "{error:?}");
            let expected = format!("{other} is not a PKCS#11 module for this machine (");
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
    });
}

#[test]
fn the_error_for_a_missing_token_lists_the_others() {
    in_own_process(|token| {
        token.add("another one");
        let error = error(TokenOptions {
            token_label: "mint".to_owned(),
            ..options(token)
        });
        let TokenError::NoToken {
            label,
            mut found,
            blank,
        } = error.clone()
        else {
            panic!("{error}")
        };
        found.sort();
        // SoftHSM always has an uninitialised token.
        assert_eq!((label.as_str(), blank), ("mint", true));
        assert_eq!(found, ["another one", LABEL]);
        let text = error.to_string();
        assert!(
            text.starts_with("there is no token \"mint\"; there are \""),
            "{text}"
        );
        assert!(
            text.ends_with("(softhsm2-util or pkcs11-tool --init-token)"),
            "{text}"
        );
        assert!(open(token).signer().is_ok(), "the right one can still be opened");
    });
}

#[test]
fn a_label_that_is_not_unique_is_refused() {
    in_own_process(|token| {
        token.add(LABEL);
        let expected = TokenError::SeveralTokens {
            label: LABEL.to_owned(),
            count: 2,
        };
        assert_eq!(error(options(token)), expected);
    });
}

#[test]
fn a_token_without_a_user_pin_is_refused() {
    in_own_process(|token| {
        drop(open(token));
        let pkcs11 = Pkcs11::new(token.module()).unwrap();
        let slots = pkcs11.get_slots_with_token().unwrap();
        let blank = slots
            .into_iter()
            .find(|slot| !pkcs11.get_token_info(*slot).unwrap().token_initialized())
            .unwrap();
        pkcs11
            .init_token(blank, &AuthPin::new("officer".into()), "half done")
            .unwrap();
        let error = error(TokenOptions {
            token_label: "half done".to_owned(),
            ..options(token)
        });
        assert_eq!(error, TokenError::PinMissing("half done".to_owned()));
    });
}

#[test]
fn a_wrong_pin_is_refused_and_not_printed() {
    in_own_process(|token| {
        let error = error(TokenOptions {
            pin: pin("31415926"),
            ..options(token)
        });
        assert_eq!(
            error,
            TokenError::PinRefused {
                label: LABEL.to_owned(),
                refusal: PinRefusal::Incorrect
            }
        );
        let text = error.to_string();
        assert!(
            text.contains("refuses the PIN: correct it and start again"),
            "{text}"
        );
        assert!(!format!("{error} {error:?}").contains("31415926"));
        assert!(Other::new(token).pin_was_refused());
        drop(open(token));
        assert!(!Other::new(token).pin_was_refused(), "the right one is taken");
    });
}

#[test]
fn a_token_without_raw_rsa_is_refused() {
    in_own_process(|token| {
        token.configure("slots.mechanisms = CKM_RSA_PKCS_KEY_PAIR_GEN");
        let error = error(options(token));
        assert!(error.to_string().contains("does not do CKM_RSA_X_509"), "{error}");
    });
}

#[test]
fn the_error_has_the_code_of_a_module_that_does_not_start() {
    in_own_process(|token| {
        std::fs::remove_dir_all(token.tokens_folder()).unwrap();
        let error = error(options(token));
        assert!(
            error.to_string().contains("(C_Initialize: CKR_GENERAL_ERROR)"),
            "{error}"
        );
    });
}
