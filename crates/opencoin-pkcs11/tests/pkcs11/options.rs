//! What an operator reads who names the wrong thing.

use std::path::PathBuf;

use cryptoki::context::Pkcs11;
use cryptoki::types::AuthPin;
use opencoin_pkcs11::{PinRefusal, TokenError, TokenKeyStore, TokenOptions};
use opencoin_testkit::softhsm::{LABEL, in_own_process};

use crate::support::{Other, open, options, pin};

fn error(options: TokenOptions) -> TokenError {
    TokenKeyStore::open(options).unwrap_err()
}

#[test]
fn a_module_that_is_not_there_or_none_is_named() {
    in_own_process(|token| {
        let with_module = |path: &str| {
            error(TokenOptions {
                module: PathBuf::from(path),
                ..options(token)
            })
        };
        let missing = with_module("/nowhere/libtoken.so");
        assert_eq!(
            missing,
            TokenError::ModuleMissing(PathBuf::from("/nowhere/libtoken.so"))
        );
        assert!(
            missing
                .to_string()
                .starts_with("there is no PKCS#11 module /nowhere/libtoken.so: install"),
            "{missing}"
        );

        for other in ["/etc/passwd", "/tmp", "/proc/self/exe"] {
            let error = with_module(other);
            assert!(matches!(error, TokenError::NotAModule { .. }), "{error:?}");
            assert!(
                error
                    .to_string()
                    .starts_with(&format!("{other} is not a PKCS#11 module")),
                "{error}"
            );
        }
    });
}

#[test]
fn a_library_that_is_no_module_is_named() {
    in_own_process(|token| {
        let libraries = std::fs::read_to_string("/proc/self/maps").unwrap();
        let library = libraries
            .lines()
            .filter_map(|line| line.split_whitespace().nth(5))
            .find(|path| path.contains("libc.so"));
        let error = error(TokenOptions {
            module: PathBuf::from(library.unwrap()),
            ..options(token)
        });
        assert!(
            error
                .to_string()
                .contains("is not a PKCS#11 module for this machine (Missing PKCS#11 symbol"),
            "{error}"
        );
    });
}

#[test]
fn a_token_that_is_not_there_is_named_with_those_that_are() {
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
        assert_eq!(
            (label.as_str(), blank),
            ("mint", true),
            "SoftHSM always has an uninitialised one"
        );
        assert_eq!(found, ["another one", LABEL]);
        let text = error.to_string();
        assert!(
            text.starts_with("there is no token \"mint\"; there are \""),
            "{text}"
        );
        assert!(
            text.ends_with("initialise it (softhsm2-util or pkcs11-tool --init-token)"),
            "{text}"
        );
        assert!(
            open(token).token_signer().is_ok(),
            "the right one can be had all the same"
        );
    });
}

#[test]
fn a_label_that_two_tokens_have_is_refused() {
    in_own_process(|token| {
        token.add(LABEL);
        let error = error(options(token));
        assert_eq!(
            error,
            TokenError::SeveralTokens {
                label: LABEL.to_owned(),
                count: 2
            }
        );
    });
}

#[test]
fn a_token_whose_user_has_no_pin_is_named() {
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
fn a_wrong_pin_is_refused_and_not_shown() {
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
        assert!(
            error
                .to_string()
                .contains("refuses the PIN: correct it and start again"),
            "{error}"
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
fn a_module_that_does_not_start_is_named_with_its_code() {
    in_own_process(|token| {
        std::fs::remove_dir_all(token.tokens_folder()).unwrap();
        let error = error(options(token));
        assert!(
            error.to_string().contains("(C_Initialize: CKR_GENERAL_ERROR)"),
            "{error}"
        );
    });
}
