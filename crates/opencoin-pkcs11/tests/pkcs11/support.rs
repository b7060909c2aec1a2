//! Helpers of these tests.

use std::time::Duration;

use cryptoki::context::Pkcs11;
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use opencoin_crypto::{AcceptedBlinds, BlindToSign, PublicKey};
use opencoin_pkcs11::{Pin, TokenKeyStore, TokenOptions};
use opencoin_schema::{BigInt, Payload};
use opencoin_testkit::softhsm::{LABEL, PIN, TestToken};

/// Short keys take little time.
pub(crate) const BITS: usize = 1024;

pub(crate) fn pin(text: &str) -> Pin {
    Pin::new(&text.to_owned().into())
}

pub(crate) fn options(token: &TestToken) -> TokenOptions {
    let retry_pause = Duration::from_millis(1);
    TokenOptions {
        retry_pause,
        ..TokenOptions::new(token.module(), LABEL.to_owned(), pin(PIN))
    }
}

pub(crate) fn open(token: &TestToken) -> TokenKeyStore {
    TokenKeyStore::open(options(token)).unwrap()
}

/// Another user of the token in this process, with the same login.
pub(crate) struct Other {
    pub(crate) pkcs11: Pkcs11,
    pub(crate) slot: Slot,
}

impl Other {
    /// Needs an open store, which initialises the module.
    pub(crate) fn new(token: &TestToken) -> Self {
        let pkcs11 = Pkcs11::new(token.module()).unwrap();
        let slots = pkcs11.get_slots_with_token().unwrap();
        let is_ours = |slot: &Slot| pkcs11.get_token_info(*slot).unwrap().label() == LABEL;
        let slot = slots.into_iter().find(is_ours).unwrap();
        Self { pkcs11, slot }
    }

    pub(crate) fn session(&self) -> Session {
        self.pkcs11.open_rw_session(self.slot).unwrap()
    }

    /// Whether a PIN was refused since the last right one.
    pub(crate) fn pin_was_refused(&self) -> bool {
        let info = self.pkcs11.get_token_info(self.slot).unwrap();
        info.user_pin_count_low()
    }
}

pub(crate) fn login(session: &Session, pin: &str) {
    session
        .login(UserType::User, Some(&AuthPin::new(pin.into())))
        .unwrap();
}

pub(crate) fn blind(key: &PublicKey, blinded: BigInt) -> BlindToSign {
    BlindToSign {
        mint_key_id: key.id().clone(),
        blinded,
    }
}

/// This many different numbers to sign.
pub(crate) fn blinds(key: &PublicKey, count: usize) -> AcceptedBlinds {
    accepted((0..count).map(|index| blind(key, number(key, index))).collect())
}

pub(crate) fn number(key: &PublicKey, index: usize) -> BigInt {
    let mut bytes = vec![0x5a; key.modulus_bytes()];
    bytes[1..9].copy_from_slice(&(index as u64).to_be_bytes());
    BigInt::from_be_bytes(&bytes)
}

pub(crate) fn accepted(blinds: Vec<BlindToSign>) -> AcceptedBlinds {
    AcceptedBlinds {
        transaction_reference: vec![1],
        blinds: blinds.into(),
    }
}

/// Whether these are the key's signatures of [`blinds`].
pub(crate) fn are_signatures(key: &PublicKey, signatures: &[BigInt]) -> bool {
    let mut signatures = signatures.iter().enumerate();
    signatures.all(|(index, signature)| key.signed_number(signature) == Some(number(key, index)))
}

pub(crate) fn payload(key: &PublicKey, serial: u8) -> Payload {
    Payload {
        cdd_location: "https://issuer.example/cddc".to_owned(),
        denomination: 10,
        issuer_id: BigInt::from_be_bytes(&[0x42; 20]),
        mint_key_id: key.id().clone(),
        protocol_version: "https://opencoin.org/1.0".to_owned(),
        serial: BigInt::from_be_bytes(&[serial; 16]),
    }
}

/// Blocks on a future of a signer.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(future)
}
