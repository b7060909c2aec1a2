//! Making a mint key in a token and checking it before use.
//!
//! A token can be configured to make different keys than requested, without an error. So the new key's attributes are
//! read, for example whether it is extractable, and it signs a test number. An unsuitable key is destroyed at once. A
//! crash in between leaves an unused key, which is listed like all others.

use cryptoki::error::{Error, Result as CallResult};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use cryptoki::session::Session;
use opencoin_crypto::{PublicKey, check_key_length};

use crate::TokenError;
use crate::error::code_name;
use crate::keys;
use crate::module::{Access, OpenSession};
use crate::token::{Token, TokenSession};

const PUBLIC_EXPONENT: u64 = 65537;
const PUBLIC_EXPONENT_BYTES: [u8; 3] = [1, 0, 1];

/// Both halves of a new key.
#[derive(Clone, Copy)]
struct Pair {
    public: ObjectHandle,
    private: ObjectHandle,
}

/// The pair must not be kept.
enum Rejection {
    Call(Error),
    /// The reason, as the continuation of "a key".
    Unfit(String),
}

impl From<Error> for Rejection {
    fn from(error: Error) -> Self {
        Self::Call(error)
    }
}

/// Makes a key in the token.
pub(crate) fn generate(token: &Token, bits: usize) -> Result<PublicKey, TokenError> {
    check_size(token, bits)?;
    let TokenSession { session, connection } = token.session(Access::Write)?;
    let pair = session.call(|session| make_pair(session, bits));
    let pair = pair.map_err(|error| match token.failed(connection, error) {
        TokenError::Call { code, .. } => TokenError::KeyRefused { bits, code },
        error => error,
    })?;
    match session.call(|session| examine(session, pair, bits)) {
        Ok(key) => {
            let id = [keys::id_attribute(key.id())];
            for half in [pair.public, pair.private] {
                // If the token chooses identifiers itself, the key is found by its modulus.
                let _ = session.call(|session| session.update_attributes(half, &id));
            }
            Ok(key)
        }
        Err(rejection) => {
            let destroyed = destroy(&session, pair);
            Err(match (rejection, destroyed) {
                (Rejection::Unfit(reason), Ok(())) => TokenError::KeyUnfit(reason),
                (Rejection::Unfit(reason), Err(code)) => TokenError::KeyUnfitAndKept { reason, code },
                // If the token is gone, the pair could not be destroyed.
                (Rejection::Call(error), _) => token.failed(connection, error),
            })
        }
    }
}

fn check_size(token: &Token, bits: usize) -> Result<(), TokenError> {
    check_key_length(bits)?;
    let Some(info) = token
        .mechanism(MechanismType::RSA_PKCS_KEY_PAIR_GEN)?
        .filter(|info| info.generate_key_pair())
    else {
        return Err(token.mechanism_missing("CKM_RSA_PKCS_KEY_PAIR_GEN"));
    };
    check_range(bits, info.min_key_size(), info.max_key_size())
}

fn check_range(bits: usize, bits_min: usize, bits_max: usize) -> Result<(), TokenError> {
    // Tokens without a limit say zero.
    if bits_max > 0 && !(bits_min..=bits_max).contains(&bits) {
        return Err(TokenError::KeySize {
            bits,
            bits_min,
            bits_max,
        });
    }
    Ok(())
}

fn make_pair(session: &Session, bits: usize) -> CallResult<Pair> {
    let public = [
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Label(keys::LABEL.to_vec()),
        Attribute::ModulusBits(bits.try_into()?),
        Attribute::PublicExponent(PUBLIC_EXPONENT_BYTES.to_vec()),
        Attribute::Verify(true),
        Attribute::Encrypt(false),
        Attribute::Wrap(false),
    ];
    let private = [
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Label(keys::LABEL.to_vec()),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        Attribute::Decrypt(false),
        Attribute::Unwrap(false),
    ];
    let (public, private) = session.generate_key_pair(&Mechanism::RsaPkcsKeyPairGen, &public, &private)?;
    Ok(Pair { public, private })
}

fn examine(session: &Session, pair: Pair, bits: usize) -> Result<PublicKey, Rejection> {
    let unfit = |reason: &str| Err(Rejection::Unfit(reason.to_owned()));
    if let Some(reason) = wrong_attribute(session, pair.private)? {
        return unfit(reason);
    }
    let Some(key) = keys::public_key(session, pair.private)? else {
        return unfit("that is no RSA key");
    };
    if key.modulus_bits() != bits {
        return Err(Rejection::Unfit(format!(
            "of {} bits where {bits} were asked for",
            key.modulus_bits()
        )));
    }
    if key.document().public_exponent != PUBLIC_EXPONENT {
        return Err(Rejection::Unfit(format!(
            "with the public exponent {}",
            key.document().public_exponent
        )));
    }
    let input = test_number(&key);
    let signature = keys::sign(session, pair.private, &input)?;
    if keys::check_signature(&key, &input, &signature).is_none() {
        return unfit("whose signatures are wrong");
    }
    Ok(key)
}

/// The reason why a private half is unsuitable, if any, as the continuation of "a key".
fn wrong_attribute(session: &Session, private: ObjectHandle) -> CallResult<Option<&'static str>> {
    use AttributeType as Type;
    let required = [
        (Attribute::Token(true), "that it does not keep"),
        (Attribute::Private(true), "that can be used without the PIN"),
        (Attribute::Sensitive(true), "whose private half can be read"),
        (
            Attribute::Extractable(false),
            "whose private half can be taken out",
        ),
    ];
    let types = [Type::Token, Type::Private, Type::Sensitive, Type::Extractable];
    let found = session.get_attributes(private, &types)?;
    let mut missing = required
        .into_iter()
        .filter(|(attribute, _)| !found.contains(attribute));
    if let Some((_, reason)) = missing.next() {
        return Ok(Some(reason));
    }
    // Not every token has these attributes.
    let forbidden = [
        (Attribute::Local(false), "that it did not make itself"),
        (
            Attribute::AlwaysSensitive(false),
            "whose private half could be read once",
        ),
        (
            Attribute::NeverExtractable(false),
            "whose private half could be taken out once",
        ),
        (
            Attribute::AlwaysAuthenticate(true),
            "that wants the PIN for every signature",
        ),
    ];
    let types = [
        Type::Local,
        Type::AlwaysSensitive,
        Type::NeverExtractable,
        Type::AlwaysAuthenticate,
    ];
    let found = session.get_attributes(private, &types)?;
    Ok(forbidden
        .into_iter()
        .find(|(attribute, _)| found.contains(attribute))
        .map(|(_, reason)| reason))
}

/// An arbitrary number less than the modulus: the modulus with its bytes reversed and a leading zero.
fn test_number(key: &PublicKey) -> Vec<u8> {
    let mut number = key.document().modulus.as_be_bytes().to_vec();
    number.reverse();
    number[0] = 0;
    number
}

/// Destroys both halves. The error, a name in PKCS#11, means that the private half remains.
fn destroy(session: &OpenSession, pair: Pair) -> Result<(), String> {
    let destroy = |half| session.call(|session| session.destroy_object(half));
    // Without its private half the public one does no harm.
    let _ = destroy(pair.public);
    destroy(pair.private).map_err(|error| match error {
        Error::Pkcs11(error, _) => code_name(error),
        error => error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use cryptoki::object::ObjectClass;
    use opencoin_testkit::softhsm::{LABEL, PIN, TestToken, in_own_process};

    use super::*;
    use crate::{Pin, TokenOptions};

    const BITS: usize = 1024;

    fn session(token: &TestToken) -> (Token, OpenSession) {
        let pin = Pin::new(&PIN.to_owned().into());
        let token = Token::open(TokenOptions::new(token.module(), LABEL.to_owned(), pin)).unwrap();
        let session = token.session(Access::Write).unwrap().session;
        (token, session)
    }

    /// A pair with other attributes than requested, as some tokens are configured to make.
    fn pair_with(session: &Session, public_exponent: &[u8], private: &[Attribute]) -> Pair {
        let public = [
            Attribute::ModulusBits(BITS.try_into().unwrap()),
            Attribute::PublicExponent(public_exponent.to_vec()),
        ];
        let public = [&[Attribute::Token(true)], &public[..]].concat();
        let private = [&[Attribute::Sign(true)], private].concat();
        let (public, private) = session
            .generate_key_pair(&Mechanism::RsaPkcsKeyPairGen, &public, &private)
            .unwrap();
        Pair { public, private }
    }

    #[test]
    fn an_unsuitable_key_is_detected_and_can_be_destroyed() {
        use Attribute::{Extractable, Private, Sensitive, Token};
        in_own_process(|token| {
            let (_token, session) = session(token);
            let good = [Token(true), Private(true), Sensitive(true), Extractable(false)];
            let with = |index: usize, attribute| {
                let mut attributes = good.clone();
                attributes[index] = attribute;
                attributes
            };
            let usual = &PUBLIC_EXPONENT_BYTES[..];
            let cases = [
                (usual, with(0, Token(false)), BITS, "that it does not keep"),
                (
                    usual,
                    with(1, Private(false)),
                    BITS,
                    "that can be used without the PIN",
                ),
                (
                    usual,
                    with(2, Sensitive(false)),
                    BITS,
                    "whose private half can be read",
                ),
                (
                    usual,
                    with(3, Extractable(true)),
                    BITS,
                    "whose private half can be taken out",
                ),
                (
                    usual,
                    good.clone(),
                    1026,
                    "of 1024 bits where 1026 were asked for",
                ),
                (&[17][..], good.clone(), BITS, "with the public exponent 17"),
            ];
            for (exponent, attributes, bits, expected) in cases {
                let pair = session
                    .call(|session| Ok::<_, Error>(pair_with(session, exponent, &attributes)))
                    .unwrap();
                let Err(Rejection::Unfit(reason)) = session.call(|session| examine(session, pair, bits))
                else {
                    panic!("it was taken: {expected}");
                };
                assert_eq!(reason, expected);
                destroy(&session, pair).unwrap();
            }
            let left = session
                .call(|session| session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY)]))
                .unwrap();
            assert_eq!(left, []);
        });
    }

    #[test]
    fn the_error_names_why_a_key_cannot_be_destroyed() {
        in_own_process(|token| {
            let (_token, session) = session(token);
            let pair = session.call(|session| make_pair(session, BITS)).unwrap();
            destroy(&session, pair).unwrap();
            assert_eq!(
                destroy(&session, pair),
                Err("CKR_OBJECT_HANDLE_INVALID".to_owned())
            );
        });
    }

    #[test]
    fn the_error_names_the_sizes_that_the_token_makes() {
        assert_eq!(check_range(2048, 1024, 4096), Ok(()));
        assert_eq!(check_range(2048, 0, 0), Ok(()), "a token without a limit");
        for bits in [1022, 4098] {
            let error = check_range(bits, 1024, 4096).unwrap_err();
            let expected = format!("the token makes RSA keys of 1024 to 4096 bits, none of {bits}");
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
    }
}
